//go:build unix

package fault

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/ci"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/internal/verify"
)

// refusal sends a message that nobody listens for, and returns the status with
// which it is refused; 0: it is accepted.
func refusal(t *testing.T, d *verify.Daemon) int {
	t.Helper()
	text := strings.Repeat("x", 1000)
	_, err := d.Client.Send(t.Context(), agent.SendRequest{Endpoint: "http://127.0.0.1:1/", Payload: &text, Retry: "none"})
	if err == nil {
		return 0
	}
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		t.Fatal(err)
	}
	return refused.Status
}

// fsyncFails has every fsync fail from the n-th on.
func fsyncFails(t *testing.T, program string) {
	t.Helper()
	for n := 1; n <= effort(20); n++ {
		callFails(t, program, "fsync,fdatasync", fmt.Sprintf("error=EIO:when=%d+", n))
	}
}

// fsyncFindsNoRoom has one fsync of each thread say that the disk is full, as file
// systems do that promise room before they have it. What is on the disk is not known
// then: that is no full disk, but one that has failed.
func fsyncFindsNoRoom(t *testing.T, program string) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 6))
	for range effort(10) {
		callFails(t, program, "fsync,fdatasync", fmt.Sprintf("error=ENOSPC:when=%d", 1+random.IntN(20)))
	}
}

// writeFails has one write of each thread fail.
func writeFails(t *testing.T, program string) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 7))
	for range effort(10) {
		callFails(t, program, "pwrite64", fmt.Sprintf("error=EIO:when=%d", 1+random.IntN(200)))
	}
}

// callFails has a system call fail that makes messages durable: nothing is accepted
// after that, /readyz says why, and what was accepted before is there at the next
// start.
func callFails(t *testing.T, program, calls, tampering string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	tr.fillStore()
	d, err := tr.try(strace(t, calls, tampering))
	switch {
	case tr.refused(err, tampering, "open store"):
	case err != nil:
		t.Fatal(err)
	default:
		tr.failing(d, tampering)
	}
	tr.finish()
}

// fillStore makes a store with messages that were delivered.
func (tr *trial) fillStore() {
	tr.Helper()
	d := tr.start(nil)
	tr.accept(d, 100)
	if err := d.Stop(tr.Context()); err != nil {
		tr.Fatal(err)
	}
}

// refused reports whether a daemon has not started, and checks that it says at what.
func (tr *trial) refused(err error, tampering, at string) bool {
	tr.Helper()
	ended := (*verify.ExitError)(nil)
	if !errors.As(err, &ended) {
		return false
	}
	if ended.Code != 1 || !strings.Contains(ended.Stderr, at) {
		tr.Errorf("%s: %v", tampering, ended)
	}
	return true
}

// readFails has one read of each thread fail. A daemon that cannot read what it has
// does not start, and says why; later it may answer a question with an error, or its
// store has failed. What it has accepted is there at the next start in any case.
func readFails(t *testing.T, program string) {
	t.Helper()
	random := rand.New(rand.NewPCG(*seed, 8))
	noticed := 0
	for i := range effort(10) {
		n := 1 // the first time, which comes for sure
		if i > 0 {
			n += random.IntN(100)
		}
		tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
		tr.fillStore()
		tampering := fmt.Sprintf("error=EIO:when=%d", n)
		d, err := tr.try(append(strace(t, "pread64", tampering),
			"-P", filepath.Join(tr.dir, "queue.db"), "-P", filepath.Join(tr.dir, "queue.db-wal")))
		switch {
		case tr.refused(err, tampering, "start agent"): // where it opens the store, or counts what is in it
			noticed++
		case err != nil:
			t.Fatal(err)
		case tr.reading(d):
			noticed++
		}
		tr.finish()
	}
	if noticed == 0 {
		t.Error("no read has failed: the trial says nothing")
	}
	t.Logf("%d of %d daemons have noticed", noticed, effort(10))
}

// reading sends to a daemon and lists what it has, and reports whether a read has
// failed.
func (tr *trial) reading(d *verify.Daemon) (failed bool) {
	tr.Helper()
	tr.send(d, func() {
		goal := tr.history.Accepted() + 100
		await(tr.T, "letters are accepted, or the store has failed", func() bool {
			_, err := d.Client.List(tr.Context(), client.ListQuery{})
			failed = failed || err != nil || d.Client.Ready(tr.Context()) != nil
			return failed || tr.history.Accepted() >= goal
		})
	})
	tr.crash(d)
	return failed
}

// checkpointFails has every fsync of the database itself fail, in which SQLite puts
// the write-ahead log from time to time: that is no less the end than one of the
// log's own.
func checkpointFails(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	tr.fillStore()
	calls := strace(t, "fsync,fdatasync", "error=EIO")
	d := tr.start(append(calls, "-P", filepath.Join(tr.dir, "queue.db")))
	tr.failing(d, "every fsync of queue.db")
	tr.finish()
}

// failing sends to a daemon until its disk has failed.
func (tr *trial) failing(d *verify.Daemon, tampering string) {
	tr.Helper()
	tr.send(d, func() {
		await(tr.T, "the daemon is not ready any more", func() bool { return d.Client.Ready(tr.Context()) != nil })
	})
	before := tr.history.Accepted()
	if err := d.Client.Ready(tr.Context()); err == nil || !strings.Contains(reason(tr, d), "store has failed") {
		tr.Errorf("%s: /readyz says %v, %q", tampering, err, reason(tr, d))
	}
	if status := refusal(tr.T, d); status != http.StatusServiceUnavailable {
		tr.Errorf("%s: a message is answered %d, want 503", tampering, status)
	}
	tr.send(d, func() {
		refused := tr.load.Refused()
		await(tr.T, "messages are refused", func() bool { return tr.load.Refused() > refused+20 })
	})
	if after := tr.history.Accepted(); after != before {
		tr.Errorf("%s: %d messages were accepted after that", tampering, after-before)
	}
	tr.crash(d)
}

// reason is what /readyz says.
func reason(tr *trial, d *verify.Daemon) string {
	tr.Helper()
	request, err := http.NewRequestWithContext(tr.Context(), http.MethodGet, d.URL+"/readyz", http.NoBody)
	if err != nil {
		tr.Fatal(err)
	}
	transport := &http.Transport{DisableKeepAlives: true}
	response, err := transport.RoundTrip(request)
	if err != nil {
		tr.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text := make([]byte, 1000)
	n, _ := response.Body.Read(text)
	return string(text[:n])
}

// diskFullForAWhile has some writes find no room: what is sent meanwhile is
// refused, and nothing is lost.
func diskFullForAWhile(t *testing.T, program string) {
	t.Helper()
	for range effort(5) {
		tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
		d := tr.start(nil) // makes the store
		if err := d.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		d = tr.start(strace(t, "pwrite64", "error=ENOSPC:when=60"))
		tr.send(d, func() {
			await(t, "messages are refused", func() bool { return tr.load.Refused() > 0 })
			accepted := tr.history.Accepted()
			await(t, "messages are accepted again", func() bool { return tr.history.Accepted() > accepted+50 })
		})
		tr.drain(d)
		tr.crash(d) // strace would keep the signal to stop from it
		if r := tr.finish(); r.Duplicates != 0 {
			t.Errorf("%d arrived twice", r.Duplicates)
		}
	}
}

// diskFullUntilRoomIsMade fills a file system up, and makes room again.
func diskFullUntilRoomIsMade(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 2000})
	disk := newSmallDisk(tr, 48)
	d := tr.start(disk.enter)
	tr.accept(d, 500)
	disk.fill()
	tr.send(d, func() {
		await(t, "a message is refused", func() bool { return refusal(t, d) == http.StatusInsufficientStorage })
	})
	if text := reason(tr, d); !strings.Contains(text, "store is full") {
		t.Errorf("/readyz says %s", text)
	}
	tr.drain(d) // deliveries go on
	if status := refusal(t, d); status != http.StatusInsufficientStorage {
		t.Errorf("after all was delivered, and there is still no room: status %d", status)
	}
	disk.makeRoom()
	await(t, "messages are accepted again", func() bool { return refusal(t, d) == 0 })
	tr.accept(d, 500)
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.judge()
}

// diskFullWithBacklog fills a file system up while more waits than memory has, and
// than has been copied out of the log: it is delivered, once, and recorded, with no
// room but what was kept.
func diskFullWithBacklog(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	disk := newSmallDisk(tr, 64)
	d := tr.start(disk.enter)
	resume := tr.backlog(d, 20_000)
	disk.fill()
	resume()
	tr.drain(d)
	disk.makeRoom()
	await(t, "messages are accepted again", func() bool { return refusal(t, d) == 0 })
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if r := tr.judge(); r.Duplicates != 0 {
		t.Errorf("%d arrived twice", r.Duplicates)
	}
}

// startOnAFullDisk kills a daemon, and leaves no room for the next one, which has to
// write before it can deliver what the first has accepted.
func startOnAFullDisk(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	disk := newSmallDisk(tr, 48)
	d := tr.start(disk.enter)
	tr.backlog(d, 5000)
	tr.crash(d)
	disk.fill()
	d = tr.start(disk.enter)
	if text := reason(tr, d); !strings.Contains(text, "store is full") {
		t.Errorf("/readyz says %s", text)
	}
	tr.resumeAll(d)
	tr.drain(d)
	disk.makeRoom()
	await(t, "messages are accepted again", func() bool { return refusal(t, d) == 0 })
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.judge()
}

// backlog has a daemon accept letters for a receiver that is paused. What it returns
// has them delivered.
func (tr *trial) backlog(d *verify.Daemon, n int) (resume func()) {
	tr.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		payload, _ := io.ReadAll(r.Body) // what is cut short is not intact
		name, intact := verify.ReadPayload(payload)
		_, after, _ := strings.Cut(r.UserAgent(), "/")
		life, err := strconv.Atoi(after)
		tr.history.Receive(verify.Receipt{Name: name, ID: r.Header.Get("Message-Id"), Life: life, OK: true, Intact: intact && err == nil})
	}))
	tr.Cleanup(server.Close)
	if _, err := d.Client.Pause(tr.Context(), agent.PauseRequest{Destination: server.URL + "/"}); err != nil {
		tr.Fatal(err)
	}
	for sent := 0; sent < n; {
		var lines bytes.Buffer
		var names []string
		for range min(1000, n-sent) {
			name := fmt.Sprintf("backlog-%d", sent)
			tr.history.Send(verify.Letter{Name: name})
			line, err := json.Marshal(agent.SendRequest{Endpoint: server.URL + "/", PayloadBase64: verify.Payload(name, 600)})
			if err != nil {
				tr.Fatal(err)
			}
			lines.Write(append(line, '\n'))
			names = append(names, name)
			sent++
		}
		accepted, err := d.Client.SendBatch(tr.Context(), &lines)
		if err != nil {
			tr.Fatal(err)
		}
		for i := range accepted {
			tr.history.Accept(names[i], accepted[i].ID.String())
		}
	}
	return func() { tr.resumeAll(d) }
}

// resumeAll has what is paused delivered again.
func (tr *trial) resumeAll(d *verify.Daemon) {
	tr.Helper()
	destinations, err := d.Client.Destinations(tr.Context())
	if err != nil {
		tr.Fatal(err)
	}
	for _, at := range destinations {
		if _, err := d.Client.Resume(tr.Context(), at.Profile, at.Destination); err != nil {
			tr.Fatal(err)
		}
	}
}

// smallDisk is a file system of its own for a trial's queue. It is there for those
// who enter it, and goes with the trial.
type smallDisk struct {
	*trial
	enter  []string // the words that have a program enter it
	filler string
}

// newSmallDisk makes one of so many MiB.
func newSmallDisk(tr *trial, size int) *smallDisk {
	tr.Helper()
	unshare, err := exec.LookPath("unshare")
	nsenter, enterErr := exec.LookPath("nsenter")
	if err != nil || enterErr != nil || os.Geteuid() != 0 {
		ci.Missing(tr.T, "a small file system needs root, unshare and nsenter")
	}
	disk := filepath.Dir(tr.dir)
	holder := exec.Command(unshare, "--mount", "sh", "-c", `mount -t tmpfs -o "size=$1m" none "$0" && echo mounted && exec cat`, disk, strconv.Itoa(size))
	stdin, err := holder.StdinPipe() // cat, and with it the mount, ends when it is closed
	if err != nil {
		tr.Fatal(err)
	}
	stdout, err := holder.StdoutPipe()
	if err != nil {
		tr.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		tr.Fatal(err)
	}
	tr.Cleanup(func() {
		_ = stdin.Close()
		_ = holder.Wait() // what it says is known
	})
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "mounted\n" {
		ci.Missing(tr.T, "a small file system needs a mount namespace: %q, %v", line, err)
	}
	root := fmt.Sprintf("/proc/%d/root%s", holder.Process.Pid, disk) // sh and cat have replaced unshare
	return &smallDisk{tr, []string{nsenter, fmt.Sprintf("--mount=/proc/%d/ns/mnt", holder.Process.Pid)}, filepath.Join(root, "filler")}
}

// fill writes a file until there is no room.
func (s *smallDisk) fill() {
	s.Helper()
	file, err := os.Create(s.filler)
	if err != nil {
		s.Fatal(err)
	}
	for block := make([]byte, 64<<10); len(block) > 0; block = block[:len(block)/2] {
		for err = nil; err == nil; {
			_, err = file.Write(block)
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		s.Fatal(err)
	}
	_ = file.Close() // it is full
}

// makeRoom takes the file away.
func (s *smallDisk) makeRoom() {
	s.Helper()
	if err := os.Remove(s.filler); err != nil {
		s.Fatal(err)
	}
}

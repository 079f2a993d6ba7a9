//go:build unix

package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
		tr.crash(d) // an outcome that found no room twice would wait for the end of its lease
		tr.finish()
	}
}

// diskFullUntilRoomIsMade fills a file system up, and makes room again.
func diskFullUntilRoomIsMade(t *testing.T, program string) {
	t.Helper()
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Geteuid() != 0 {
		ci.Missing(t, "a small file system needs root, and unshare")
	}
	if out, err := exec.CommandContext(t.Context(), unshare, "--mount", "true").CombinedOutput(); err != nil {
		ci.Missing(t, "a small file system needs a mount namespace: %v: %s", err, out)
	}
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 2000})
	disk := filepath.Dir(tr.dir)
	d := tr.start([]string{unshare, "--mount", "sh", "-c", `mount -t tmpfs -o size=48m none "$0" && exec "$@"`, disk})
	inside := fmt.Sprintf("/proc/%d/root%s", d.Pid(), disk) // sh and the program have replaced unshare
	tr.accept(d, 500)
	if err := fill(filepath.Join(inside, "filler")); err != nil {
		t.Fatal(err)
	}
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
	if err := os.Remove(filepath.Join(inside, "filler")); err != nil {
		t.Fatal(err)
	}
	await(t, "messages are accepted again", func() bool { return refusal(t, d) == 0 })
	tr.accept(d, 500)
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil { // its disk goes with it
		t.Error(err)
	}
	tr.judge()
}

// fill writes a file until there is no room.
func fill(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	block := make([]byte, 64<<10)
	for err == nil {
		_, err = file.Write(block)
	}
	return file.Close()
}

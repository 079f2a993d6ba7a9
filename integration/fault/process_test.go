//go:build unix

package fault

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/verify"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// stopInTheMiddle stops daemons as an operator does: each ends with 0, and the
// next delivers the rest. Nothing arrives twice.
func stopInTheMiddle(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	for range effort(20) {
		d := tr.start(nil)
		tr.send(d, func() {
			goal := tr.history.Accepted() + 50
			await(t, "letters are accepted", func() bool { return tr.history.Accepted() >= goal })
			if err := d.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	if r := tr.finish(); r.Duplicates != 0 {
		t.Errorf("%d arrived twice", r.Duplicates)
	}
}

// secondSignal ends a daemon that drains, and would go on for long, at once.
func secondSignal(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	d := tr.start(nil)
	tr.accept(d, 50)
	peer := silentPeer(t)
	post(t, d, agent.SendRequest{Endpoint: peer.url})
	await(t, "the peer is reached", func() bool { return peer.reached.Load() > 0 })
	if err := d.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	await(t, "it drains", func() bool { return d.Client.Ready(t.Context()) != nil })
	await(t, "it ends: what comes too soon after the first signal counts as that", func() bool {
		select {
		case <-d.Exited():
			return true
		default:
			_ = d.Signal(syscall.SIGTERM) // it may have ended just now
			return false
		}
	})
	tr.crash(d)
	if code := d.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	d = tr.start(nil)
	await(t, "the rest is delivered", func() bool { return tr.history.Open() == 0 })
	if err := verify.Ends(t.Context(), d.Client, tr.history); err != nil {
		t.Error(err)
	}
	tr.crash(d) // the silent peer's message waits for ever
	tr.judgeOpen()
}

// judgeOpen is judge where something may wait that is no letter.
func (tr *trial) judgeOpen() {
	tr.Helper()
	r := tr.history.Check()
	if err := r.Err(); err != nil {
		tr.Errorf("%v\n%+v", err, r.Faults)
	}
}

func twoProcesses(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	d := tr.start(nil)
	tr.accept(d, 50)
	_, err := tr.try(nil)
	if ended := (*verify.ExitError)(nil); !errors.As(err, &ended) || ended.Code != 5 {
		t.Errorf("a second process: %v, want exit code 5", err)
	}
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.finish()
}

// post sends one message and returns its id.
func post(t *testing.T, d *verify.Daemon, request agent.SendRequest) transport.ID {
	t.Helper()
	text := "hello"
	request.Payload = &text
	accepted, err := d.Client.Send(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return accepted.ID
}

// attempts are those made for a message so far.
func attempts(t *testing.T, d *verify.Daemon, id transport.ID) []agent.AttemptView {
	t.Helper()
	message, err := d.Client.Get(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	return message.Attempts
}

// delivered reports whether a message was.
func delivered(t *testing.T, d *verify.Daemon, id transport.ID) bool {
	t.Helper()
	message, err := d.Client.Get(t.Context(), id, false)
	if err != nil {
		t.Fatal(err)
	}
	return message.Result == queue.Delivered
}

// shortAttempts has attempts given up soon.
const shortAttempts = "OUTRIDER_ATTEMPT_TIMEOUT=300ms"

// receiverStandsStill stops a receiver without closing anything: the kernel takes
// connections for it, and nobody answers. Others are served, and it gets what is
// its own when it goes on.
func receiverStandsStill(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	d := tr.start(nil, shortAttempts)
	receiver, url := listen(t, program)
	first := post(t, d, agent.SendRequest{Endpoint: url})
	await(t, "it is delivered", func() bool { return delivered(t, d, first) })
	if err := receiver.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := post(t, d, agent.SendRequest{Endpoint: url})
	tr.accept(d, 200)
	await(t, "it is attempted twice", func() bool { return len(attempts(t, d, second)) >= 2 })
	await(t, "all others are delivered", func() bool { return tr.history.Open() == 0 })
	if got := attempts(t, d, second)[0]; got.Class != transport.Unknown {
		t.Errorf("the first attempt: %+v, want the class unknown", got)
	}
	if err := receiver.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	await(t, "it is delivered when the receiver goes on", func() bool { return delivered(t, d, second) })
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.finish()
}

// listen starts a receiver in a process of its own.
func listen(t *testing.T, program string) (*exec.Cmd, string) {
	t.Helper()
	command := exec.CommandContext(context.WithoutCancel(t.Context()), program, "listen", "--json", "http://127.0.0.1:0")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	var ready struct {
		Listening []string `json:"listening"`
	}
	line, err := bufio.NewReader(stderr).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &ready) != nil || len(ready.Listening) != 1 {
		t.Fatalf("listen: %q, %v", line, err)
	}
	return command, ready.Listening[0]
}

// peer takes connections.
type peer struct {
	url     string
	reached atomic.Int64
}

// silentPeer takes connections and never answers.
func silentPeer(t *testing.T) *peer {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{url: "http://" + listener.Addr().String() + "/"}
	done := make(chan struct{})
	go func() {
		defer close(done)
		var held []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			p.reached.Add(1)
			held = append(held, conn)
		}
		for _, conn := range held {
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
	})
	return p
}

// peerNeverAnswers has attempts end by their deadline, and others served.
func peerNeverAnswers(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	d := tr.start(nil, shortAttempts)
	id := post(t, d, agent.SendRequest{Endpoint: silentPeer(t).url, Retry: "attempts=3,base=10ms"})
	tr.accept(d, 200)
	await(t, "it is given up", func() bool { return len(attempts(t, d, id)) == 3 })
	for _, attempt := range attempts(t, d, id) {
		if attempt.Class != transport.Unknown || attempt.DurationMS < 200 || attempt.DurationMS > 2000 {
			t.Errorf("attempt %+v: want unknown, after about 300 ms", attempt)
		}
	}
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.finish()
}

// peerResets breaks answers off: the message comes again, with the same id.
func peerResets(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{})
	d := tr.start(nil)
	ids := make(chan string, 2)
	var count atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ids <- r.Header.Get("Message-Id")
		if count.Add(1) > 1 {
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 O"))
		_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
		_ = conn.Close()
	}))
	defer server.Close()
	id := post(t, d, agent.SendRequest{Endpoint: server.URL})
	tr.accept(d, 50)
	await(t, "it is delivered", func() bool { return delivered(t, d, id) })
	if all := attempts(t, d, id); len(all) != 2 || all[0].Class != transport.Unknown || all[1].Class != transport.Success {
		t.Errorf("attempts %+v", all)
	}
	if first, second := <-ids, <-ids; first != id.String() || second != first {
		t.Errorf("it came as %s and %s, want %s twice", first, second, id)
	}
	tr.drain(d)
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.finish()
}

// noDescriptors leaves a daemon too few file descriptors for its senders, and for the
// connections to receivers that it would keep.
func noDescriptors(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{Senders: 40, MaxOpen: 2000})
	d := tr.start([]string{"sh", "-c", `ulimit -n 22 && exec "$0" "$@"`}, "OUTRIDER_LOG_LEVEL=warn")
	tr.accept(d, 100+effort(200))
	d.Client.Close()                                                            // or the senders' idle connections keep the receivers' out
	await(t, "all is delivered", func() bool { return tr.history.Open() == 0 }) // the API may be out of reach yet
	if !strings.Contains(d.Stderr(), "too many open files") {
		t.Errorf("it had descriptors enough: %s", d.Stderr())
	}
	if err := d.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	tr.finish()
}

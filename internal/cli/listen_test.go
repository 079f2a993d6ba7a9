package cli

import (
	"errors"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/receiver"
)

// startListen starts a listener and returns where it listens.
func startListen(t *testing.T, args ...string) (*process, []string) {
	t.Helper()
	p := shell{}.start(t, append([]string{"listen", "--json"}, args...)...)
	var ready struct {
		Listening []string `json:"listening"`
	}
	readJSON(t, p.firstError(t), &ready)
	return p, ready.Listening
}

func TestListen(t *testing.T) {
	t.Parallel()
	p, urls := startListen(t, "http://127.0.0.1:0", "http://127.0.0.1:0", "--fail-first", "1", "--count", "3")
	if len(urls) != 2 || urls[0] == urls[1] {
		t.Fatalf("listening: got %q, want two URLs", urls)
	}
	sh := shell{}
	sh.want(t, ExitOK, "send", urls[0]+"orders?a=b", "-d", `{"n":1}`, "--allow-private", "-H", "x-kind: order", "--retry", "attempts=2,base=1ms")
	sh.want(t, ExitNotDelivered, "send", urls[1], "-d", "text", "--allow-private", "--retry", "none")
	<-p.done
	if p.code != ExitOK {
		t.Errorf("exit code: got %d, want 0; stderr: %s", p.code, p.errors())
	}
	var got []receiver.Received
	for line := range p.lines {
		var message receiver.Received
		readJSON(t, line, &message)
		got = append(got, message)
	}
	if len(got) != 3 {
		t.Fatalf("got %d messages, want 3", len(got))
	}
	first := got[1]
	if string(first.Payload) != `{"n":1}` || first.Path != "/orders" || first.Scheme != "http" || first.Headers["X-Kind"] != "order" || first.ReceivedAt.IsZero() {
		t.Errorf("message: got %+v", first)
	}
}

func TestListenAnswers(t *testing.T) {
	t.Parallel()
	p, urls := startListen(t, "http://127.0.0.1:0", "--status", "429", "--retry-after", "7", "--delay", "1ms")
	got := shell{}.want(t, ExitNotDelivered, "send", urls[0], "-d", "x", "--allow-private", "--retry", "none")
	if !strings.Contains(got.stderr, "429") {
		t.Errorf("stderr: got %q, want the answer", got.stderr)
	}
	if code := p.stop(); code != ExitOK {
		t.Errorf("exit code: got %d, want 0", code)
	}
}

func TestListenSaysWhere(t *testing.T) {
	t.Parallel()
	p := shell{}.start(t, "listen", "http://127.0.0.1:0/inbox")
	want := regexp.MustCompile(`^outrider: listening on http://127\.0\.0\.1:[1-9][0-9]*/\n$`)
	if line := p.firstError(t); !want.MatchString(line) {
		t.Errorf("stderr: got %q", line)
	}
}

func TestListenFails(t *testing.T) {
	t.Parallel()
	_, urls := startListen(t, "http://127.0.0.1:0")
	// The first URL is fine, and must be given up with the second.
	got := shell{}.want(t, ExitFailure, "listen", "http://127.0.0.1:0", urls[0])
	if !strings.Contains(got.stderr, "address already in use") {
		t.Errorf("stderr: got %q, want the reason", got.stderr)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("nobody reads this") }

// A listener whose output nobody reads would take messages and lose them.
func TestListenStopsWhenNobodyReads(t *testing.T) {
	t.Parallel()
	stopped := false
	log := &arrivals{console: newConsole(nil, brokenWriter{}, io.Discard, nil), full: func() { stopped = true }}
	if err := log.add(receiver.Received{}); err == nil || !stopped || log.fault() == nil {
		t.Errorf("stopped: %v, error: %v; want both", stopped, log.fault())
	}
}

package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/internal/receiver"
)

// shell runs commands as a user does.
type shell struct {
	env   []string
	stdin string
}

// result is what a command left behind.
type result struct {
	code           int
	stdout, stderr string
}

func (s shell) run(t *testing.T, args ...string) result {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Main(t.Context(), args, strings.NewReader(s.stdin), &stdout, &stderr, s.env)
	return result{code, stdout.String(), stderr.String()}
}

// with returns a shell with more variables.
func (s shell) with(variables ...string) shell {
	s.env = append(append([]string{}, s.env...), variables...)
	return s
}

// want runs a command that is to end with a code, and returns its output.
func (s shell) want(t *testing.T, code int, args ...string) result {
	t.Helper()
	got := s.run(t, args...)
	if got.code != code {
		t.Fatalf("outrider %s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got.code, code, got.stdout, got.stderr)
	}
	return got
}

// json runs a command and reads the object that it prints.
func (s shell) json(t *testing.T, code int, into any, args ...string) {
	t.Helper()
	got := s.want(t, code, append(args, "--json")...)
	readJSON(t, got.stdout, into)
}

func readJSON(t *testing.T, text string, into any) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	if err := decoder.Decode(into); err != nil {
		t.Fatalf("output is not JSON: %v\n%s", err, text)
	}
	if decoder.More() {
		t.Errorf("output is more than one object:\n%s", text)
	}
}

// process is a command that goes on until it is stopped.
type process struct {
	lines  chan string // of stdout
	cancel context.CancelFunc
	done   chan struct{}
	code   int // after done

	wrote  sync.Once
	first  chan struct{} // closed after the first write to stderr
	mu     sync.Mutex
	stderr bytes.Buffer
}

// Write takes stderr.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer p.wrote.Do(func() { close(p.first) })
	return p.stderr.Write(text)
}

// firstError waits for stderr and returns what is on it.
func (p *process) firstError(t *testing.T) string {
	t.Helper()
	select {
	case <-p.first:
	case <-p.done:
	}
	return p.errors()
}

func (p *process) errors() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// start runs a command beside the test, which ends it at the latest.
func (s shell) start(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // ends after the test's own context
	reader, writer := io.Pipe()
	p := &process{lines: make(chan string, 1000), cancel: cancel, done: make(chan struct{}), first: make(chan struct{})}
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(p.lines)
		scanner := bufio.NewScanner(reader)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			p.lines <- scanner.Text()
		}
	})
	go func() {
		defer close(p.done)
		p.code = Main(ctx, args, strings.NewReader(s.stdin), writer, p, s.env)
		_ = writer.Close()
		reading.Wait()
	}()
	t.Cleanup(func() { p.stop() })
	return p
}

// stop ends the command as a first signal does, and returns its exit code.
func (p *process) stop() int {
	p.cancel()
	<-p.done
	return p.code
}

// line returns the next line of stdout.
func (p *process) line(t *testing.T) string {
	t.Helper()
	select {
	case line, open := <-p.lines:
		if !open {
			t.Fatalf("no more lines on stdout; stderr: %s", p.errors())
		}
		return line
	case <-t.Context().Done():
		t.Fatal("no line on stdout")
	}
	return ""
}

// startDaemon returns a shell whose commands talk to a daemon of their own.
func startDaemon(t *testing.T, flags ...string) (shell, *process) {
	t.Helper()
	args := append([]string{"serve", "--api", "127.0.0.1:0", "--dir", filepath.Join(t.TempDir(), "queue"), "--allow-private", "--log-level", "error", "--json"}, flags...)
	p := shell{}.start(t, args...)
	var ready struct {
		Ready   bool     `json:"ready"`
		API     string   `json:"api"`
		Schemes []string `json:"schemes"`
	}
	readJSON(t, p.line(t), &ready)
	if !ready.Ready || ready.API == "" || len(ready.Schemes) == 0 {
		t.Fatalf("ready: got %+v", ready)
	}
	return shell{env: []string{"OUTRIDER_SERVER=" + ready.API}}, p
}

// inbox is a receiver that keeps what came.
type inbox struct {
	url string

	mu  sync.Mutex
	got []receiver.Received
}

func (i *inbox) received() []receiver.Received {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]receiver.Received{}, i.got...)
}

func openInbox(t *testing.T, options receiver.Options) *inbox {
	t.Helper()
	box := &inbox{}
	options.Sink = func(message receiver.Received) {
		box.mu.Lock()
		defer box.mu.Unlock()
		box.got = append(box.got, message)
	}
	r, err := receiver.New(options)
	if err != nil {
		t.Fatal(err)
	}
	server, err := r.Listen(t.Context(), "http://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait) //nolint:usetesting // the test's own has ended
		defer cancel()
		if err := server.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	box.url = server.URL() + "/inbox"
	return box
}

// closedPort returns an endpoint at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	address, err := freeAddress(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + address + "/inbox"
}

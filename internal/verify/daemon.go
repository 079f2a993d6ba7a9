package verify

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/transport"
)

const (
	// Workers is how many attempts a daemon makes at once.
	Workers = 32
	// InFlight is how many messages a daemon may have in flight: those that are
	// attempted, those whose outcomes are being written, and those whose outcomes
	// wait for that. Of each there are as many as workers.
	InFlight = 3 * Workers
)

// maxStderr is how much of a daemon's log is kept, in bytes: the last of it.
const maxStderr = 16 << 10

// DaemonOptions say how to run a daemon.
type DaemonOptions struct {
	// Program is the program and the arguments before "serve". Required.
	Program []string
	// Dir is where the queue is. Required.
	Dir string
	// Life is the number that the daemon tells in its User-Agent.
	Life int
	// Env are variables of its configuration beside those that a trial needs.
	Env []string
}

// Daemon is a running "outrider serve". It runs two goroutines, which end with the
// process.
type Daemon struct {
	// Client talks to it.
	Client *client.Client
	// URL is where its API is.
	URL string
	// Opened is how long it took to be ready.
	Opened time.Duration

	command *exec.Cmd
	stderr  tail
	done    chan struct{} // closed when the process has ended
}

// StartDaemon starts a daemon and waits until it is ready. The end of ctx ends the
// waiting, and with it the process; later it does nothing. The error of one that
// ended by itself repeats its last words.
func StartDaemon(ctx context.Context, o DaemonOptions) (*Daemon, error) {
	token := rand.Text()
	args := append(append([]string{}, o.Program[1:]...), "serve", "--json")
	d := &Daemon{done: make(chan struct{})}
	d.command = exec.CommandContext(context.WithoutCancel(ctx), o.Program[0], args...) //nolint:gosec // the caller's program
	d.command.Env = append(environment(os.Environ()), append([]string{
		"OUTRIDER_DIR=" + o.Dir, "OUTRIDER_API_LISTEN=127.0.0.1:0", "OUTRIDER_API_TOKEN=" + token,
		"OUTRIDER_HTTP_USER_AGENT=" + agentPrefix + strconv.Itoa(o.Life), "OUTRIDER_HTTP_MESSAGE_ID_HEADER=" + idHeader,
		"OUTRIDER_WORKERS=" + strconv.Itoa(Workers), "OUTRIDER_LOG_LEVEL=error", "OUTRIDER_ALLOW_PRIVATE=true",
		"OUTRIDER_RETRY=attempts=1000000,base=10ms,factor=1.5,max=200ms",
		"OUTRIDER_BREAKER_DISABLED=true", // it would save a receiver that always fails what is to be tried here
		"OUTRIDER_RETAIN_DELIVERED_COUNT=1000", "OUTRIDER_RETAIN_DEAD_COUNT=0", "OUTRIDER_RETAIN_DEAD_BYTES=0",
	}, o.Env...)...)
	d.command.Stderr = &d.stderr
	ownGroup(d.command)
	stdout, err := d.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := d.command.Start(); err != nil {
		return nil, err
	}
	first := make(chan string, 1)
	go d.follow(stdout, first)
	select {
	case line := <-first:
		d.Opened = time.Since(began)
		err = d.connect(line, transport.NewSecret(token))
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err != nil {
		return nil, errors.Join(err, d.Kill())
	}
	return d, nil
}

// environment leaves out what configures an agent: a trial is held with the same
// configuration everywhere.
func environment(all []string) []string {
	var kept []string
	for _, variable := range all {
		if !strings.HasPrefix(variable, agent.EnvPrefix) {
			kept = append(kept, variable)
		}
	}
	return kept
}

// follow hands over the first line of stdout, reads the others and waits for the
// end.
func (d *Daemon) follow(stdout io.Reader, first chan<- string) {
	defer close(d.done)
	defer close(first)
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	if err == nil {
		first <- line
		_, _ = io.Copy(io.Discard, lines) // until the end, whatever it is
	}
	_ = d.command.Wait() // an exit code is an error, and is asked for later
}

// connect reads the line that says that the daemon is ready.
func (d *Daemon) connect(line string, token transport.Secret) error {
	var ready struct {
		API string `json:"api"`
	}
	if line == "" {
		<-d.done
		return fmt.Errorf("the daemon did not start: %w", &ExitError{d.ExitCode(), d.Stderr()})
	}
	if err := json.Unmarshal([]byte(line), &ready); err != nil {
		return fmt.Errorf("the daemon said %q when it was to be ready: %w", line, err)
	}
	var err error
	d.URL = ready.API
	d.Client, err = client.New(ready.API, token)
	return err
}

// ExitError is the end of a daemon that was not asked to end.
type ExitError struct {
	Code   int    // -1: by a signal
	Stderr string // its last words
}

func (e *ExitError) Error() string {
	return fmt.Sprintf("it ended with exit code %d: %s", e.Code, e.Stderr)
}

// Exited is closed when the process has ended.
func (d *Daemon) Exited() <-chan struct{} { return d.done }

// ExitCode is the exit code of a process that has ended; -1 is the end by a signal.
func (d *Daemon) ExitCode() int { return d.command.ProcessState.ExitCode() }

// Pid is the process's number: that of the first program, where there are several.
func (d *Daemon) Pid() int { return d.command.Process.Pid }

// Stderr returns the end of what the daemon has said there.
func (d *Daemon) Stderr() string { return strings.TrimSpace(d.stderr.String()) }

// Kill ends the process at once, waits for its end, and may be called again.
func (d *Daemon) Kill() error {
	select {
	case <-d.done: // its number may be another's
	default:
		if err := killGroup(d.command.Process); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return errors.Join(err, d.command.Process.Kill())
		}
		<-d.done
	}
	if d.Client != nil {
		d.Client.Close()
	}
	return nil
}

// Stop asks the process to end, and waits until it has. An exit code but 0 is an
// error. When ctx ends first, it is killed.
func (d *Daemon) Stop(ctx context.Context) error {
	if err := d.Signal(stopSignal); err != nil {
		return errors.Join(err, d.Kill())
	}
	select {
	case <-d.done:
		d.Client.Close()
	case <-ctx.Done():
		return errors.Join(ctx.Err(), d.Kill())
	}
	if code := d.ExitCode(); code != 0 {
		return &ExitError{code, d.Stderr()}
	}
	return nil
}

// Signal sends a signal to the first program.
func (d *Daemon) Signal(signal os.Signal) error { return d.command.Process.Signal(signal) }

// tail keeps the end of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

// Write implements [io.Writer].
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - maxStderr; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

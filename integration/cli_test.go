package integration

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
)

// build makes the binary and returns its path.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "outrider")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../cmd/outrider").CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// daemon is a running "outrider serve".
type daemon struct {
	command *exec.Cmd
	url     string
	lines   *bufio.Scanner // of stdout
	stderr  *bytes.Buffer  // to be read after wait
}

// serve starts a daemon on a free port and waits until it is ready.
func serve(t *testing.T, binary string, flags ...string) *daemon {
	t.Helper()
	args := append([]string{"serve", "--api", "127.0.0.1:0", "--dir", filepath.Join(t.TempDir(), "queue"), "--allow-private", "--log-level", "error", "--json"}, flags...)
	d := &daemon{command: exec.CommandContext(context.WithoutCancel(t.Context()), binary, args...), stderr: &bytes.Buffer{}}
	d.command.Stderr = d.stderr
	d.command.Env = []string{}
	stdout, err := d.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if d.command.ProcessState == nil {
			_ = d.command.Process.Kill()
			_ = d.command.Wait()
		}
	})
	d.lines = bufio.NewScanner(stdout)
	var ready struct {
		API string `json:"api"`
	}
	if err := json.Unmarshal([]byte(d.line(t)), &ready); err != nil || ready.API == "" {
		t.Fatalf("ready line: %v, %+v", err, ready)
	}
	d.url = ready.API
	return d
}

// line returns the next line of stdout, or "" at its end.
func (d *daemon) line(t *testing.T) string {
	t.Helper()
	if !d.lines.Scan() {
		if err := d.lines.Err(); err != nil {
			t.Fatal(err)
		}
		return ""
	}
	return d.lines.Text()
}

func (d *daemon) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := d.command.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// insist signals until the daemon has ended: what comes too soon after the first
// signal counts as that.
func (d *daemon) insist() {
	for d.command.Process.Signal(syscall.SIGTERM) == nil {
		<-time.After(50 * time.Millisecond)
	}
}

// wait returns the exit code.
func (d *daemon) wait(t *testing.T) int {
	t.Helper()
	for d.lines.Scan() {
	}
	_ = d.command.Wait() // an exit code is an error
	return d.command.ProcessState.ExitCode()
}

// do makes a request and returns the answer's status.
func (d *daemon) do(t *testing.T, method, path, body string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	request, err := http.NewRequestWithContext(t.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// send queues a message.
func (d *daemon) send(t *testing.T, endpoint string) {
	t.Helper()
	if status := d.do(t, http.MethodPost, "/v1/messages", `{"endpoint": "`+endpoint+`", "payload": "hello"}`); status != http.StatusAccepted {
		t.Fatalf("send: status %d", status)
	}
}

// waitRefusing waits until the daemon is no longer ready: a signal has arrived.
func (d *daemon) waitRefusing(t *testing.T) {
	t.Helper()
	for d.do(t, http.MethodGet, "/readyz", "") != http.StatusServiceUnavailable {
	}
}

// slowInbox answers a request only when it is let go.
type slowInbox struct {
	url    string
	begun  chan struct{} // receives when a request has come
	finish chan struct{} // closed to let requests go
}

func newSlowInbox(t *testing.T) *slowInbox {
	t.Helper()
	box := &slowInbox{begun: make(chan struct{}, 10), finish: make(chan struct{})}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // before that the server does not see the sender go
		box.begun <- struct{}{}
		select {
		case <-box.finish:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	box.url = server.URL
	return box
}

// What a test in the process cannot see: exit codes and signals.
func TestProgram(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no signals to send")
	}
	binary := build(t)
	for name, test := range map[string]func(*testing.T, string){
		"exit codes":                  exitCodes,
		"first signal drains":         func(t *testing.T, binary string) { firstSignalDrains(t, binary, syscall.SIGTERM) },
		"hang-up drains":              hangUpDrains,
		"drain has an end":            drainHasAnEnd,
		"second signal ends the rest": secondSignalEndsIt,
		"store commands and a daemon": storeAndDaemon,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, binary)
		})
	}
}

func exitCodes(t *testing.T, binary string) {
	t.Helper()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"version"}, 0, "outrider "},
		{[]string{"demo"}, 0, "all is as expected"},
		{[]string{"sned"}, 2, "did you mean send?"},
		{[]string{"list", "--server", "http://" + fakepeer.Nobody(t)}, 1, "outrider serve"},
	} {
		command := exec.CommandContext(t.Context(), binary, test.args...)
		command.Env = []string{}
		out, _ := command.CombinedOutput() // an exit code is an error
		if code := command.ProcessState.ExitCode(); code != test.code || !strings.Contains(string(out), test.want) {
			t.Errorf("outrider %s: exit code %d, want %d and %q:\n%s", strings.Join(test.args, " "), code, test.code, test.want, out)
		}
	}
}

func firstSignalDrains(t *testing.T, binary string, first syscall.Signal) {
	t.Helper()
	d, box := serve(t, binary), newSlowInbox(t)
	d.send(t, box.url)
	<-box.begun
	d.signal(t, first)
	d.waitRefusing(t) // it drains: the attempt is still under way
	close(box.finish)
	var end struct {
		Stopped bool `json:"stopped"`
		Left    struct {
			Messages int `json:"messages"`
		} `json:"left"`
	}
	if line := d.line(t); json.Unmarshal([]byte(line), &end) != nil || !end.Stopped || end.Left.Messages != 0 {
		t.Errorf("last line: got %q, want nothing left", line)
	}
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0; stderr: %s", code, d.stderr)
	}
}

// hangUpDrains, also where the tests were started so that a hang-up is ignored, which
// a process hands down unless it handles the signal.
func hangUpDrains(t *testing.T, binary string) {
	t.Helper()
	handled := make(chan os.Signal, 1)
	signal.Notify(handled, syscall.SIGHUP)
	defer signal.Stop(handled)
	firstSignalDrains(t, binary, syscall.SIGHUP)
}

func drainHasAnEnd(t *testing.T, binary string) {
	t.Helper()
	d, box := serve(t, binary, "--shutdown-timeout", "100ms"), newSlowInbox(t)
	d.send(t, box.url)
	<-box.begun
	d.signal(t, syscall.SIGTERM)
	if line := d.line(t); !strings.Contains(line, `"messages":1`) {
		t.Errorf("last line: got %q, want one message left", line)
	}
	if code := d.wait(t); code != 0 {
		t.Errorf("exit code: got %d, want 0; stderr: %s", code, d.stderr)
	}
}

func secondSignalEndsIt(t *testing.T, binary string) {
	t.Helper()
	d, box := serve(t, binary), newSlowInbox(t)
	d.send(t, box.url)
	<-box.begun
	d.signal(t, syscall.SIGTERM)
	d.waitRefusing(t)
	go d.insist()
	if code := d.wait(t); code != 1 || !strings.Contains(d.stderr.String(), "second signal") {
		t.Errorf("exit code: got %d, want 1; stderr: %s", code, d.stderr)
	}
}

// storeAndDaemon: while a daemon has its store, exit code 5 says so; after it was
// killed, the store is whole and has what was accepted.
func storeAndDaemon(t *testing.T, binary string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	d := serve(t, binary, "--dir", dir)
	d.send(t, "http://"+fakepeer.Nobody(t))
	run := func(code int, want string, args ...string) {
		t.Helper()
		command := exec.CommandContext(t.Context(), binary, append(args, "--dir", dir)...)
		command.Env = []string{}
		out, _ := command.CombinedOutput() // an exit code is an error
		if got := command.ProcessState.ExitCode(); got != code || !strings.Contains(string(out), want) {
			t.Errorf("outrider %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), got, code, want, out)
		}
	}
	run(5, "stop the daemon first", "store", "check")
	run(5, "stop the daemon first", "store", "compact")
	run(5, "locked", "serve", "--api", "off")
	run(0, "a process has it", "store", "info")
	run(0, `{"message":`, "store", "export")
	if err := d.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	d.wait(t)
	run(0, "not in use", "store", "info")
	run(0, "all is well", "store", "check")
	run(0, "compacted", "store", "compact")
	run(0, `{"message":`, "store", "export")
}

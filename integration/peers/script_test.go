//go:build unix

package peers

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/ci"
)

// pythonOfDebian has Debian's modules; another may come first in PATH.
const pythonOfDebian = "/usr/bin/python3"

// patience is how long a peer may be silent, on a busy machine.
const patience = 30 * time.Second

// needs skips a test whose peer is not there, and in CI fails it.
func needs(t *testing.T, files ...string) {
	t.Helper()
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			ci.Missing(t, "%s is missing: see .ci/run for its package", file)
		}
	}
}

// module is where Debian has a module of Python.
func module(name string) string {
	return "/usr/lib/python3/dist-packages/" + name + "/__init__.py"
}

// command is a command in a process group of its own, so that it can be ended with
// all that it started.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// killGroup ends a command and all that it started.
func killGroup(cmd *exec.Cmd) {
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may have ended by itself
	_ = cmd.Wait()
}

// script is a program of scripts that runs. It tells what happens in lines of
// JSON, and ends with its stdin.
type script struct {
	t      *testing.T
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	lines  *bufio.Scanner
	stderr bytes.Buffer
}

// startScript starts a script for a library. The test's end ends it.
func startScript(t *testing.T, name, library string, args ...string) *script {
	t.Helper()
	needs(t, pythonOfDebian, module(library))
	s := &script{t: t, name: name, cmd: command(t, pythonOfDebian, append([]string{filepath.Join("scripts", name), library}, args...)...)}
	s.cmd.Stderr = &s.stderr
	s.cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(out)
	t.Cleanup(func() {
		_ = s.stdin.Close()
		killGroup(s.cmd)
		if t.Failed() {
			t.Logf("%s %s said: %s", name, library, s.stderr.String())
		}
	})
	return s
}

// said is one line of a script.
type said struct {
	Port        int
	Text        *bool  // of a message that it got
	SHA256      string // the same
	Subprotocol string
	Echo        string // name of a message that came back
	Same        bool   // as it was sent
	Closed      int    // the close code

	Name, Type, Body, Key string // of a request: content type, body and key, or those of its answer
	Status                int
}

// next returns the script's next line.
func (s *script) next() (line said) {
	s.t.Helper()
	timer := time.AfterFunc(patience, func() { _ = s.stdin.Close() })
	defer timer.Stop()
	if !s.lines.Scan() {
		s.t.Fatalf("%s says nothing more: %v", s.name, s.lines.Err())
	}
	if err := json.Unmarshal(s.lines.Bytes(), &line); err != nil {
		s.t.Fatalf("%s said %q: %v", s.name, s.lines.Bytes(), err)
	}
	return line
}

//go:build unix

package brokers

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// kind is a peer that can be started.
type kind struct {
	name string
	// needs are files without which it does not run.
	needs []string
	// command is the peer itself; helper, if any, runs beside it and outlives its
	// restarts.
	command, helper func(p *process) *exec.Cmd
	// tls says that it does not answer a protocol header in the clear.
	tls bool
}

// process is a peer that runs, with a port and a folder of its own.
type process struct {
	t       *testing.T
	kind    kind
	port    int
	folder  string
	main    *child
	helpers []*child
}

// bootTimeout is for RabbitMQ on a busy machine, which takes 7 s on an idle one.
const bootTimeout = 90 * time.Second

// start starts a peer and waits until it answers. The test's end stops it.
func start(t *testing.T, k kind) *process {
	t.Helper()
	needs(t, k)
	p := &process{t: t, kind: k, port: freePort(t), folder: t.TempDir()}
	t.Cleanup(func() {
		p.main.end(syscall.SIGTERM)
		for _, helper := range p.helpers {
			helper.end(syscall.SIGTERM)
		}
		if t.Failed() {
			p.showLog()
		}
	})
	if k.helper != nil {
		p.helpers = append(p.helpers, run(t, k.helper(p), p.log("helper")))
	}
	p.restart()
	return p
}

// needs skips a test whose peer is not there, and in CI fails it.
func needs(t *testing.T, k kind) {
	t.Helper()
	for _, file := range k.needs {
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s needs %s: run make peers", k.name, file)
		}
		t.Skipf("%s needs %s: run make peers", k.name, file)
	}
}

// kill ends the peer at once, with all it has in memory.
func (p *process) kill() { p.main.end(syscall.SIGKILL) }

// restart starts the peer again, on the same port and with the same data.
func (p *process) restart() {
	p.t.Helper()
	p.main = run(p.t, p.kind.command(p), p.log("peer"))
	p.awaitReady()
}

func (p *process) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)) }

// awaitReady waits until the peer answers a protocol header.
func (p *process) awaitReady() {
	p.t.Helper()
	timeout := time.After(bootTimeout)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !p.answers() {
		select {
		case <-again.C:
		case <-p.main.exited:
			p.t.Fatalf("%s ended before it was ready", p.kind.name)
		case <-timeout:
			p.t.Fatalf("%s is not ready after %s", p.kind.name, bootTimeout)
		}
	}
}

func (p *process) answers() bool {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(p.t.Context(), "tcp", p.address())
	if err != nil {
		return false
	}
	defer conn.Close()
	if p.kind.tls {
		return true
	}
	header := []byte("AMQP\x03\x01\x00\x00") // SASL
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write(header); err != nil {
		return false
	}
	_, err = io.ReadFull(conn, header)
	return err == nil && bytes.HasPrefix(header, []byte("AMQP"))
}

func (p *process) log(name string) string { return filepath.Join(p.folder, name+".log") }

// showLog shows the end of what the peer said.
func (p *process) showLog() {
	text, err := os.ReadFile(p.log("peer"))
	if err == nil {
		p.t.Logf("%s said:\n%s", p.kind.name, text[max(0, len(text)-4000):])
	}
}

// child is a process of the operating system and those it started.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
}

// run starts a command in a process group of its own, so that it can be ended with
// all that it started. What it says is appended to the file.
func run(t *testing.T, cmd *exec.Cmd, file string) *child {
	t.Helper()
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() // the child has its own
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &child{cmd: cmd, exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		_ = cmd.Wait()
	}()
	return c
}

// end signals the group and waits for the child; after 10 s it kills.
func (c *child) end(signal syscall.Signal) {
	if c == nil {
		return
	}
	_ = syscall.Kill(-c.cmd.Process.Pid, signal)
	select {
	case <-c.exited:
	case <-time.After(10 * time.Second):
	}
	_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL) // and what it left behind
	<-c.exited
}

// command is a command that the test's end does not cancel: it is ended in order.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
}

// freePort returns a port of loopback that nobody has now.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

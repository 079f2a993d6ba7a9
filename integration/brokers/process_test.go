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
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/ci"
)

// kind is a peer that can be started.
type kind struct {
	name string
	// needs are files without which it does not run.
	needs []string
	// command is the peer itself; helper, if any, runs beside it on a port of its own,
	// and outlives its restarts.
	command, helper func(p *process) *exec.Cmd
	// tls says that it does not answer a protocol header in the clear.
	tls bool
}

// process is a peer that runs, with ports and a folder of its own. Only port is for
// clients.
type process struct {
	t                            *testing.T
	kind                         kind
	port, helperPort, insidePort int
	folder                       string
	main, helper                 *child
}

// bootTimeout is for RabbitMQ on a busy machine, which takes 7 s on an idle one.
const bootTimeout = 90 * time.Second

// start starts a peer and waits until it answers. The test's end stops it.
func start(t *testing.T, k kind) *process {
	t.Helper()
	needs(t, k)
	ports := freePorts(t, 3)
	p := &process{t: t, kind: k, port: ports[0], helperPort: ports[1], insidePort: ports[2], folder: t.TempDir()}
	t.Cleanup(func() {
		p.main.end(syscall.SIGTERM)
		p.helper.end(syscall.SIGTERM)
		if t.Failed() {
			p.showLog()
		}
	})
	if k.helper != nil {
		p.helper = run(t, k.helper(p), p.log("helper"))
		p.await(p.helper, func() bool { return p.listens(p.helperPort) })
	}
	p.restart()
	return p
}

// needs skips a test whose peer is not there, and in CI fails it.
func needs(t *testing.T, k kind) {
	t.Helper()
	for _, file := range k.needs {
		if _, err := os.Stat(file); err != nil {
			ci.Missing(t, "%s needs %s: run make peers", k.name, file)
		}
	}
}

// kill ends the peer at once, with all it has in memory.
func (p *process) kill() { p.main.end(syscall.SIGKILL) }

// stop ends the peer as an operator does.
func (p *process) stop() { p.main.end(syscall.SIGTERM) }

// restart starts the peer again, on the same port and with the same data.
func (p *process) restart() {
	p.t.Helper()
	p.main = run(p.t, p.kind.command(p), p.log("peer"))
	p.await(p.main, p.answers)
}

func (p *process) address() string { return address(p.port) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// await waits until a child is ready.
func (p *process) await(c *child, ready func() bool) {
	p.t.Helper()
	timeout := time.After(bootTimeout)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !ready() {
		select {
		case <-again.C:
		case <-c.exited:
			p.t.Fatalf("%s ended before it was ready", p.kind.name)
		case <-timeout:
			p.t.Fatalf("%s is not ready after %s", p.kind.name, bootTimeout)
		}
	}
}

func (p *process) dial(port int) (net.Conn, error) {
	return (&net.Dialer{Timeout: time.Second}).DialContext(p.t.Context(), "tcp", address(port))
}

func (p *process) listens(port int) bool {
	conn, err := p.dial(port)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// answers says whether the peer answers a protocol header.
func (p *process) answers() bool {
	if p.kind.tls {
		return p.listens(p.port)
	}
	conn, err := p.dial(p.port)
	if err != nil {
		return false
	}
	defer conn.Close()
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
	guard  *exec.Cmd
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
	c := &child{cmd: cmd, guard: guardOf(t, cmd.Process.Pid), exited: make(chan struct{})}
	go func() {
		defer close(c.exited)
		_ = cmd.Wait()
	}()
	return c
}

// guardOf starts a process in a group that ends the group when the tests are gone,
// however they went: its standard input ends with them.
func guardOf(t *testing.T, group int) *exec.Cmd {
	t.Helper()
	guard := command(t, "sh", "-c", "read -r _; kill -KILL 0")
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	if _, err := guard.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		_ = syscall.Kill(-group, syscall.SIGKILL)
		t.Fatal(err)
	}
	return guard
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
	_ = c.guard.Wait()
}

// command is a command that the test's end does not cancel: it is ended in order.
func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	return exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
}

// Ports are taken from those that the system does not give to connections, and each
// once: a peer takes seconds to listen, and another must not answer in its place.
const firstPort, manyPorts = 20_000, 12_000

var taken atomic.Int64

// freePorts returns ports of loopback that nobody has now.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	found := make([]int, 0, n)
	for len(found) < n {
		next := taken.Add(1)
		if next > manyPorts {
			t.Fatal("no port is free")
		}
		port := firstPort + (os.Getpid()*64+int(next))%manyPorts
		listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address(port))
		if err != nil {
			continue // somebody has it
		}
		_ = listener.Close()
		found = append(found, port)
	}
	return found
}

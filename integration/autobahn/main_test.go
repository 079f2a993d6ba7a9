// Package autobahn tests against autobahn, the reference implementation of WAMP.
package autobahn

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/ci"
	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// python is Debian's, which has Debian's packages. Another one may stand before it
// in the PATH.
const python = "/usr/bin/python3"

// process is a script that answers in lines, and ends with its standard input.
type process struct {
	in    io.WriteCloser
	lines chan string
}

// start runs one of this folder's scripts until the test ends. Without autobahn the
// test is skipped, but in CI, where it fails.
func start(t *testing.T, script string, arguments ...string) *process {
	t.Helper()
	if err := exec.CommandContext(t.Context(), python, "-c", "import autobahn, nacl, cbor2, msgpack, ubjson").Run(); err != nil {
		ci.Missing(t, "no autobahn: %v: install python3-autobahn and the other packages that .ci/run names", err)
	}
	command := exec.Command(python, append([]string{script}, arguments...)...)
	command.Stderr = os.Stderr
	in, err1 := command.StdinPipe()
	out, err2 := command.StdoutPipe()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{in, make(chan string, 1000)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(p.lines)
		scanner := bufio.NewScanner(out)
		for scanner.Buffer(nil, 1<<20); scanner.Scan(); {
			p.lines <- scanner.Text()
		}
	}()
	t.Cleanup(func() {
		_ = in.Close()
		kill := time.AfterFunc(10*time.Second, func() { _ = command.Process.Kill() })
		defer kill.Stop()
		<-read
		_ = command.Wait() // how it ends says nothing of what is tested
	})
	return p
}

// line returns the next line that it prints.
func (p *process) line(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case line, ok := <-p.lines:
		if ok {
			return line
		}
	case <-ctx.Done():
	}
	t.Fatal("the script prints nothing")
	return ""
}

// ask writes a question in JSON and reads the answer.
func (p *process) ask(t *testing.T, question, answer any) {
	t.Helper()
	text, err := json.Marshal(question)
	if err == nil {
		_, err = p.in.Write(append(text, '\n'))
	}
	if err == nil {
		err = json.Unmarshal([]byte(p.line(t)), answer)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Package interop tests against other people's implementations, live and both
// ways: CloudEvents, DIDComm (didcomm-rust) and Standard Webhooks, as they are on
// npm. The versions are in package.json; the tests install them where they are
// missing. They need node, npm and, the first time, the network: without those they
// are skipped, but in CI, where they fail.
package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/ci"
	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// installed installs the packages once, where they are missing.
var installed = sync.OnceValue(func() error {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: install nodejs and npm", err)
		}
	}
	wanted, err := os.ReadFile("package-lock.json")
	if err != nil {
		return err
	}
	// Of an earlier time, it lacks what was added since.
	if there, err := os.ReadFile("node_modules/.wanted.json"); err == nil && bytes.Equal(there, wanted) {
		return nil
	}
	out, err := exec.Command("npm", "ci", "--no-progress").CombinedOutput()
	if err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return os.WriteFile("node_modules/.wanted.json", wanted, 0o600)
})

// peer is the program that drives the others' implementations.
type peer struct {
	in  io.WriteCloser
	out *bufio.Scanner
}

func startPeer(t *testing.T) *peer {
	t.Helper()
	if err := installed(); err != nil {
		ci.Missing(t, "%v", err)
	}
	command := exec.CommandContext(t.Context(), "node", "peers.mjs")
	command.Stderr, command.WaitDelay = t.Output(), 10*time.Second
	in, err1 := command.StdinPipe()
	out, err2 := command.StdoutPipe()
	if err := errors.Join(err1, err2, command.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	return &peer{in, lines}
}

// ask sends a request and reads the answer into it.
func (p *peer) ask(t *testing.T, operation string, request map[string]any, answer any) error {
	t.Helper()
	request["operation"] = operation
	line, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	if !p.out.Scan() {
		t.Fatalf("the peer has ended: %v", p.out.Err())
	}
	var failure struct{ Error string }
	if err := json.Unmarshal(p.out.Bytes(), &failure); err != nil {
		t.Fatal(err)
	}
	if failure.Error != "" {
		return errors.New(failure.Error)
	}
	if err := json.Unmarshal(p.out.Bytes(), answer); err != nil {
		t.Fatal(err)
	}
	return nil
}

func (p *peer) mustAsk(t *testing.T, operation string, request map[string]any, answer any) {
	t.Helper()
	if err := p.ask(t, operation, request, answer); err != nil {
		t.Fatalf("%s: the peer says: %v", operation, err)
	}
}

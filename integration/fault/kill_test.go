//go:build unix

package fault

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/ci"
	"github.com/outrider-go/outrider/internal/verify"
)

func killAtRandom(t *testing.T, program string) {
	t.Helper()
	result, err := verify.Run(t.Context(), verify.Options{
		Program: []string{program}, Dir: filepath.Join(t.TempDir(), "queue"), Cycles: effort(200),
		MinLife: 20 * time.Millisecond, MaxLife: 150 * time.Millisecond,
		Load: verify.LoadOptions{Seed: *seed, MaxOpen: 300},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Err(); err != nil {
		t.Errorf("%v\n%+v", err, result.Faults)
	}
	if result.Opening.Max > 5 {
		t.Errorf("a start took %.1f s", result.Opening.Max)
	}
	t.Logf("%d kills, %d accepted, %d duplicates of at most %d, open after %.3f s, at most %.3f s",
		result.Crashes, result.Accepted, result.Duplicates, result.InFlight, result.Opening.Median, result.Opening.Max)
}

// strace returns the words that have a program's system calls tampered with.
func strace(t *testing.T, calls, tampering string) []string {
	t.Helper()
	path, err := exec.LookPath("strace")
	if err != nil {
		ci.Missing(t, "strace is not installed")
	}
	return []string{path, "-f", "-qqq", "-o", "/dev/null", "-e", "trace=" + calls, "-e", "inject=" + calls + ":" + tampering}
}

// killAtSystemCalls kills a daemon when it is about to make a system call that
// changes a file, or answers: the first one, and later ones.
func killAtSystemCalls(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	random := rand.New(rand.NewPCG(*seed, 1))
	for _, at := range []struct {
		calls string
		most  int // calls of one thread before it is killed
	}{{"fsync,fdatasync", 40}, {"pwrite64", 150}, {"write", 150}, {"ftruncate,unlink,unlinkat", 1}} {
		killed := 0
		for i := range 2 * effort(10) {
			n := 1 // the first time, which comes on a slow machine, too
			if i > 0 {
				n += random.IntN(at.most)
			}
			if tr.killAt(at.calls, n) {
				killed++
			}
		}
		if killed == 0 {
			t.Errorf("%s: no daemon was killed", at.calls)
		}
	}
	tr.finish()
}

// killAt has a daemon killed at its n-th call, counted by thread, and reports
// whether it was: it may not come to that.
func (tr *trial) killAt(calls string, n int) bool {
	tr.Helper()
	d, err := tr.try(strace(tr.T, calls, fmt.Sprintf("signal=KILL:when=%d", n)))
	if ended := (*verify.ExitError)(nil); errors.As(err, &ended) && ended.Code == -1 {
		tr.history.Crash(tr.life, verify.InFlight)
		return true
	} else if err != nil {
		tr.Fatal(err)
	}
	killed := false
	tr.send(d, func() {
		killed = holds(tr.Context(), 2*time.Second, func() bool {
			select {
			case <-d.Exited():
				return true
			default:
				return false
			}
		})
	})
	tr.crash(d)
	return killed
}

// killOffline kills what looks after a store while no daemon has it, at the calls
// that make its changes: a store is as it was, or is changed whole.
func killOffline(t *testing.T, program string) {
	t.Helper()
	tr := newTrial(t, program, verify.LoadOptions{MaxOpen: 300})
	random := rand.New(rand.NewPCG(*seed, 5))
	d := tr.start(nil)
	tr.accept(d, 200)
	tr.crash(d)
	run := func(before []string, args ...string) (code int, out string) {
		words := append(append(append([]string{}, before...), program, "store"), args...)
		command := exec.CommandContext(t.Context(), words[0], words[1:]...)
		text, err := command.CombinedOutput()
		if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
			t.Fatal(err)
		}
		return command.ProcessState.ExitCode(), string(text)
	}
	for _, at := range []struct {
		calls string
		most  int // calls before it is killed
	}{{"rename,renameat,renameat2", 1}, {"unlink,unlinkat", 1}, {"fsync,fdatasync", 4}, {"pwrite64", 60}} {
		killed := 0
		for range max(3, effort(10)) {
			code, out := run(strace(t, at.calls, fmt.Sprintf("signal=KILL:when=%d", 1+random.IntN(at.most))), "compact", "--dir", tr.dir)
			if code != 0 {
				killed++
			}
			if code > 0 && !strings.Contains(out, "killed") { // strace ends as its child does
				t.Errorf("%s: exit code %d: %s", at.calls, code, out)
			}
			if code, out := run(nil, "check", "--dir", tr.dir); code != 0 {
				t.Errorf("%s: what was left is not whole: %s", at.calls, out)
			}
		}
		if killed == 0 {
			t.Errorf("%s: nothing was killed", at.calls)
		}
	}
	if r := tr.finish(); r.Accepted < 200 {
		t.Errorf("%d were accepted", r.Accepted)
	}
}

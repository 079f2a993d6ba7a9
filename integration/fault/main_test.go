//go:build unix

package fault

import (
	"context"
	"flag"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/internal/verify"
)

var (
	full = flag.Bool("full", false, "try as much as CI does; without it, a little of each")
	long = flag.Bool("long", false, "try ten times as much as CI does")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()%1_000_000), "choose messages and instants by this number")
)

func TestMain(m *testing.M) {
	flag.Parse()
	leak.Main(m)
}

// effort returns how often to try something: CI's number, or a part or a multiple
// of it.
func effort(ci int) int {
	switch {
	case *long:
		return 10 * ci
	case *full:
		return ci
	default:
		return max(1, ci/20)
	}
}

// TestFaults runs every trial against one binary.
func TestFaults(t *testing.T) {
	t.Logf("the seed is %d: repeat with -seed", *seed)
	program := filepath.Join(t.TempDir(), "outrider")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/outrider").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	t.Run("all", func(t *testing.T) { // returns when all have ended
		for name, run := range trials {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				run(t, program)
			})
		}
	})
}

// trials are the faults by name.
var trials = map[string]func(*testing.T, string){
	"kill at random":               killAtRandom,
	"kill at a system call":        killAtSystemCalls,
	"kill while it is compacted":   killOffline,
	"power fails":                  powerFails,
	"fsync fails":                  fsyncFails,
	"fsync finds no room":          fsyncFindsNoRoom,
	"write fails":                  writeFails,
	"read fails":                   readFails,
	"checkpoint fails":             checkpointFails,
	"disk full for a while":        diskFullForAWhile,
	"disk full until room made":    diskFullUntilRoomIsMade,
	"disk full with a backlog":     diskFullWithBacklog,
	"start on a full disk":         startOnAFullDisk,
	"stop in the middle":           stopInTheMiddle,
	"second signal":                secondSignal,
	"two processes on one store":   twoProcesses,
	"receiver stands still":        receiverStandsStill,
	"peer never answers":           peerNeverAnswers,
	"peer resets the connection":   peerResets,
	"no file descriptors are left": noDescriptors,
}

// trial is one daemon after the other on one store, and what is sent to them.
type trial struct {
	*testing.T
	program string
	dir     string
	history *verify.History
	load    *verify.Load
	life    int
}

func newTrial(t *testing.T, program string, options verify.LoadOptions) *trial {
	t.Helper()
	options.Seed = *seed
	tr := &trial{T: t, program: program, dir: filepath.Join(t.TempDir(), "queue"), history: verify.NewHistory()}
	var err error
	if tr.load, err = verify.NewLoad(t.Context(), tr.history, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tr.load.Close(); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// try starts a daemon, with what is to stand before the program on its command
// line. It may fail.
func (tr *trial) try(before []string, env ...string) (*verify.Daemon, error) {
	tr.Helper()
	tr.life++
	d, err := verify.StartDaemon(tr.Context(), verify.DaemonOptions{
		Program: append(append([]string{}, before...), tr.program), Dir: tr.dir, Life: tr.life, Env: env,
	})
	if err == nil {
		tr.Cleanup(func() { _ = d.Kill() })
	}
	return d, err
}

// start is try for one that must not fail.
func (tr *trial) start(before []string, env ...string) *verify.Daemon {
	tr.Helper()
	d, err := tr.try(before, env...)
	if err != nil {
		tr.Fatal(err)
	}
	return d
}

// send sends to a daemon until the function returns.
func (tr *trial) send(d *verify.Daemon, until func()) {
	tr.Helper()
	ctx, cancel := context.WithCancel(tr.Context())
	tr.load.Door.Open(d.Client)
	done := make(chan struct{})
	go func() {
		defer close(done)
		tr.load.Send(ctx)
	}()
	until()
	tr.load.Door.Shut()
	cancel()
	<-done
}

// accept sends until so many more letters have been accepted.
func (tr *trial) accept(d *verify.Daemon, n int) {
	tr.Helper()
	n += tr.history.Accepted()
	tr.send(d, func() {
		await(tr.T, "letters are accepted", func() bool { return tr.history.Accepted() >= n })
	})
}

// crash kills a daemon.
func (tr *trial) crash(d *verify.Daemon) {
	tr.Helper()
	tr.history.Crash(tr.life, verify.InFlight)
	if err := d.Kill(); err != nil {
		tr.Error(err)
	}
}

// finish has a healthy daemon deliver what is left, and judges.
func (tr *trial) finish() verify.Report {
	tr.Helper()
	d := tr.start(nil)
	tr.drain(d)
	if err := d.Stop(tr.Context()); err != nil {
		tr.Error(err)
	}
	return tr.judge()
}

func (tr *trial) drain(d *verify.Daemon) {
	tr.Helper()
	if err := verify.Drain(tr.Context(), d.Client); err != nil {
		tr.Error(err)
	}
	if err := verify.Ends(tr.Context(), d.Client, tr.history); err != nil {
		tr.Error(err)
	}
}

func (tr *trial) judge() verify.Report {
	tr.Helper()
	r := tr.history.Check()
	if err := r.Err(); err != nil {
		tr.Errorf("%v\n%+v", err, r.Faults)
	}
	if r.Accepted == 0 || r.Waiting > 0 {
		tr.Errorf("%d letters were accepted, and %d wait: the trial says nothing", r.Accepted, r.Waiting)
	}
	tr.Logf("%d crashes, %d accepted, %d delivered, %d duplicates of at most %d", r.Crashes, r.Accepted, r.Delivered, r.Duplicates, r.InFlight)
	return r
}

// await waits until something is so, for a minute at most.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	if !holds(t.Context(), time.Minute, so) {
		t.Fatalf("a minute has passed, and it is not so that %s", what)
	}
}

// holds reports whether something becomes so in time.
func holds(ctx context.Context, limit time.Duration, so func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for !so() {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return so()
		}
	}
	return true
}

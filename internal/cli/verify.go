package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/internal/verify"
)

// maxSeed bounds the seeds that are chosen here: they are typed by people.
const maxSeed = 1_000_000

// verifyFlags are the flags of verify.
type verifyFlags struct {
	dir      string
	cycles   int
	duration time.Duration
	messages int
	seed     uint64
	json     bool
}

func newVerify(c *console) *cobra.Command {
	var flags verifyFlags
	command := &cobra.Command{
		Use: "verify", Short: "Kill a daemon again and again on this disk, and check that nothing is lost", Args: arguments(),
		Long: `Verify holds this program to its promise on a disk of yours: a message whose send
was answered is never lost, arrives twice only where a crash met it in flight, and
keeps its order among those with the same ordering key.

It runs a daemon with a queue in a new directory below --dir, sends it messages for
receivers of its own, some of which fail or are slow, kills the daemon in the middle
of it (kill -9), starts it again, and so on. At the end it has the rest delivered
and compares what was accepted with what arrived. It touches no other queue and no
network, needs no privileges, and removes its files; where the promise was broken
it leaves them. What a power failure does, kill -9 cannot show.

Exit codes: 0 the promise was kept; 1 it was broken, or the check could not be made;
2 usage.`,
		Example: `  outrider verify --dir /var/lib
  outrider verify --dir /var/lib --cycles 1000 --json
  outrider verify --dir /var/lib --duration 10m --seed 42`,
		RunE: func(command *cobra.Command, _ []string) error {
			if err := flags.check(command); err != nil {
				return err
			}
			return flags.run(command.Context(), c)
		},
	}
	set := command.Flags()
	set.StringVar(&flags.dir, "dir", "", "a `directory` on the disk to check; on many systems the default one is in memory (default "+os.TempDir()+")")
	set.IntVar(&flags.cycles, "cycles", 0, fmt.Sprintf("kill the daemon so many times (`number`, default %d, or until the duration is over)", verify.DefaultCycles))
	set.DurationVar(&flags.duration, "duration", 0, "go on so long (default until the cycles are done)")
	set.IntVar(&flags.messages, "messages", 0, "send at most so many messages, before the last kill (`number`, default as many as the daemon takes)")
	set.Uint64Var(&flags.seed, "seed", 0, "choose messages and instants by this `number`, which an earlier run printed (default another one each time)")
	addJSON(command, &flags.json)
	return command
}

func (f *verifyFlags) check(command *cobra.Command) error {
	for name, bad := range map[string]bool{"cycles": f.cycles < 1, "duration": f.duration <= 0, "messages": f.messages < 1} {
		if command.Flags().Changed(name) && bad {
			return usagef("--%s: want more than 0", name)
		}
	}
	if !command.Flags().Changed("seed") {
		f.seed = rand.Uint64N(maxSeed) //nolint:gosec // keeps no secret
	}
	return nil
}

// run holds the trial in a directory of its own.
func (f *verifyFlags) run(ctx context.Context, c *console) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to start it again: %w", err)
	}
	dir, err := os.MkdirTemp(cmp.Or(f.dir, os.TempDir()), "outrider-verify-")
	if err != nil {
		return fmt.Errorf("--dir: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	c.notef("verify: the queue is in %s, the seed is %d", dir, f.seed)
	result, err := verify.Run(ctx, verify.Options{
		Program: []string{program}, Dir: filepath.Join(dir, "queue"),
		Cycles: f.cycles, Duration: f.duration,
		Load:     verify.LoadOptions{Seed: f.seed, Messages: f.messages},
		Progress: func(p verify.Progress) { c.progress(progressText(p)) },
	})
	c.progressDone()
	if err != nil {
		return errors.Join(fmt.Errorf("verify: %w", err), os.RemoveAll(dir))
	}
	broken := result.Err()
	if err := f.report(c, &result); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if broken != nil {
		return fmt.Errorf("%w; its files are left in %s", broken, dir)
	}
	return os.RemoveAll(dir)
}

func progressText(p verify.Progress) string {
	if p.Draining {
		return "killed " + times(p.Crashes) + ", waiting for the rest to be delivered"
	}
	return "killed " + times(p.Crashes) + ", " + count(p.Accepted, "message") + " accepted"
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// report prints the result.
func (f *verifyFlags) report(c *console, r *verify.Result) error {
	if f.json {
		return c.json(struct {
			OK bool `json:"ok"`
			*verify.Result
		}{r.Err() == nil, r})
	}
	for _, fault := range r.Faults {
		if err := c.printf("  %s  %s %s: %s", c.style.red(string(fault.Kind)), fault.Name, fault.ID, fault.Detail); err != nil {
			return err
		}
	}
	verdict := c.style.green("the promise was kept")
	if r.Err() != nil {
		verdict = c.style.red("the promise was broken")
	}
	return c.printf(`killed      %s in %s
accepted    %d of %d sent
delivered   %d, with %d whose sender was not answered
not taken   %d, which their receiver refuses for good
lost        %d
duplicated  %d; at most %d were in flight
reordered   %d
damaged     %d
open again  after %s, at most %s
%s (seed %d)`,
		times(r.Crashes), shortDuration(r.Elapsed), r.Accepted, r.Sent, r.Delivered, r.Unanswered,
		r.Dead, r.Lost, r.Duplicates, r.InFlight, r.Reordered, r.Damaged+r.Unknown, seconds(r.Opening.Median), seconds(r.Opening.Max),
		verdict, r.Seed)
}

package verify

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/internal/client"
)

// Defaults of [Options].
const (
	DefaultCycles  = 20
	DefaultMinLife = 200 * time.Millisecond
	DefaultMaxLife = 1500 * time.Millisecond
)

const (
	killedEarly = 5 // one in so many

	stuckAfter = time.Minute           // without an arrival, while draining
	drainPoll  = 20 * time.Millisecond // between looks at what is left
	stopWait   = 45 * time.Second      // for a daemon to stop when asked
	stuckError = "%d messages wait, and none has ended for %v"
)

// Options of a [Run].
type Options struct {
	// Program is the program and the arguments before "serve". Required.
	Program []string
	// Dir is where the queue is; it is made where it is missing. Required.
	Dir string
	// Env are variables of the daemon's configuration beside those of the trial.
	Env []string
	// Cycles is how often the daemon is killed. Default: DefaultCycles, or without
	// end where there is a Duration.
	Cycles int
	// Duration is how long the daemon is killed again and again, if there are not
	// Cycles of it before. Default: it does not matter.
	Duration time.Duration
	// MinLife and MaxLife bound how long the daemon lives once it is ready. Default:
	// DefaultMinLife and DefaultMaxLife.
	MinLife, MaxLife time.Duration
	// Load says what is sent.
	Load LoadOptions
	// Progress is told of each life. It is called by one goroutine. Default: nobody.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Crashes  int
	Accepted int
	Draining bool // the daemon is not killed any more
}

// Result is what a run has found.
type Result struct {
	Report
	Seed     uint64        `json:"seed"`
	Refused  int           `json:"refused"` // letters that the daemon would not take
	Openings []float64     `json:"-"`       // how long each start took, in seconds
	Opening  Spread        `json:"opening_seconds"`
	Elapsed  time.Duration `json:"-"`
	Seconds  float64       `json:"seconds"`
}

// Spread is what there is to say about many numbers.
type Spread struct {
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// runner is a run under way.
type runner struct {
	options Options
	history *History
	load    *Load
	random  *rand.Rand
	life    int
	result  Result
}

// Run kills a daemon again and again while it works, lets it deliver what is left,
// and judges. The error says that this could not be done; whether the promise was
// kept is in the result.
func Run(ctx context.Context, o Options) (result Result, err error) {
	if o.Cycles == 0 && o.Duration == 0 {
		o.Cycles = DefaultCycles
	}
	if o.MaxLife == 0 {
		o.MinLife, o.MaxLife = DefaultMinLife, DefaultMaxLife
	}
	if o.Progress == nil {
		o.Progress = func(Progress) {}
	}
	began := time.Now()
	r := &runner{
		options: o, history: NewHistory(),
		random: rand.New(rand.NewPCG(o.Load.Seed, 1<<63)), //nolint:gosec // to be repeated
	}
	if r.load, err = NewLoad(ctx, r.history, o.Load); err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, r.load.Close()) }()
	if err := r.crash(ctx, began); err != nil {
		return Result{}, err
	}
	if err := r.drain(ctx); err != nil {
		return Result{}, err
	}
	r.result.Report, r.result.Seed, r.result.Refused = r.history.Check(), o.Load.Seed, r.load.Refused()
	r.result.Elapsed = time.Since(began)
	r.result.Seconds, r.result.Opening = r.result.Elapsed.Seconds(), spreadOf(r.result.Openings)
	return r.result, nil
}

func spreadOf(numbers []float64) Spread {
	if len(numbers) == 0 {
		return Spread{}
	}
	sorted := slices.Sorted(slices.Values(numbers))
	return Spread{sorted[len(sorted)/2], sorted[len(sorted)-1]}
}

// crash sends, and meanwhile kills the daemon as often as it is to be.
func (r *runner) crash(ctx context.Context, began time.Time) error {
	sending, stop := context.WithCancel(ctx)
	var senders sync.WaitGroup
	senders.Go(func() { r.load.Send(sending) })
	defer senders.Wait()
	defer stop()
	for n := 0; ; n++ {
		over := r.options.Duration > 0 && time.Since(began) >= r.options.Duration
		if over || r.options.Cycles > 0 && n >= r.options.Cycles {
			return nil
		}
		if err := r.live(ctx); err != nil {
			return err
		}
		r.options.Progress(Progress{Crashes: r.life, Accepted: r.history.Accepted()})
	}
}

// live starts a daemon and kills it after a while: now and then before it is
// ready, while it takes up what the one before has left.
func (r *runner) live(ctx context.Context) error {
	if r.random.IntN(killedEarly) == 0 && len(r.result.Openings) > 0 {
		return r.miscarry(ctx, seconds(r.random.Float64()*slices.Max(r.result.Openings)))
	}
	d, err := r.start(ctx)
	if err != nil {
		return err
	}
	r.load.Door.Open(d.Client)
	span := r.options.MaxLife - r.options.MinLife
	timer := time.NewTimer(r.options.MinLife + time.Duration(r.random.Int64N(int64(span)+1)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-d.Exited():
		err = fmt.Errorf("the daemon ended before it was killed: %w", &ExitError{d.ExitCode(), d.Stderr()})
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.load.Door.Shut()
	r.history.Crash(r.life, InFlight)
	return errors.Join(err, d.Kill())
}

// miscarry starts a daemon and kills it that early.
func (r *runner) miscarry(ctx context.Context, after time.Duration) error {
	short, cancel := context.WithTimeout(ctx, after)
	defer cancel()
	d, err := r.start(short)
	r.history.Crash(r.life, InFlight)
	switch {
	case err == nil:
		return d.Kill()
	case short.Err() != nil:
		return ctx.Err()
	default:
		return err
	}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func (r *runner) start(ctx context.Context) (*Daemon, error) {
	r.life++
	d, err := StartDaemon(ctx, DaemonOptions{Program: r.options.Program, Dir: r.options.Dir, Life: r.life, Env: r.options.Env})
	if err != nil {
		return nil, fmt.Errorf("start %d: %w", r.life, err)
	}
	r.result.Openings = append(r.result.Openings, d.Opened.Seconds())
	return d, nil
}

// drain has a daemon deliver what is left, asks it what became of the rest, and
// stops it as an operator would.
func (r *runner) drain(ctx context.Context) error {
	r.options.Progress(Progress{Crashes: r.life, Accepted: r.history.Accepted(), Draining: true})
	d, err := r.start(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(Drain(ctx, d.Client), Ends(ctx, d.Client, r.history)); err != nil {
		return errors.Join(err, d.Kill())
	}
	stopping, cancel := context.WithTimeout(ctx, stopWait)
	defer cancel()
	return d.Stop(stopping)
}

// Drain waits until a daemon has nothing left to deliver. It is an error when
// nothing ends for a minute.
func Drain(ctx context.Context, daemon *client.Client) error {
	before, since := int64(-1), time.Now()
	for {
		stats, err := daemon.Stats(ctx)
		if err != nil {
			return err
		}
		left := stats.Messages.Pending + stats.Messages.Deliver + stats.Messages.Retry
		switch {
		case left == 0:
			return nil
		case left != before:
			before, since = left, time.Now()
		case time.Since(since) > stuckAfter:
			return fmt.Errorf(stuckError, left, stuckAfter)
		}
		if !wait(ctx, drainPoll) {
			return ctx.Err()
		}
	}
}

// Ends tells a history what a daemon says of all messages but those it delivered.
func Ends(ctx context.Context, daemon *client.Client, history *History) error {
	for query, state := range map[string]State{
		"pending,deliver,retry": Waiting, "dead": Dead, "cancelled": Cancelled, "expired": Expired,
	} {
		for cursor := ""; ; {
			page, err := daemon.List(ctx, client.ListQuery{State: query, Limit: 1000, Cursor: cursor})
			if err != nil {
				return err
			}
			for i := range page.Messages {
				history.End(page.Messages[i].ID.String(), state)
			}
			if cursor = page.Cursor; cursor == "" {
				break
			}
		}
	}
	return nil
}

package outbound

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/wireformat"
)

// Defaults of [Options].
const (
	DefaultWorkers         = 256
	DefaultLaneConcurrency = 8
	DefaultAttemptTimeout  = 30 * time.Second
	MaxAttemptTimeout      = day
	DefaultFailureBudget   = 5 * day
	DefaultMaxMessages     = 1_000_000
	DefaultMaxBytes        = 1 << 30
	DefaultMaxMessageBytes = 16 << 20
)

// Options of a [Manager]. The zero value works.
type Options struct {
	// Profiles resolves the profile a record names. Default: the default profile
	// alone.
	Profiles profile.Directory
	// Formats are the wire formats by name. Default: the built-in ones.
	Formats *wireformat.Registry
	// Events takes the events. Default: a bus of the manager's own, which Stop
	// closes.
	Events *event.Bus
	// Logger. Default: none.
	Logger *zap.Logger
	// TopicPrefix begins every topic: "acapy::", for one. Default: empty.
	TopicPrefix string

	// Sessions are the connections of peers that take messages. Default: none, so
	// that nothing goes to sessions, or waits for one.
	Sessions Sessions

	// Workers is the number of attempts at once. Default: 256.
	Workers int
	// LaneConcurrency is the number of attempts at once to one destination of one
	// profile. Default: 8.
	LaneConcurrency int
	// LaneRate bounds how often one destination of one profile is attempted. A
	// profile's limits may say otherwise. Default: any number.
	LaneRate Rate
	// AttemptTimeout bounds one attempt. Default: 30 s. At most a day.
	AttemptTimeout time.Duration
	// Breaker says when a destination that fails is left alone. Default: after ten
	// failures in a row, for 5 s to 5 min.
	Breaker Breaker
	// FailureBudget is how long all attempts to a destination may fail before it is
	// paused until somebody resumes it. Its events tell when 50, 70, 90 and 100 % of
	// it are spent. Negative is no limit. Default: five days.
	FailureBudget time.Duration
	// Retry is the policy of profiles that have none. Default: StandardRetry.
	Retry RetryPolicy

	// MaxMessages and MaxBytes bound what waits: more is ErrQueueFull. Default:
	// a million messages, 1 GiB.
	MaxMessages, MaxBytes int64
	// MaxMessageBytes bounds one encoded payload. Default: 16 MiB.
	MaxMessageBytes int64
	// Retain says how long done messages are kept, by result. For a result that is
	// not in it, what DefaultRetain says holds; Retain{} does not limit.
	Retain map[queue.Result]Retain
}

// Retain bounds what is kept of the messages with one result.
type Retain struct {
	Age   time.Duration // since they were done; zero does not limit
	Count int           // the newest; zero does not limit
	Bytes int64         // the newest that fit; zero does not limit
}

// DefaultRetain keeps ten thousand delivered messages for a day, and a hundred
// thousand dead ones, or 256 MiB of them, for thirty.
func DefaultRetain() map[queue.Result]Retain {
	return map[queue.Result]Retain{
		queue.Delivered: {Age: day, Count: 10_000},
		queue.Cancelled: {Age: 7 * day, Count: 10_000, Bytes: 64 << 20},
		queue.Expired:   {Age: 30 * day, Count: 100_000, Bytes: 128 << 20},
		queue.Dead:      {Age: 30 * day, Count: 100_000, Bytes: 256 << 20},
	}
}

func (o *Options) setDefaults() error {
	var faults []error
	for _, field := range []struct {
		name     string
		value    *int64
		fallback int64
	}{
		{"MaxMessages", &o.MaxMessages, DefaultMaxMessages},
		{"MaxBytes", &o.MaxBytes, DefaultMaxBytes},
		{"MaxMessageBytes", &o.MaxMessageBytes, DefaultMaxMessageBytes},
	} {
		faults = append(faults, orDefault(field.name, field.value, field.fallback))
	}
	faults = append(faults,
		orDefault("Workers", &o.Workers, DefaultWorkers),
		orDefault("LaneConcurrency", &o.LaneConcurrency, DefaultLaneConcurrency),
		orDefault("AttemptTimeout", &o.AttemptTimeout, DefaultAttemptTimeout),
		atMost("AttemptTimeout", o.AttemptTimeout, MaxAttemptTimeout),
		o.Breaker.setDefaults())
	if err := o.LaneRate.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("options: LaneRate: %w", err))
	}
	if o.FailureBudget == 0 {
		o.FailureBudget = DefaultFailureBudget
	}
	if o.Retry.isZero() {
		o.Retry = StandardRetry()
	}
	if err := o.Retry.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("options: Retry: %w", err))
	}
	if o.Profiles == nil {
		directory, err := profile.NewStatic()
		faults = append(faults, err)
		o.Profiles = directory
	}
	if o.Formats == nil {
		formats, err := wireformat.NewRegistry(wireformat.Builtin()...)
		faults = append(faults, err)
		o.Formats = formats
	}
	for result, retain := range o.Retain {
		if retain.Age < 0 || retain.Count < 0 || retain.Bytes < 0 {
			faults = append(faults, fmt.Errorf("options: Retain[%s] has a negative limit", result))
		}
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	retain := DefaultRetain()
	maps.Copy(retain, o.Retain)
	o.Retain = retain
	return errors.Join(faults...)
}

func atMost(name string, value, most time.Duration) error {
	if value > most {
		return fmt.Errorf("options: %s is %s: at most %s is allowed", name, value, most)
	}
	return nil
}

func orDefault[T int | int64 | time.Duration](name string, value *T, fallback T) error {
	if *value < 0 {
		return fmt.Errorf("options: %s is negative", name)
	}
	if *value == 0 {
		*value = fallback
	}
	return nil
}

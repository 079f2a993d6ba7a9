package outbound

import (
	"context"
	"errors"
	"math"
	"time"
)

// Rate bounds how often one destination of one profile is attempted. The zero
// value does not.
type Rate struct {
	// PerSecond is the number of attempts a second, in the long run. At least one a
	// day. Zero: any number.
	PerSecond float64
	// Burst is how many attempts may begin at once after a rest. Default: 1, so that
	// all are evenly spaced.
	Burst int
}

// slowestRate is one attempt a day.
const slowestRate = 1.0 / (24 * 60 * 60)

// Validate names what is wrong with the rate.
func (r Rate) Validate() error {
	switch {
	case r == Rate{}:
		return nil
	case !(r.PerSecond >= slowestRate) || math.IsInf(r.PerSecond, 0):
		return errors.New("rate: want at least one attempt a day")
	case r.Burst < 0:
		return errors.New("burst is negative")
	}
	return nil
}

// rateOf is the rate of a profile's lanes: its own, else the manager's. Where the
// profile cannot be found, that is for the attempt to say.
func (m *Manager) rateOf(ctx context.Context, id string) Rate {
	tenant, err := m.options.Profiles.Lookup(ctx, id)
	if err != nil {
		return m.options.LaneRate
	}
	if own := tenant.Limits(); own.RatePerDestination > 0 {
		return Rate{PerSecond: own.RatePerDestination, Burst: own.BurstPerDestination}
	}
	return m.options.LaneRate
}

func (m *Manager) paceOf(ctx context.Context, id string) pace { return m.rateOf(ctx, id).pace() }

// pace is a rate as a lane keeps it. The zero value does not bound.
//
// A lane has tokens, of which each attempt takes one. They are not counted but
// follow from one instant, lane.full, at which all of them are back: nothing runs
// to refill them, and nothing is lost to rounding.
type pace struct {
	interval time.Duration // in which one token comes back
	ahead    time.Duration // how long the others of the burst take
}

func (r Rate) pace() pace {
	if r.PerSecond <= 0 {
		return pace{}
	}
	interval := saturate(math.Ceil(float64(time.Second) / r.PerSecond))
	return pace{interval, saturate(float64(interval) * float64(max(r.Burst, 1)-1))}
}

func (p pace) bounds() bool { return p.interval > 0 }

// tokenAt is when the lane has its next token; zero: it has one, or needs none.
func (l *lane) tokenAt() time.Time {
	if !l.pace.bounds() || l.full.IsZero() {
		return time.Time{}
	}
	return l.full.Add(-l.pace.ahead)
}

// takeToken counts an attempt that begins.
func (l *lane) takeToken(now time.Time) {
	if l.pace.bounds() {
		l.full = laterOf(l.full, now).Add(l.pace.interval)
	}
}

// tokens is how many the lane has, at most some number.
func (l *lane) tokens(now time.Time, most int) int {
	if !l.pace.bounds() {
		return most
	}
	missing := max(l.full.Sub(now), 0)
	if missing > l.pace.ahead {
		return 0
	}
	return int(min((l.pace.ahead-missing)/l.pace.interval+1, time.Duration(most)))
}

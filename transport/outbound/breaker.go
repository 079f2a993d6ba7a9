package outbound

import (
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Defaults of [Breaker].
const (
	DefaultBreakerFailures = 10
	DefaultCoolOff         = 5 * time.Second
	DefaultMaxCoolOff      = 5 * time.Minute
)

// longestCoolOff bounds Breaker.MaxCoolOff: what is doubled must fit.
const longestCoolOff = 30 * day

// coolOffJitter lengthens each cool-off by a random part of it, up to this
// fraction, so that destinations that failed together are not tried together.
const coolOffJitter = 0.2

// Breaker says when a destination that fails is left alone. After Failures failed
// attempts in a row its breaker opens: its messages wait, unattempted, for a
// cool-off. Then one attempt at a time is made. The first that succeeds closes the
// breaker; one that fails opens it again, for twice as long.
//
// Attempts of class temporary, throttled and unknown fail. Those that are
// permanent say something about their message, not about the destination, and
// change nothing. The zero value has the defaults.
type Breaker struct {
	// Failures in a row open the breaker. Default: 10.
	Failures int
	// CoolOff is how long the breaker is open at first, and MaxCoolOff the longest
	// that doubling makes of it. Each is lengthened by up to a fifth of it, at
	// random. Default: 5 s, 5 min. At most 30 days.
	CoolOff, MaxCoolOff time.Duration
	// Disabled: it never opens.
	Disabled bool
}

func (b *Breaker) setDefaults() error {
	faults := errors.Join(
		orDefault("Breaker.Failures", &b.Failures, DefaultBreakerFailures),
		orDefault("Breaker.CoolOff", &b.CoolOff, DefaultCoolOff),
		orDefault("Breaker.MaxCoolOff", &b.MaxCoolOff, max(DefaultMaxCoolOff, b.CoolOff)),
		atMost("Breaker.MaxCoolOff", b.MaxCoolOff, longestCoolOff))
	if faults == nil && b.MaxCoolOff < b.CoolOff {
		return errors.New("options: Breaker.MaxCoolOff is shorter than Breaker.CoolOff")
	}
	return faults
}

// finding is what an attempt says about its destination.
type finding struct {
	sign  sign
	hung  bool // the attempt ran into its deadline
	class transport.Class
	err   string // without secrets
}

type sign uint8

const (
	signNone     sign = iota // there was no attempt, or it does not count
	signWorks                // it delivered
	signFails                // the destination failed
	signAnswered             // the message was at fault
)

// findingOf reads what an attempt that counts says about the destination of a lane.
func findingOf(key queue.Lane, log *queue.Attempt) finding {
	if isPeer(key) {
		return finding{}
	}
	f := finding{sign: signFails, class: log.Class, err: log.Error}
	switch f.class {
	case transport.Success:
		f.sign = signWorks
	case transport.Permanent:
		f.sign = signAnswered
	case transport.Temporary, transport.Throttled, transport.Unknown:
	}
	return f
}

// health is what the latest attempts say about a destination, with the state of
// its breaker. A lane whose attempts succeed has none.
//
// The breaker is closed while coolOff is zero, open while openUntil is set, and
// half-open after that.
type health struct {
	failures  int       // attempts that failed, in a row
	since     time.Time // when the first of them ended; zero: the latest did not fail
	here      time.Time // when the first of them ended since the start; zero: none did
	last      time.Time // when the latest of them ended
	class     transport.Class
	err       string        // of the latest; without secrets
	told      int           // how many of the failingMarks
	kept      bool          // the store knows since
	coolOff   time.Duration // of the latest opening
	openUntil time.Time

	// width is how many attempts there may be at once; zero: the lane's limit. It is
	// one while the breaker is open or half-open, and once an attempt ran into its
	// deadline: 256 workers would not be enough for the ten failures of each of
	// some dozens of destinations that never answer. Each success doubles it.
	width int
}

// learn takes in what an attempt says about a lane's destination.
func (s *scheduler) learn(l *lane, f *finding, now time.Time) {
	h := l.health
	switch {
	case f.sign == signFails:
		if h == nil {
			h = &health{}
			l.health = h
		}
		s.failed(l, f, now)
	case h == nil || f.sign == signNone:
	case f.sign == signWorks:
		s.recovered(l)
		*h = health{width: h.width}
		s.widen(l)
	case h.coolOff == 0 && !f.hung:
		s.widen(l)
	}
}

func (s *scheduler) failed(l *lane, f *finding, now time.Time) {
	h := l.health
	h.failures++
	if gap := s.rules.budget / 2; h.since.IsZero() || gap > 0 && now.Sub(h.last) > gap {
		h.since, h.told = now, min(h.told, 1) // two failures a week apart are no week of failing
		if h.kept {
			s.keep(l)
		}
	}
	if h.here.IsZero() {
		h.here = now
	}
	h.last, h.class, h.err = now, f.class, f.err
	if f.hung {
		h.width = 1
	}
	switch {
	case s.rules.breaker.Disabled:
	case h.coolOff == 0 && h.failures >= s.rules.breaker.Failures:
		h.open(s.rules.breaker.CoolOff, now)
	case h.coolOff > 0 && h.openUntil.IsZero(): // while it is open, the stragglers change nothing
		h.open(min(2*h.coolOff, s.rules.breaker.MaxCoolOff), now)
	}
	s.spend(l, now)
}

func (h *health) open(coolOff time.Duration, now time.Time) {
	h.coolOff, h.width = coolOff, 1
	h.openUntil = now.Add(saturate(float64(coolOff) * (1 + coolOffJitter*rand.Float64()))) //nolint:gosec // spreads load, keeps no secret
}

// widen lets a lane that works have twice as many attempts at once, up to its
// limit, where it is well.
func (s *scheduler) widen(l *lane) {
	h := l.health
	if h.width *= 2; h.width >= s.rules.limit {
		h.width = 0
	}
	if h.width == 0 && h.since.IsZero() {
		l.health = nil
	}
}

// heldUntil is until when no attempt may begin in the lane; zero: it may.
func (l *lane) heldUntil() time.Time {
	if l.pausedUntil.IsZero() && l.health != nil {
		return l.health.openUntil
	}
	return l.pausedUntil
}

// Reasons of pauses, for what attempts have found out.
const (
	reasonGone    = "the destination says that it is gone"
	reasonFailing = "every attempt has failed since " // and when
)

// down reports whether nothing is attempted in a lane since its destination fails: its
// breaker is open, or it is gone or given up. A pause by hand, or one that the
// destination has asked for, is none of that.
func (s *scheduler) down(key queue.Lane) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[key]
	switch {
	case l == nil:
		return false
	case !l.pausedUntil.IsZero():
		return l.reason == reasonGone || strings.HasPrefix(l.reason, reasonFailing)
	default:
		return !l.heldUntil().IsZero()
	}
}

// limitOf is how many attempts the lane may have at once.
func (s *scheduler) limitOf(l *lane) int {
	if l.pickup {
		return 1 // what has waited arrives in order
	}
	if l.health != nil && l.health.width > 0 {
		return min(l.health.width, s.rules.limit)
	}
	return s.rules.limit
}

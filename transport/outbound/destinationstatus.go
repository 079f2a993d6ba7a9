package outbound

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// BreakerState is what a destination's breaker does.
type BreakerState string

// The states of a breaker.
const (
	BreakerClosed   BreakerState = "closed"    // attempts are made
	BreakerOpen     BreakerState = "open"      // none are made
	BreakerHalfOpen BreakerState = "half-open" // one at a time is made
)

// Destination is what the manager knows of a destination of a profile.
type Destination struct {
	Lane    queue.Lane
	Breaker BreakerState
	// OpenUntil is when an open breaker lets an attempt through.
	OpenUntil time.Time
	// Failures is how many attempts have failed in a row in the life of the manager,
	// and FailingSince when the first of them ended, or the first in an earlier life.
	Failures     int
	FailingSince time.Time
	// Class and Error are of the latest of them. The text holds no secrets.
	Class transport.Class
	Error string
	// PausedUntil is zero where it is not paused, and queue.Forever where it is until
	// somebody resumes it.
	PausedUntil time.Time
	Reason      string // of the pause
	InFlight    int    // attempts under way
	Rate        Rate   // zero: not bounded
}

// Destination returns what is known of one destination. One that nothing is known
// of is well.
func (m *Manager) Destination(ctx context.Context, key queue.Lane) Destination {
	d := m.sched.destination(key)
	d.Rate = m.rateOf(ctx, key.Profile)
	return d
}

// Destinations lists those that are paused, and those whose latest attempt failed,
// in the order of profile and destination.
func (m *Manager) Destinations(ctx context.Context) []Destination {
	all := m.sched.troubled()
	slices.SortFunc(all, func(a, b Destination) int {
		return cmp.Or(cmp.Compare(a.Lane.Profile, b.Lane.Profile), cmp.Compare(a.Lane.Destination, b.Lane.Destination))
	})
	rates := map[string]Rate{}
	for i := range all {
		id := all[i].Lane.Profile
		if _, known := rates[id]; !known {
			rates[id] = m.rateOf(ctx, id)
		}
		all[i].Rate = rates[id]
	}
	return all
}

// status is what is known of the lane but for its rate.
func (l *lane) status() Destination {
	d := Destination{
		Lane: l.key, Breaker: BreakerClosed, PausedUntil: l.pausedUntil, Reason: l.reason, InFlight: l.running,
	}
	if h := l.health; h != nil {
		d.Failures, d.FailingSince, d.Class, d.Error, d.OpenUntil = h.failures, h.since, h.class, h.err, h.openUntil
		switch {
		case !h.openUntil.IsZero():
			d.Breaker = BreakerOpen
		case h.coolOff > 0:
			d.Breaker = BreakerHalfOpen
		}
	}
	return d
}

func (s *scheduler) destination(key queue.Lane) Destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[key]; l != nil {
		return l.status()
	}
	return Destination{Lane: key, Breaker: BreakerClosed}
}

// troubled returns the lanes that are paused or whose destinations fail.
func (s *scheduler) troubled() []Destination {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Destination
	for _, l := range s.lanes {
		if !l.pausedUntil.IsZero() || l.health != nil && !l.health.since.IsZero() {
			all = append(all, l.status())
		}
	}
	return all
}

// DestinationCounts counts destinations. One that is paused may fail, too.
type DestinationCounts struct {
	Failing int `json:"failing"` // the latest attempt failed
	Open    int `json:"open"`    // of these, those whose breaker is open or half-open
	Paused  int `json:"paused"`
}

func (s *scheduler) countDestinations() (counts DestinationCounts) {
	for _, d := range s.troubled() {
		if !d.FailingSince.IsZero() {
			counts.Failing++
		}
		if d.Breaker != BreakerClosed {
			counts.Open++
		}
		if !d.PausedUntil.IsZero() {
			counts.Paused++
		}
	}
	return counts
}

package outbound

import "time"

const (
	// maxQuiet is how many lanes without work are remembered, but for those that
	// were promised to be.
	maxQuiet = 10_000
	// healthKept is how long a destination without work is remembered as failing.
	healthKept = day
)

// forget drops a lane without work, once nothing about it is worth remembering: the
// failures of its destination, or the tokens it has taken.
func (s *scheduler) forget(l *lane, now time.Time) {
	until := l.full
	failing := l.health != nil && !l.health.since.IsZero()
	if failing {
		until = laterOf(until, l.health.last.Add(healthKept))
	}
	promised := l.full.After(now) || failing && l.health.kept
	if until.After(now) && (promised || s.quiet < maxQuiet) {
		l.quiet = true
		s.quiet++
		s.setLater(l, until)
		return
	}
	s.later.remove(l)
	if failing && l.health.kept {
		s.keep(l)
	}
	delete(s.lanes, l.key)
	s.ring.leave(l.tenant)
}

package outbound

import (
	"time"

	"github.com/outrider-go/outrider/queue"
)

// WaitingFor is what holds back a message beyond its own time.
type WaitingFor string

// What a message may wait for.
const (
	// WaitingForResume: its destination is paused, by hand, because it asked for that
	// or because it was given up.
	WaitingForResume WaitingFor = "destination_paused"
	// WaitingForRecovery: its destination fails, and its breaker is open, or lets one
	// attempt at a time through.
	WaitingForRecovery WaitingFor = "destination_failing"
	// WaitingForRate: the destination has had all the attempts that its rate allows
	// for now.
	WaitingForRate WaitingFor = "destination_rate"
	// WaitingForRecipient: whom it is for is away, and comes by itself.
	WaitingForRecipient WaitingFor = "recipient"
	// WaitingForTurn: another message with its ordering key has the turn.
	WaitingForTurn WaitingFor = "ordering"
)

// Wait says why a message that could be due is not attempted.
type Wait struct {
	For   WaitingFor // empty: nothing but its own time holds it back
	Until time.Time  // zero: nobody knows, or until it is resumed
}

// Waits says of each record what holds it back: what concerns its destination before
// what concerns the message alone. What ends before the record's own NextAt does not
// hold it back.
func (m *Manager) Waits(records []queue.Record) []Wait {
	waits := make([]Wait, len(records))
	now, lanes := time.Now(), map[queue.Lane]Wait{}
	for i := range records {
		r := &records[i]
		if r.State != queue.StatePending && r.State != queue.StateRetry || r.NextAt.IsZero() {
			continue
		}
		at, known := lanes[r.Lane]
		if !known {
			at = m.sched.waitIn(r.Lane, now)
			lanes[r.Lane] = at
		}
		due := !r.NextAt.After(now)
		switch {
		case at.holds(r.NextAt, due):
			waits[i] = at
		case r.Behind && due:
			waits[i] = Wait{For: WaitingForTurn}
		}
	}
	return waits
}

// holds reports whether what a lane waits for holds back a message of it. What lets
// one attempt at a time through does so only for messages that are due.
func (w Wait) holds(next time.Time, due bool) bool {
	switch {
	case w.For == "":
		return false
	case !w.Until.IsZero():
		return w.Until.After(next)
	default:
		return due || w.For == WaitingForResume || w.For == WaitingForRecipient
	}
}

// waitIn is what the lane's messages that are due wait for.
func (s *scheduler) waitIn(key queue.Lane, now time.Time) Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.lanes[key]
	if l == nil {
		return Wait{}
	}
	switch h := l.health; {
	case l.pausedUntil.Equal(queue.Forever):
		return Wait{For: WaitingForResume}
	case l.pausedUntil.After(now):
		return Wait{WaitingForResume, l.pausedUntil}
	case h != nil && h.openUntil.After(now):
		return Wait{WaitingForRecovery, h.openUntil}
	case h != nil && h.coolOff > 0 && !s.hasRoom(l):
		return Wait{For: WaitingForRecovery}
	case l.away:
		return Wait{For: WaitingForRecipient}
	case l.tokenAt().After(now):
		return Wait{For: WaitingForRate}
	}
	return Wait{}
}

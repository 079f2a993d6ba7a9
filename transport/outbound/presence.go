package outbound

import (
	"strings"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// A destination can be away: then it comes by itself, and nothing is attempted
// before somebody says that it is there. Its lane stands neither in the ring nor
// in the heap meanwhile, and its messages wait in the store.

// isPickup reports a lane whose messages wait for their recipient.
func isPickup(key queue.Lane) bool {
	return strings.HasPrefix(key.Destination, transport.SchemePickup+":")
}

// isPeer reports a lane of sessions. How they fare says nothing of a destination
// that could be left alone, or given up.
func isPeer(key queue.Lane) bool {
	return isPickup(key) || strings.HasPrefix(key.Destination, transport.SchemeSession+":")
}

// Arrived has what waits for a destination that was away be attempted again. keys
// are those of a peer that has come, or destinations of transports whose
// [DeliveryError] said Away. It may be called at any time, often, and for what
// nothing waits for. Where something waits for a peer, Arrived announces it with
// [Sessions].Reaches.
func (m *Manager) Arrived(profile string, keys ...string) {
	keys = transport.PeerKeys(keys)
	lanes, more := m.load.waitingFor(profile, keys)
	for _, key := range keys {
		lanes = append(lanes, queue.Lane{Profile: profile, Destination: key})
	}
	m.sched.arrived(lanes)
	if more {
		m.options.Sessions.Reaches(profile, transport.Peer{Keys: keys})
	}
}

func (s *scheduler) arrived(lanes []queue.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrivals.Add(1)
	for _, key := range lanes {
		s.comeBack(key)
	}
}

// goAway has a lane wait for its destination, unless something has arrived since
// seen was read: then it is worth another attempt.
func (s *scheduler) goAway(l *lane, seen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l.away = s.arrivals.Load() == seen
}

// recheck has a lane whose destination is away looked at again, when a message of
// it has ended: it may have been the last.
func (s *scheduler) recheck(key queue.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.comeBack(key)
}

// comeBack ends the wait of a lane, if it waits.
func (s *scheduler) comeBack(key queue.Lane) {
	if l := s.lanes[key]; l != nil && l.away {
		l.away = false
		s.place(l, time.Now())
	}
}

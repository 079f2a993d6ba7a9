package outbound

import (
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// presence knows the lanes whose destination is away: one that comes by itself, so
// that nothing is attempted before it is said to be there. Such a lane stands
// neither in the ring nor in the heap, and its messages wait in the store.
type presence struct {
	arrivals atomic.Uint64 // counts what arrived has been told
	away     map[presenceKey][]*lane
}

// presenceKey is what a destination arrives under.
type presenceKey struct{ profile, key string }

// keysOf lists what a lane's destination arrives under: any key of a peer, and for
// others the destination itself.
func keysOf(l *lane) []presenceKey {
	names := []string{l.key.Destination}
	if l.pickup {
		names = peerKeys(l.key.Destination)
	}
	keys := make([]presenceKey, len(names))
	for i, name := range names {
		keys[i] = presenceKey{l.key.Profile, name}
	}
	return keys
}

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
// are those of a peer that has come, or destinations as a transport's
// [DeliveryError] with Away named them. It may be called at any time, often, and
// for what nothing waits for. Where something waits for a peer, Arrived announces
// it with [Sessions].Reaches.
func (m *Manager) Arrived(profile string, keys ...string) {
	if m.sched.arrived(profile, keys) {
		m.options.Sessions.Reaches(profile, transport.Peer{Keys: keys})
	}
}

// arrived reports whether something has waited.
func (s *scheduler) arrived(profile string, keys []string) (awaited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presence.arrivals.Add(1)
	for _, key := range keys {
		for _, l := range slices.Clone(s.presence.away[presenceKey{profile, key}]) {
			s.comeBack(l)
			awaited = true
		}
	}
	return awaited
}

// goAway has a lane wait for its destination, unless something has arrived since
// seen was read: then it is worth another attempt.
func (s *scheduler) goAway(l *lane, seen uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l.away || s.presence.arrivals.Load() != seen {
		return
	}
	l.away = true
	for _, key := range keysOf(l) {
		if s.presence.away == nil {
			s.presence.away = map[presenceKey][]*lane{}
		}
		s.presence.away[key] = append(s.presence.away[key], l)
	}
}

// recheck has a lane whose destination is away looked at again, when a message of
// it has ended: it may have been the last.
func (s *scheduler) recheck(key queue.Lane) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l := s.lanes[key]; l != nil && l.away {
		s.comeBack(l)
	}
}

// comeBack ends the wait of a lane.
func (s *scheduler) comeBack(l *lane) {
	l.away = false
	for _, key := range keysOf(l) {
		others := slices.DeleteFunc(s.presence.away[key], func(other *lane) bool { return other == l })
		if len(others) > 0 {
			s.presence.away[key] = others
		} else {
			delete(s.presence.away, key)
		}
	}
	s.place(l, time.Now())
}

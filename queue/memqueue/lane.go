package memqueue

import (
	"cmp"

	"github.com/outrider-go/outrider/queue"
)

// unwatched is the slot of a lane without leases.
const unwatched = -1

// lane holds the items of one destination that can be leased or are leased. It
// exists while the store has a record for that destination.
type lane struct {
	key     queue.Lane
	tiers   tiers
	ordered table[string, *turns] // by ordering key: also those that wait for their turn
	leased  list                  // in the order in which the leases run out
	until   int64                 // the tick at which the first of them does; 0: there is none
	recent  [4]*address           // of the messages enqueued last, to share them
	oldest  uint8                 // in recent
	records int
	slot    int32 // in the store's heap of lanes with leases
	listed  bool  // among the store's busy lanes
}

func compareLanes(a, b queue.Lane) int {
	return cmp.Or(cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Destination, b.Destination))
}

// before orders the store's heap of lanes with leases.
func (l *lane) before(other *lane) bool { return l.until < other.until }
func (l *lane) moveTo(slot int)         { l.slot = int32(slot) } //nolint:gosec // fewer than 2 billion lanes

// addressOf returns the address of a message for this lane: one that is shared
// with other messages where it can be.
func (l *lane) addressOf(m *queue.Message) *address {
	for _, a := range l.recent {
		if a != nil && a.of(m) {
			return a
		}
	}
	a := newAddress(l, m)
	l.recent[l.oldest] = a
	l.oldest = (l.oldest + 1) % uint8(len(l.recent))
	return a
}

// next returns the tick at which the lane has its next item, if there is one. A
// lease counts with the tick at which it runs out.
func (l *lane) next() (tick int64, ok bool) {
	tick = l.tiers.next()
	if l.until != 0 {
		tick = min(tick, l.until)
	}
	return tick, l.busy()
}

// busy reports whether the lane has work, now or later.
func (l *lane) busy() bool { return !l.tiers.empty() || l.until != 0 }

// lane returns a lane, which it makes where there is none.
func (s *Store) lane(key queue.Lane) *lane {
	l := s.lanes.get(key)
	if l == nil {
		l = &lane{key: key, slot: unwatched}
		s.lanes.set(key, l)
	}
	return l
}

// leaveLane counts a record out, and forgets the lane with its last record.
func (s *Store) leaveLane(l *lane) {
	if l.records--; l.records > 0 {
		return
	}
	if l.listed {
		s.busy.remove(l.key)
	}
	s.lanes.remove(l.key)
}

package memqueue

import (
	"bytes"

	"github.com/outrider-go/outrider/queue"
)

// place is where an item is. Every item is in exactly one place.
type place uint8

// The places. What is ready, returned, waiting or leased is its lane's work.
const (
	placeReady     place = iota + 1 // in its tier's list, in the order in which items fell due
	placeReturned                   // in its tier's list: the lease ran out
	placeWaiting                    // in its tier's heap, by the tick at which it is due
	placeBlocked                    // among the turns of its ordering key, which another has
	placeLeased                     // in its lane's list, by the tick at which the lease runs out
	placeParked                     // nowhere but in the index
	placeOverdue                    // in the store's list: expired or cancelled, and for Expire to end
	placeDelivered                  // in the store's list of its result, as the next three
	placeDead
	placeCancelled
	placeExpired
)

func (p place) done() bool { return p >= placeDelivered }

// leasable says that a lease is a matter of time.
func (p place) leasable() bool { return p <= placeBlocked }

// expirable says that the item, unleased, has to leave when it expires.
func (p place) expirable() bool { return p.leasable() || p == placeParked }

func (p place) result() queue.Result {
	switch p {
	case placeDelivered:
		return queue.Delivered
	case placeDead:
		return queue.Dead
	case placeCancelled:
		return queue.Cancelled
	case placeExpired:
		return queue.Expired
	default:
		return ""
	}
}

// The orders of the heaps.
type (
	byDue      struct{ *item }
	byExpiry   struct{ *item }
	byDeadline struct{ *item }
)

func (a byDue) before(b byDue) bool {
	return a.due < b.due || a.due == b.due && bytes.Compare(a.id[:], b.id[:]) < 0
}
func (a byDue) moveTo(slot int) { a.slot = int32(slot) } //nolint:gosec // fewer than 2 billion items

func (a byExpiry) before(b byExpiry) bool { return a.extra.expires < b.extra.expires }
func (a byExpiry) moveTo(slot int)        { a.extra.slot = int32(slot) } //nolint:gosec // as above

func (a byDeadline) before(b byDeadline) bool { return a.deadline() < b.deadline() }
func (a byDeadline) moveTo(slot int)          { a.extra.slot = int32(slot) } //nolint:gosec // as above

// deadline is when Expire is to end a leased item: not before its lease has run
// out, and just then where it is cancelled.
func (a byDeadline) deadline() int64 {
	if a.cancelled {
		return a.due
	}
	return max(a.extra.expires, a.due)
}

// tier returns where the item waits while it can be leased.
func (it *item) tier() *tier { return it.address.lane.tiers.of(it) }

// list returns the list that the item's place is, nil where it is none.
func (s *Store) list(it *item) *list {
	switch it.place {
	case placeReady:
		return &it.tier().ready
	case placeReturned:
		return &it.tier().returned
	case placeOverdue:
		return &s.overdue
	case placeDelivered, placeDead, placeCancelled, placeExpired:
		return &s.ended[it.place-placeDelivered]
	default:
		return nil
	}
}

// put puts an item that is nowhere into a place.
func (s *Store) put(it *item, p place) {
	it.place = p
	lane := it.address.lane
	if list := s.list(it); list != nil {
		list.push(it)
	} else if p == placeWaiting {
		it.tier().waiting.push(byDue{it})
	} else if p == placeLeased {
		it.slot = s.seats.take(it)
		lane.leased.insert(it)
		if lane.leased.first == it {
			s.watch(lane)
		}
	}
	if it.hasDeadline() {
		s.deadlines.push(byDeadline{it})
	} else if it.expires() != 0 && p.expirable() {
		s.expiring.push(byExpiry{it})
	}
	s.held[p] += it.held()
	if !lane.listed && lane.busy() {
		lane.listed = true
		s.busy.insert(lane)
	}
}

// take takes an item out of its place.
func (s *Store) take(it *item) {
	lane := it.address.lane
	if it.hasDeadline() {
		s.deadlines.remove(int(it.extra.slot))
	} else if it.expires() != 0 && it.place.expirable() {
		s.expiring.remove(int(it.extra.slot))
	}
	s.held[it.place] -= it.held()
	if list := s.list(it); list != nil {
		list.remove(it)
	} else if it.place == placeWaiting {
		it.tier().waiting.remove(int(it.slot))
	} else if it.place == placeLeased {
		s.seats.free(it.slot)
		first := lane.leased.first == it
		lane.leased.remove(it)
		if first {
			s.watch(lane)
		}
	}
}

// watch keeps the lane where it belongs among those that have leases. It is called
// when the first of the lane's is another, or runs out at another tick.
func (s *Store) watch(l *lane) {
	if l.leased.first == nil {
		s.leasing.remove(int(l.slot))
		l.slot, l.until = unwatched, 0
		return
	}
	l.until = l.leased.first.due
	if l.slot == unwatched {
		s.leasing.push(l)
	} else {
		s.leasing.fix(int(l.slot))
	}
}

// sweep moves items whose lease has run out, and items that have expired, and
// forgets keys, as many as steps, and says whether these were all. It ends none:
// that is for Expire, which tells.
func (s *Store) sweep(now instant, steps int) bool {
	for ; len(s.leasing) > 0; steps-- {
		l := s.leasing[0]
		if l.until > now.tick {
			break
		}
		if steps == 0 {
			return false
		}
		it := l.leased.first
		s.take(it)
		if it.cancelled {
			s.put(it, placeOverdue)
		} else {
			s.put(it, placeReturned)
		}
	}
	for ; len(s.expiring) > 0; steps-- {
		it := s.expiring[0].item
		if it.extra.expires > now.wall {
			break
		}
		if steps == 0 {
			return false
		}
		s.take(it)
		s.put(it, placeOverdue)
	}
	return s.forgetKeys(now, steps)
}

// finish ends an item.
func (s *Store) finish(it *item, end place, now instant) {
	s.take(it)
	s.waiting--
	it.updated = now.wall
	it.parked, it.cancelled = false, false
	s.leave(it, now)
	if end == placeDelivered {
		it.due = it.size()
		s.bytes -= it.due
		it.payload, it.metadata = nil, nil
	}
	s.put(it, end)
}

package memqueue

import "bytes"

// turns are the items of a lane with one ordering key that are neither done nor
// parked. One of them has the turn; the others wait for it, in no lane's tiers.
type turns struct {
	// holder has the turn. While all are aside it is the one that is due first, and
	// has the turn only once it is due.
	holder *item
	behind heap[byID]  // the others
	aside  heap[byDue] // but for those that were skipped, and were not due when last looked at
}

// byID is the order in which items get the turn.
type byID struct{ *item }

func (a byID) before(b byID) bool { return bytes.Compare(a.id[:], b.id[:]) < 0 }
func (a byID) moveTo(slot int)    { byDue(a).moveTo(slot) }

// isAside reports whether an item was skipped and is not due.
func (it *item) isAside(now instant) bool {
	return it.extra.seldom.skipped && it.due > now.tick
}

// add has an item wait for the turn.
func (t *turns) add(it *item, now instant) {
	it.extra.seldom.skipped = it.isAside(now)
	if it.extra.seldom.skipped {
		t.aside.push(byDue{it})
	} else {
		t.behind.push(byID{it})
	}
}

// remove takes an item out that waits for the turn.
func (t *turns) remove(it *item) {
	if it.extra.seldom.skipped {
		t.aside.remove(int(it.slot))
	} else {
		t.behind.remove(int(it.slot))
	}
}

// elect gives the turn to one of those that wait, if there is one.
func (t *turns) elect(now instant) {
	for len(t.aside) > 0 && !t.aside[0].isAside(now) {
		back := t.aside[0].item
		t.aside.remove(0)
		t.add(back, now)
	}
	switch {
	case len(t.behind) > 0:
		t.holder = t.behind[0].item
		t.behind.remove(0)
	case len(t.aside) > 0:
		t.holder = t.aside[0].item
		t.aside.remove(0)
	default:
		t.holder = nil
	}
}

// join adds an item that is nowhere to those of its ordering key, and reports
// whether it has the turn.
func (s *Store) join(it *item, now instant) bool {
	lane, seldom := it.address.lane, it.extra.seldom
	t := lane.ordered.get(seldom.ordering)
	if t == nil {
		t = &turns{}
		lane.ordered.set(seldom.ordering, t)
	}
	seldom.turns = t
	t.add(it, now)
	if holder := t.holder; holder == nil {
		t.elect(now)
	} else if holder.isAside(now) {
		s.block(holder)
		t.add(holder, now)
		if t.elect(now); t.holder == holder {
			s.admit(holder, now)
		}
	}
	return t.holder == it
}

// leave takes an item out of those of its ordering key, if it is one of them. If
// it had the turn, another gets it.
func (s *Store) leave(it *item, now instant) {
	if it.extra == nil || it.extra.seldom == nil || it.extra.seldom.turns == nil {
		return
	}
	seldom := it.extra.seldom
	t := seldom.turns
	if t.holder != it {
		t.remove(it)
	} else if t.elect(now); t.holder != nil {
		s.admit(t.holder, now)
	} else {
		it.address.lane.ordered.remove(seldom.ordering)
	}
	seldom.turns, seldom.skipped = nil, false
}

// skip has an item that is nowhere, and is to be scheduled, give up the turn.
func (s *Store) skip(it *item, now instant) {
	if it.rarest().ordering != "" {
		s.leave(it, now)
		it.extra.seldom.skipped = true
	}
}

// admit puts an item that got the turn where it waits for its attempt. One that is
// for Expire to end stays where it is, and holds up the others.
func (s *Store) admit(it *item, now instant) {
	if it.place == placeBlocked {
		s.take(it)
		s.wait(it, now)
	}
}

// block is the opposite of admit.
func (s *Store) block(it *item) {
	if it.place == placeWaiting {
		s.take(it)
		s.put(it, placeBlocked)
	}
}

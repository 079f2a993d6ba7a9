package queuetest

import (
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func expireCases() []testCase {
	return []testCase{
		{name: "nothing expires", run: nothingExpires},
		{name: "what has expired", run: hasExpired},
		{name: "when the next expires", run: nextExpires},
		{name: "some at a time", run: expireLimit},
		{name: "not while leased", run: leasedDoesNotExpire},
		{name: "after the lease", run: expiresAfterLease},
		{name: "wherever it waits", run: expiresAnywhere},
		{name: "is not leased before it is ended", run: expiredIsNotLeased},
		{name: "what was cancelled while leased", run: expireCancelled},
		{name: "cancelled and expired, some at a time", run: expireBoth},
	}
}

// expire checks which records Expire ends as expired, in any order, and returns
// when the next one ends.
func (x *trial) expire(limit int, want ...transport.ID) time.Time {
	x.Helper()
	records, next := x.ends(limit, want...)
	for _, r := range records {
		if r.Result != queue.Expired || r.Status != queue.StatusUndeliverable {
			x.Errorf("expired: %+v", r)
		}
	}
	return next
}

// ends checks which records Expire ends, in any order, and returns them, and when
// the next one ends.
func (x *trial) ends(limit int, want ...transport.ID) ([]queue.Record, time.Time) {
	x.Helper()
	records, next, err := x.store.Expire(x.Context(), limit)
	if err != nil {
		x.Fatalf("expire: %v", err)
	}
	got := recordIDs(records)
	slices.SortFunc(got, compareIDs)
	slices.SortFunc(want, compareIDs)
	same(x, "ended", got, want)
	for _, r := range records {
		if r.State != queue.StateDone || r.Payload != nil || !r.NextAt.IsZero() {
			x.Errorf("ended: %+v", r)
		}
		x.about("UpdatedAt", r.UpdatedAt, time.Now())
		x.has(queue.StateDone, r.Result, r.ID)
	}
	return records, next
}

// mortal returns a message that expires after some units.
func (x *trial) mortal(lane queue.Lane, units int) queue.Message {
	m := x.message(lane)
	m.ExpiresAt = time.Now().Add(time.Duration(units) * x.unit)
	return m
}

func nothingExpires(x *trial) {
	x.at("next in an empty store", x.expire(10), time.Time{})
	x.add(laneA(), 3)
	x.at("next without ExpiresAt", x.expire(10), time.Time{})
	x.enqueue(x.mortal(laneB(), 1))
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneB(), 1)...)
	x.at("next with a dead one", x.expire(10), time.Time{})
	x.advance(x.unit + precision)
	x.at("next with a dead one that has expired", x.expire(10), time.Time{})
}

func hasExpired(x *trial) {
	first, second, later := x.mortal(laneA(), 1), x.mortal(laneB(), 1), x.mortal(laneA(), 5)
	x.enqueue(first, second, later)
	x.add(laneA(), 1)
	x.expire(10)
	x.advance(x.unit + precision)
	before := x.get(first.ID)
	if before.State != queue.StatePending || before.Result != "" {
		x.Errorf("before Expire the record is %s %s, want pending", before.State, before.Result)
	}
	x.at("next", x.expire(10, first.ID, second.ID), later.ExpiresAt)
	x.expire(10)
	r := x.get(first.ID)
	x.about("UpdatedAt", r.UpdatedAt, time.Now())
	x.at("NextAt", r.NextAt, time.Time{})
	x.at("ExpiresAt", r.ExpiresAt, first.ExpiresAt)
	x.has(queue.StatePending, "", later.ID)
}

func nextExpires(x *trial) {
	late, soon := x.mortal(laneA(), 9), x.mortal(laneB(), 3)
	x.enqueue(late)
	x.at("with one", x.expire(10), late.ExpiresAt)
	x.enqueue(soon)
	x.at("with two", x.expire(10), soon.ExpiresAt)
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneB(), 1)...)
	x.at("with one delivered", x.expire(10), late.ExpiresAt)
	x.cancel(queue.Query{})
	x.at("with the other cancelled", x.expire(10), time.Time{})
}

func expireLimit(x *trial) {
	var ids []transport.ID
	for i := range 5 {
		m := x.mortal(laneA(), 1)
		m.ExpiresAt = m.ExpiresAt.Add(time.Duration(i) * 10 * precision)
		ids = append(ids, x.enqueue(m)...)
	}
	later := x.mortal(laneA(), 9)
	x.enqueue(later)
	x.advance(2 * x.unit)
	for _, part := range [][]transport.ID{ids[:2], ids[2:4]} {
		if next := x.expire(2, part...); next.IsZero() || next.After(time.Now()) {
			x.Errorf("with more to expire the next is at %v", next)
		}
	}
	x.at("next after the last", x.expire(2, ids[4]), later.ExpiresAt)
}

func leasedDoesNotExpire(x *trial) {
	m := x.mortal(laneA(), 1)
	x.enqueue(m)
	l := x.lease(laneA(), 1)[0]
	x.about("next, by the lease", x.expire(10), time.Now().Add(10*x.unit))
	x.advance(x.unit + precision)
	if next := x.expire(10); !next.After(time.Now()) {
		x.Errorf("the next is at %v, while the only one is leased", next)
	}
	x.has(queue.StateDeliver, "", m.ID)
	x.extend(10*x.unit, l.Ref())
	x.end(queue.VerdictDelivered, time.Time{}, l)
	x.has(queue.StateDone, queue.Delivered, m.ID)
	x.at("next after", x.expire(10), time.Time{})
}

func expiresAfterLease(x *trial) {
	for _, test := range []struct {
		name  string
		leave func(queue.Leased)
	}{
		{"retry", func(l queue.Leased) { x.end(queue.VerdictRetry, time.Now().Add(5*x.unit), l) }},
		{"retry at once", func(l queue.Leased) { x.end(queue.VerdictRetry, time.Time{}, l) }},
		{"release", func(l queue.Leased) { x.end(queue.VerdictRelease, time.Time{}, l) }},
		{"park", func(l queue.Leased) { x.end(queue.VerdictPark, time.Time{}, l) }},
		{"the lease runs out", func(queue.Leased) { x.advance(3 * x.unit) }},
	} {
		m := x.mortal(laneA(), 1)
		x.enqueue(m)
		l := x.leaseFor(3*x.unit, laneA())
		x.advance(x.unit + precision)
		next := x.expire(10)
		if next.IsZero() || !next.After(time.Now()) {
			x.Errorf("%s: while leased, the next is at %v", test.name, next)
		}
		test.leave(l)
		x.leaseNone(laneA())
		x.expire(10, m.ID)
	}
}

func expiresAnywhere(x *trial) {
	waits, ready, parked, retried := x.mortal(laneA(), 2), x.mortal(laneA(), 2), x.mortal(laneB(), 2), x.mortal(laneB(), 2)
	waits.NotBefore = time.Now().Add(x.unit)
	x.enqueue(waits, ready, parked)
	x.end(queue.VerdictPark, time.Time{}, x.lease(laneB(), 1)...)
	x.enqueue(retried)
	x.end(queue.VerdictRetry, time.Now().Add(time.Second/10), x.lease(laneB(), 1)...)
	x.advance(2*x.unit + precision)
	x.expire(10, waits.ID, ready.ID, parked.ID, retried.ID)
}

func expiredIsNotLeased(x *trial) {
	var alive []transport.ID
	for i := range 10 {
		if i%3 == 1 {
			alive = append(alive, x.add(laneA(), 1)...)
		} else {
			x.enqueue(x.mortal(laneA(), 1))
		}
	}
	waits := x.mortal(laneA(), 1)
	waits.NotBefore = time.Now().Add(x.unit / 2)
	x.enqueue(waits)
	x.advance(x.unit + precision)
	leased, next := x.budget(laneA(), 2)
	same(x, "leased", leasedIDs(leased), alive[:2])
	if next.After(time.Now()) || next.IsZero() {
		x.Errorf("the lane has one more, and says that it is due at %v", next)
	}
	leased, next = x.budget(laneA(), 5)
	same(x, "leased", leasedIDs(leased), alive[2:])
	x.about("NextAt, by the leases", next, time.Now().Add(10*x.unit))
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
}

// expireCancelled: the end of the lease is named, and only Expire ends it.
func expireCancelled(x *trial) {
	for _, units := range []int{0, 1, 9} { // ExpiresAt: none, before the lease ends, after
		m := x.message(laneA())
		if units > 0 {
			m = x.mortal(laneA(), units)
		}
		x.enqueue(m)
		l := x.leaseFor(3*x.unit, laneA())
		x.cancel(queue.Query{IDs: []transport.ID{m.ID}})
		x.about("next, by the lease", x.expire(10), time.Now().Add(3*x.unit))
		x.advance(2 * x.unit)
		x.extend(2*x.unit, l.Ref())
		x.about("next, by the lease extended", x.expire(10), time.Now().Add(2*x.unit))
		x.advance(2*x.unit + precision)
		x.lapsed(m.ID, l)
		records, next := x.ends(10, m.ID)
		if len(records) == 1 && (records[0].Result != queue.Cancelled || records[0].Status != queue.StatusQueued) {
			x.Errorf("ended: %+v, want it cancelled", records[0])
		}
		x.at("next after", next, time.Time{})
		x.expire(10)
	}
}

// lapsed checks a record that was cancelled while leased and whose lease ran out:
// nothing but Expire ends it, and nothing leases it again.
func (x *trial) lapsed(id transport.ID, l queue.Leased) {
	x.Helper()
	if leased, next := x.budget(laneA(), 1); len(leased) != 0 || !next.IsZero() {
		x.Errorf("leased %d messages of a cancelled record, the next at %v", len(leased), next)
	}
	if due, err := x.store.Due(x.Context(), queue.Lane{}, 10); err != nil || len(due) != 0 {
		x.Errorf("due: %v, %v, want nothing", due, err)
	}
	x.lost(l.Ref())
	if records := x.cancel(queue.Query{IDs: []transport.ID{id}}); len(records) != 1 || records[0].Result != "" {
		x.Errorf("cancelled again: %+v, want it as it was", records)
	}
	if records := x.replay(queue.Query{IDs: []transport.ID{id}}); len(records) != 0 {
		x.Errorf("replayed %+v, which has not ended", records)
	}
	if r := x.get(id); r.State != queue.StatePending || r.Result != "" || !r.NextAt.IsZero() {
		x.Errorf("before Expire the record is %s %s, next at %v, want pending and no time", r.State, r.Result, r.NextAt)
	}
}

// expireBoth: what is cancelled and what has expired share the limit.
func expireBoth(x *trial) {
	cancelled := x.add(laneA(), 3)
	for range cancelled {
		x.leaseFor(x.unit, laneA())
	}
	x.cancel(queue.Query{})
	first, second := x.mortal(laneB(), 1), x.mortal(laneB(), 1)
	want := append(x.enqueue(first, second), cancelled...)
	x.advance(x.unit + x.slack + precision)
	results := map[queue.Result]int{}
	for round := range 3 {
		records, next, err := x.store.Expire(x.Context(), 2)
		if err != nil || len(records) != min(2, len(want)-2*round) {
			x.Fatalf("round %d: %d records, %v", round, len(records), err)
		}
		if more := round < 2; more == (next.IsZero() || next.After(time.Now())) {
			x.Errorf("round %d: the next is at %v", round, next)
		}
		for _, r := range records {
			results[r.Result]++
		}
	}
	if results[queue.Cancelled] != 3 || results[queue.Expired] != 2 {
		x.Errorf("the results are %v, want 3 cancelled and 2 expired", results)
	}
	x.has(queue.StateDone, queue.Cancelled, cancelled...)
	x.has(queue.StateDone, queue.Expired, first.ID, second.ID)
}

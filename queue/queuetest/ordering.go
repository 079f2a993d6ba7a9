package queuetest

import (
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func orderingCases() []testCase {
	return []testCase{
		{name: "one at a time", run: oneOfKey},
		{name: "a key belongs to its lane", run: orderingOfLane},
		{name: "the first holds up the others", run: firstHoldsUp},
		{name: "a retry keeps the turn", run: retryKeepsTurn},
		{name: "a lease that runs out keeps the turn", run: runOutKeepsTurn},
		{name: "the turn passes", run: turnPasses},
		{name: "the turn passes by cancel", run: turnPassesByCancel},
		{name: "the turn passes by expire", run: turnPassesByExpire},
		{name: "the turn passes to one that is not due", run: turnPassesToWaiting},
		{name: "the turn passes to one that has expired", run: turnPassesToExpired},
		{name: "one that waits for the turn ends", run: waitingForTurnEnds},
		{name: "a replay", run: replayJoins},
		{name: "a replay where none has the turn", run: replayTakesTurn},
		{name: "priorities", run: orderingAndPriority},
		{name: "a thousand of one key", run: thousandOfKey},
		{name: "many workers", run: orderedWorkers},
		{name: "the order is kept", run: reopenOrdering, reopens: true},
	}
}

// ordered returns n messages with an ordering key.
func (x *trial) ordered(key string, lane queue.Lane, n int) []queue.Message {
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = x.message(lane)
		batch[i].OrderingKey = key
	}
	return batch
}

// addOrdered keeps n messages with one ordering key for the first lane.
func (x *trial) addOrdered(n int) []transport.ID {
	x.Helper()
	return x.enqueue(x.ordered("k", laneA(), n)...)
}

// turn checks that one message and no other of the first lane can be leased, and
// leases it.
func (x *trial) turn(what string, id transport.ID) queue.Leased {
	x.Helper()
	x.dueNow(what)
	x.behind(what, false, id)
	leased, next := x.budget(laneA(), 9)
	if len(leased) != 1 || leased[0].ID != id {
		x.Fatalf("%s: leased %v, want %s", what, leasedIDs(leased), id)
	}
	x.about(what+": NextAt", next, time.Now().Add(10*x.unit))
	return leased[0]
}

// behind checks which messages another has the turn before.
func (x *trial) behind(what string, want bool, ids ...transport.ID) {
	x.Helper()
	for i, id := range ids {
		if got := x.get(id).Behind; got != want {
			x.Errorf("%s: Behind of message %d is %v, want %v", what, i, got, want)
		}
	}
}

// dueNow checks that the first lane alone has work, and has it now.
func (x *trial) dueNow(what string) {
	x.Helper()
	lanes := x.due(10)
	if len(lanes) != 1 || lanes[0].Lane != laneA() || lanes[0].NextAt.After(time.Now()) {
		x.Errorf("%s: due are %v, want the first lane now", what, lanes)
	}
	if _, next := x.budget(laneA(), 0); next.IsZero() || next.After(time.Now()) {
		x.Errorf("%s: NextAt is %v, want now", what, next)
	}
}

// dueAt checks that the first lane alone has work, has it at an instant and not
// yet.
func (x *trial) dueAt(what string, at time.Time) {
	x.Helper()
	x.dueLanes(what, map[queue.Lane]time.Time{laneA(): at})
	leased, next := x.budget(laneA(), 9)
	if len(leased) > 0 {
		x.Fatalf("%s: leased %v, want nothing yet", what, leasedIDs(leased))
	}
	x.about(what+": NextAt", next, at)
}

// deliver leases the messages of the first lane in turn and delivers them.
func (x *trial) deliver(what string, ids ...transport.ID) {
	x.Helper()
	for _, id := range ids {
		x.end(queue.VerdictDelivered, time.Time{}, x.turn(what, id))
	}
	x.dueLanes(what+": after all", nil)
}

func oneOfKey(x *trial) {
	k, l, free := x.ordered("k", laneA(), 3), x.ordered("l", laneA(), 2), x.ordered("", laneA(), 2)
	ids := x.enqueue(slices.Concat(k, free, l)...)
	more := x.enqueue(x.ordered("k", laneA(), 1)...)
	x.has(queue.StatePending, "", ids...)
	x.behind("those that have the turn, or no key", false, ids[0], ids[3], ids[4], ids[5])
	x.behind("the others", true, ids[1], ids[2], ids[6], more[0])
	leased, next := x.budget(laneA(), 10)
	x.behind("while the first are leased", true, ids[1], ids[6])
	same(x, "leased", leasedIDs(leased), []transport.ID{ids[0], ids[3], ids[4], ids[5]})
	x.about("NextAt", next, time.Now().Add(10*x.unit))
	x.dueLanes("all others wait for their turn", map[queue.Lane]time.Time{laneA(): time.Now().Add(10 * x.unit)})
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	leased = x.lease(laneA(), 2)
	same(x, "leased next", leasedIDs(leased), []transport.ID{ids[1], ids[6]})
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	x.deliver("the rest", ids[2], more[0])
	x.deliver("a key that was used up", x.addOrdered(2)...)
}

func orderingOfLane(x *trial) {
	lanes := []queue.Lane{laneA(), laneB(), otherLane()}
	for _, lane := range lanes {
		x.enqueue(x.ordered("k", lane, 2)...)
	}
	for _, lane := range lanes {
		x.lease(lane, 1)
		x.leaseNone(lane)
	}
}

func firstHoldsUp(x *trial) {
	batch := x.ordered("k", laneA(), 3)
	batch[0].NotBefore = time.Now().Add(2 * x.unit)
	batch[2].NotBefore = time.Now().Add(x.unit)
	ids := x.enqueue(batch...)
	x.dueAt("the first is to come", batch[0].NotBefore)
	free := x.add(laneA(), 1)
	x.deliverFree(free)
	x.advance(x.unit + precision)
	x.dueAt("others are due", batch[0].NotBefore)
	x.behind("the first is to come", true, ids[1:]...)
	x.advance(time.Until(batch[0].NotBefore) + precision)
	x.deliver("the first is due", ids...)
}

// deliverFree delivers messages of the first lane that have no ordering key.
func (x *trial) deliverFree(ids []transport.ID) {
	x.Helper()
	leased, _ := x.budget(laneA(), 9)
	same(x, "leased without a key", leasedIDs(leased), ids)
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
}

func retryKeepsTurn(x *trial) {
	ids := x.addOrdered(3)
	for _, verdict := range []queue.Verdict{queue.VerdictRetry, queue.VerdictRelease} {
		x.end(verdict, time.Time{}, x.turn("to be attempted", ids[0]))
		at := time.Now().Add(2 * x.unit)
		x.end(verdict, at, x.turn("at once again", ids[0]))
		x.dueAt("later again", at)
		x.enqueue(x.ordered("k", laneA(), 1)...)
		x.dueAt("with one more", at)
		x.behind("it waits for its retry", false, ids[0])
		x.behind("the first waits for its retry", true, ids[1:]...)
		x.advance(2*x.unit + precision)
	}
	l := x.turn("again", ids[0])
	x.cancel(queue.Query{IDs: ids[1:2]})
	x.end(queue.VerdictDelivered, time.Time{}, l)
	x.turn("the first is done, the second cancelled", ids[2])
}

func runOutKeepsTurn(x *trial) {
	ids := x.addOrdered(2)
	l := x.leaseFor(2*x.unit, laneA())
	x.dueAt("leased", time.Now().Add(2*x.unit))
	x.extend(3*x.unit, l.Ref())
	x.dueAt("extended", time.Now().Add(3*x.unit))
	x.advance(3*x.unit + precision)
	x.lost(l.Ref())
	x.deliver("after the lease", ids...)
}

func turnPasses(x *trial) {
	for _, test := range []struct {
		name    string
		outcome queue.Outcome
	}{
		{"delivered", queue.Outcome{Verdict: queue.VerdictDelivered}},
		{"dead", queue.Outcome{Verdict: queue.VerdictDead}},
		{"expired", queue.Outcome{Verdict: queue.VerdictExpired}},
		{"parked", queue.Outcome{Verdict: queue.VerdictPark}},
		{"skipped", queue.Outcome{Verdict: queue.VerdictRetry, Skip: true, At: time.Now().Add(500 * x.unit)}},
	} {
		ids := x.addOrdered(3)
		x.advance(10 * precision)
		l := x.turn(test.name, ids[0])
		test.outcome.LeaseRef = l.Ref()
		x.settle(test.outcome)
		x.end(queue.VerdictDelivered, time.Time{}, x.turn(test.name+" before", ids[1]))
		x.end(queue.VerdictDelivered, time.Time{}, x.turn(test.name+" before, and one", ids[2]))
		x.cancel(queue.Query{})
		x.dueLanes(test.name+" before, and all", nil)
	}
}

func turnPassesByCancel(x *trial) {
	ids := x.addOrdered(4)
	x.cancel(queue.Query{IDs: ids[:1]})
	l := x.turn("cancelled as it waited", ids[1])
	x.cancel(queue.Query{IDs: ids[1:2]})
	x.dueAt("cancelled as it was leased", time.Now().Add(10*x.unit))
	x.end(queue.VerdictRetry, time.Time{}, l)
	x.has(queue.StateDone, queue.Cancelled, ids[1])
	x.turn("cancelled and settled", ids[2])
	x.cancel(queue.Query{IDs: ids[2:3]})
	x.advance(10*x.unit + precision)
	x.dueLanes("cancelled, and its lease ran out", nil)
	x.leaseNone(laneA())
	x.ends(10, ids[2])
	x.deliver("cancelled and ended", ids[3])
	many := x.addOrdered(7)
	x.cancel(queue.Query{IDs: many[:6], Limit: 2})
	x.deliver("six were cancelled", many[6])
}

func turnPassesByExpire(x *trial) {
	batch := x.ordered("k", laneA(), 3)
	for i := range batch[:2] {
		batch[i].ExpiresAt = time.Now().Add(time.Duration(1+2*i) * x.unit)
	}
	ids := x.enqueue(batch...)
	x.advance(x.unit + precision)
	x.expire(10, ids[0])
	x.dueNow("the first has expired")
	l := x.leaseFor(4*x.unit, laneA())
	same(x, "leased", []transport.ID{l.ID}, ids[1:2])
	x.advance(4*x.unit + precision)
	x.expire(10, ids[1])
	x.deliver("the second has expired after its lease", ids[2])
}

func turnPassesToWaiting(x *trial) {
	batch := x.ordered("k", laneA(), 3)
	batch[1].NotBefore = time.Now().Add(2 * x.unit)
	ids := x.enqueue(batch...)
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("first", ids[0]))
	x.dueAt("the second is to come", batch[1].NotBefore)
	x.advance(time.Until(batch[1].NotBefore) + precision)
	x.deliver("the second is due", ids[1:]...)
}

// turnPassesToExpired: which holds up the others until Expire ends it.
func turnPassesToExpired(x *trial) {
	batch := x.ordered("k", laneA(), 3)
	batch[1].ExpiresAt = time.Now().Add(x.unit)
	ids := x.enqueue(batch...)
	l := x.turn("first", ids[0])
	x.advance(x.unit + precision)
	x.end(queue.VerdictDelivered, time.Time{}, l)
	x.dueLanes("the second has expired", nil)
	x.leaseNone(laneA())
	x.expire(10, ids[1])
	x.deliver("the second was ended", ids[2])
}

// waitingForTurnEnds: it is cancelled, or expires, and the first is none the wiser.
func waitingForTurnEnds(x *trial) {
	batch := x.ordered("k", laneA(), 5)
	batch[2].ExpiresAt = time.Now().Add(x.unit)
	ids := x.enqueue(batch...)
	x.cancel(queue.Query{IDs: []transport.ID{ids[1], ids[4]}})
	x.has(queue.StateDone, queue.Cancelled, ids[1], ids[4])
	x.dueNow("with two cancelled")
	x.advance(x.unit + precision)
	x.expire(10, ids[2])
	x.deliver("with one expired", ids[0], ids[3])
}

func replayJoins(x *trial) {
	ids := x.addOrdered(4)
	for _, id := range ids[:2] {
		x.end(queue.VerdictDead, time.Time{}, x.turn("to be dead", id))
	}
	l := x.turn("with two dead", ids[2])
	x.replay(queue.Query{IDs: ids[1:2]})
	x.replay(queue.Query{IDs: ids[:1]})
	x.dueAt("with two replayed", time.Now().Add(10*x.unit))
	x.end(queue.VerdictRetry, time.Time{}, l)
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("the one that has it", ids[2]))
	x.deliver("the two and the last", ids[0], ids[1], ids[3])
}

func replayTakesTurn(x *trial) {
	ids := x.addOrdered(1)
	x.end(queue.VerdictDead, time.Time{}, x.turn("to be dead", ids[0]))
	x.replay(queue.Query{})
	ids = append(ids, x.addOrdered(1)...)
	x.deliver("replayed first", ids...)
}

// orderingAndPriority: of two keys the one whose first is higher goes first, and
// what comes behind the first has no say.
func orderingAndPriority(x *trial) {
	k, l := x.ordered("k", laneA(), 2), x.ordered("l", laneA(), 2)
	k[0].Priority, k[1].Priority = queue.PriorityLow, queue.PriorityHigh
	l[0].Priority, l[1].Priority = queue.PriorityNormal, queue.PriorityLow
	x.enqueue(k...)
	x.enqueue(l...)
	leased := x.lease(laneA(), 2)
	same(x, "leased", leasedIDs(leased), []transport.ID{l[0].ID, k[0].ID})
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	same(x, "leased next", leasedIDs(x.lease(laneA(), 2)), []transport.ID{k[1].ID, l[1].ID})
}

func thousandOfKey(x *trial) {
	ids := x.addOrdered(1000)
	for _, id := range ids {
		leased := x.lease(laneA(), 1)
		if leased[0].ID != id {
			x.Fatalf("leased %s, want %s", leased[0].ID, id)
		}
		x.end(queue.VerdictDelivered, time.Time{}, leased...)
	}
	x.leaseNone(laneA())
}

// orderedWorkers has 8 workers deliver what a sender enqueues meanwhile.
func orderedWorkers(x *trial) {
	const messages = 300
	var mu sync.Mutex
	last := map[string]transport.ID{} // that was leased, by key
	delivered := 0
	watch := func(leased []queue.Leased) (over bool) {
		mu.Lock()
		defer mu.Unlock()
		for _, l := range leased {
			if compareIDs(l.ID, last[l.OrderingKey]) <= 0 {
				x.Errorf("%s came after %s", l.ID, last[l.OrderingKey])
			}
			last[l.OrderingKey] = l.ID
		}
		delivered += len(leased)
		return delivered == messages || x.Failed()
	}
	var workers sync.WaitGroup
	workers.Go(func() {
		for i := range messages {
			if _, err := x.store.Enqueue(x.Context(), x.ordered([]string{"k", "l", "m"}[i%3], laneA(), 1)); err != nil {
				x.Errorf("enqueue: %v", err)
			}
		}
	})
	for range 8 {
		workers.Go(func() {
			for over := false; !over; {
				leased, err := x.store.Lease(x.Context(), queue.LeaseRequest{
					TTL: time.Hour, Budgets: []queue.Budget{{Lane: laneA(), Max: 2}},
				}, nil)
				if err != nil {
					x.Errorf("lease: %v", err)
				}
				over = watch(leased)
				x.settleAll(leased)
			}
		})
	}
	workers.Wait()
}

// settleAll delivers what was leased, one after the other; where there is nothing,
// it waits a little.
func (x *trial) settleAll(leased []queue.Leased) {
	for _, l := range leased {
		faults, err := x.store.Settle(x.Context(), []queue.Outcome{{LeaseRef: l.Ref(), Verdict: queue.VerdictDelivered}})
		if err != nil || faults != nil {
			x.Errorf("settle: %v, %v", faults, err)
		}
	}
	if len(leased) == 0 {
		x.advance(precision)
	}
}

func reopenOrdering(x *trial) {
	k, l, m := x.ordered("k", laneA(), 3), x.ordered("l", laneB(), 2), x.ordered("m", otherLane(), 2)
	x.enqueue(slices.Concat(k, l, m)...)
	at := time.Now().Add(2 * x.unit)
	x.end(queue.VerdictRetry, at, x.lease(laneA(), 1)...)
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneB(), 1)...)
	x.leaseFor(4*x.unit, otherLane())
	for range 2 {
		x.reopen()
		x.leaseNone(laneA())
	}
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneB(), 1)...)
	x.advance(time.Until(at) + precision)
	for _, want := range k {
		leased := x.lease(laneA(), 1)
		same(x, "leased", leasedIDs(leased), []transport.ID{want.ID})
		x.leaseNone(laneA())
		x.end(queue.VerdictDelivered, time.Time{}, leased...)
	}
	x.advance(2*x.unit + precision)
	same(x, "leased before", leasedIDs(x.lease(otherLane(), 1)), []transport.ID{m[0].ID})
	x.leaseNone(otherLane())
}

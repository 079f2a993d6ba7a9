package queuetest

import (
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func skipCases() []testCase {
	return []testCase{
		{name: "stands aside until it is due", run: skipStandsAside},
		{name: "alone", run: skipAlone},
		{name: "another comes before it is due", run: skipOvertaken},
		{name: "another comes after it is due", run: skipNotOvertaken},
		{name: "it ends while it stands aside", run: skipEnds},
		{name: "all of them", run: skipAll},
		{name: "among others that wait", run: skipAmongOthers},
		{name: "only with a retry", run: skipOnlyRetry},
		{name: "without a key", run: skipWithoutKey},
		{name: "what was skipped is kept", run: reopenSkipped, reopens: true},
	}
}

// skip settles a lease so that it gives up its turn for some units, and returns
// when these are over.
func (x *trial) skip(l queue.Leased, units int) time.Time {
	x.Helper()
	at := time.Now().Add(time.Duration(units) * x.unit)
	x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, At: at, Skip: true})
	return at
}

func skipStandsAside(x *trial) {
	ids := x.addOrdered(4)
	at := x.skip(x.turn("first", ids[0]), 2)
	x.has(queue.StateRetry, "", ids[0])
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("with one aside", ids[1]))
	l := x.turn("with one aside still", ids[2])
	x.advance(time.Until(at) + precision)
	x.leaseNone(laneA())
	x.end(queue.VerdictRetry, time.Time{}, l)
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("the skipped one is due, and has not the turn", ids[2]))
	x.deliver("the skipped one is the first again", ids[0], ids[3])
}

func skipAlone(x *trial) {
	ids := x.addOrdered(1)
	at := x.skip(x.turn("alone", ids[0]), 2)
	x.dueAt("aside", at)
	x.advance(time.Until(at) + precision)
	x.deliver("due again", ids...)
}

func skipOvertaken(x *trial) {
	ids := x.addOrdered(1)
	at := x.skip(x.turn("alone", ids[0]), 2)
	x.dueAt("aside", at)
	ids = append(ids, x.addOrdered(2)...)
	l := x.turn("with one that came later", ids[1])
	x.advance(time.Until(at) + precision)
	x.leaseNone(laneA())
	x.end(queue.VerdictDelivered, time.Time{}, l)
	x.deliver("the skipped one is the first again", ids[0], ids[2])
}

// skipNotOvertaken: it took the turn when it was due, though nobody asked then.
func skipNotOvertaken(x *trial) {
	ids := x.addOrdered(1)
	at := x.skip(x.turn("alone", ids[0]), 2)
	x.advance(time.Until(at) + precision)
	ids = append(ids, x.addOrdered(1)...)
	l := x.turn("with one that came later", ids[0])
	ids = append(ids, x.addOrdered(1)...)
	x.dueAt("leased, with one more", time.Now().Add(10*x.unit))
	x.end(queue.VerdictRetry, time.Time{}, l)
	x.deliver("all", ids...)
}

func skipEnds(x *trial) {
	ids := x.addOrdered(3)
	x.skip(x.turn("first", ids[0]), 2)
	x.cancel(queue.Query{IDs: ids[:1]})
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("with one cancelled", ids[1]))
	x.skip(x.turn("third", ids[2]), 2)
	x.cancel(queue.Query{IDs: ids[2:]})
	x.dueLanes("with all cancelled", nil)
	x.deliver("a new one", x.addOrdered(1)...)
}

// skipAll: with all of them aside, the one that is due first goes first.
func skipAll(x *trial) {
	ids := x.addOrdered(3)
	x.skip(x.turn("first", ids[0]), 6)
	second := x.skip(x.turn("second", ids[1]), 2)
	third := x.skip(x.turn("third", ids[2]), 4)
	x.dueAt("all aside", second)
	x.advance(time.Until(second) + precision)
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("the second is due", ids[1]))
	x.dueAt("two aside", third)
	x.advance(time.Until(third) + precision)
	l := x.turn("the third is due", ids[2])
	x.advance(2*x.unit + precision)
	x.leaseNone(laneA())
	x.end(queue.VerdictDelivered, time.Time{}, l)
	x.deliver("the first is due", ids[0])
}

// skipAmongOthers: whoever takes the turn from one that is aside, takes nothing
// from those that wait in the lane for other reasons.
func skipAmongOthers(x *trial) {
	ids := x.addOrdered(1)
	x.skip(x.turn("alone", ids[0]), 3)
	others := x.ordered("", laneA(), 3)
	for i := range others {
		others[i].NotBefore = time.Now().Add(time.Duration(2+i) * x.unit)
	}
	x.enqueue(others...)
	last := x.ordered("k", laneA(), 1)
	last[0].NotBefore = time.Now().Add(5 * x.unit)
	x.enqueue(last...)
	x.dueAt("overtaken by one that waits", others[0].NotBefore)
	x.advance(5*x.unit + x.slack)
	leased := x.lease(laneA(), 4)
	same(x, "leased", leasedIDs(leased), []transport.ID{others[0].ID, others[1].ID, others[2].ID, last[0].ID})
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	x.deliver("the skipped one", ids...)
}

func skipOnlyRetry(x *trial) {
	ids := x.addOrdered(2)
	at := time.Now().Add(2 * x.unit)
	l := x.turn("first", ids[0])
	x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRelease, At: at, Skip: true})
	x.dueAt("released", at)
	x.advance(time.Until(at) + precision)
	x.deliver("due again", ids...)
}

func skipWithoutKey(x *trial) {
	id := x.add(laneA(), 1)[0]
	x.skip(x.lease(laneA(), 1)[0], 2)
	x.advance(2*x.unit + precision)
	x.deliver("due again", id)
}

func reopenSkipped(x *trial) {
	ids := x.addOrdered(2)
	at := x.skip(x.turn("first", ids[0]), 2)
	x.reopen()
	x.end(queue.VerdictDelivered, time.Time{}, x.turn("with one aside", ids[1]))
	x.reopen()
	x.dueAt("aside", at)
	x.reopen()
	ids = append(ids, x.addOrdered(1)...)
	x.turn("with one that came later", ids[2])
	x.reopen() // which may end the lease
	x.advance(10*x.unit + precision)
	x.deliver("due again", ids[2], ids[0])
}

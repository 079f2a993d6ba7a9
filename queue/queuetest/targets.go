package queuetest

import (
	"math/bits"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func targetCases() []testCase {
	return []testCase{
		{name: "a retry and a release move", run: moves},
		{name: "all that looks at lanes follows", run: lanesFollow},
		{name: "and back", run: movesBack},
		{name: "only to a target there is", run: noSuchTarget},
		{name: "other verdicts do not move", run: othersDoNotMove},
		{name: "what was cancelled does not move", run: cancelledDoesNotMove},
		{name: "within a lane", run: movesWithinLane},
		{name: "with an idempotency key and a deadline", run: movesWithKey},
		{name: "the turn passes", run: movePassesTurn},
		{name: "the turn is kept within a lane", run: moveKeepsTurn},
		{name: "skipped and moved", run: skipAndMove},
		{name: "a replay stays", run: replayStays},
		{name: "a move is kept", run: reopenMoved, reopens: true},
	}
}

// aimed returns a message for the first lane, with targets in both lanes.
func (x *trial) aimed() queue.Message {
	m := x.message(laneA())
	m.Targets = []queue.Target{targetOf(m), targetOf(x.message(laneB()))}
	return m
}

// move retries a lease at the target with that index.
func (x *trial) move(l queue.Leased, target int, at time.Time) {
	x.Helper()
	x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Target: target, At: at})
}

// aims checks that the message is at that target, and otherwise as it was.
func (x *trial) aims(what string, m queue.Message, target int) queue.Record {
	x.Helper()
	m.Retarget(target)
	r := x.get(m.ID)
	if diff := diffMessages(&r.Message, &m); diff != "" {
		x.Errorf("%s: %s", what, diff)
	}
	return r
}

func moves(x *trial) {
	for _, verdict := range []queue.Verdict{queue.VerdictRetry, queue.VerdictRelease} {
		m := x.aimed()
		x.enqueue(m)
		x.advance(x.unit / 10)
		l := x.lease(laneA(), 1)[0]
		x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: verdict, Target: 1, Attempt: &queue.Attempt{Error: "reset"}})
		r := x.aims("moved", m, 1)
		x.about("UpdatedAt", r.UpdatedAt, time.Now())
		x.lost(l.Ref())
		x.leaseNone(laneA())
		l = x.lease(laneB(), 1)[0]
		m.Retarget(1)
		if diff := diffMessages(&l.Message, &m); diff != "" {
			x.Errorf("leased: %s", diff)
		}
		if log := x.log(m.ID); len(log) != 1 || r.LastError != "reset" {
			x.Errorf("the log has %d entries, the last error is %q", len(log), r.LastError)
		}
		x.end(queue.VerdictDelivered, time.Time{}, l)
		same(x, "delivered", recordIDs(x.pages(x.store.List, queue.Query{Destination: laneA().Destination})), nil)
	}
}

func lanesFollow(x *trial) {
	m, other := x.aimed(), x.message(laneB())
	x.enqueue(m)
	at := time.Now().Add(2 * x.unit)
	x.move(x.lease(laneA(), 1)[0], 1, at)
	x.dueLanes("moved", map[queue.Lane]time.Time{laneB(): at})
	x.leaseNone(laneB())
	_, next := x.budget(laneA(), 1)
	x.at("NextAt of the lane it left", next, time.Time{})
	for _, q := range []queue.Query{
		{Destination: laneA().Destination}, {Endpoint: m.Endpoint},
	} {
		same(x, "listed where it was", recordIDs(x.pages(x.store.List, q)), nil)
	}
	x.enqueue(other)
	for _, q := range []queue.Query{
		{Destination: laneB().Destination, Profile: laneB().Profile}, {Endpoint: other.Endpoint},
	} {
		same(x, "listed where it is", recordIDs(x.pages(x.store.List, q)), []transport.ID{m.ID, other.ID})
	}
	groups, err := x.store.Stats(x.Context(), queue.ByLane)
	if err != nil || len(groups) != 1 || groups[0].Lane != laneB() || groups[0].Retry != 1 || groups[0].Pending != 1 {
		x.Errorf("stats: %+v, %v, want both in the second lane", groups, err)
	}
	x.advance(2*x.unit + precision)
	same(x, "leased where it is", leasedIDs(x.lease(laneB(), 2)), []transport.ID{other.ID, m.ID})
	same(x, "cancelled where it was", recordIDs(x.cancel(queue.Query{Destination: laneA().Destination})), nil)
}

// movesBack: the index says where to, so that 0 is the first.
func movesBack(x *trial) {
	m := x.aimed()
	x.enqueue(m)
	for range 2 {
		x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
		x.move(x.lease(laneB(), 1)[0], 1, time.Time{})
		x.move(x.lease(laneB(), 1)[0], 0, time.Time{})
	}
	x.aims("back", m, 0)
	x.leaseNone(laneB())
	if l := x.lease(laneA(), 1)[0]; l.Attempt != 7 {
		x.Errorf("after six attempts at two targets the next is number %d", l.Attempt)
	}
}

func noSuchTarget(x *trial) {
	m := x.aimed()
	x.enqueue(m)
	for _, target := range []int{-1, 2, 1 << (bits.UintSize - 2)} {
		x.move(x.lease(laneA(), 1)[0], target, time.Time{})
		x.aims("no such target", m, 0)
	}
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneA(), 1)...)
	plain := x.message(laneA())
	x.enqueue(plain)
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	x.aims("without targets", plain, 0)
	x.lease(laneA(), 1)
}

func othersDoNotMove(x *trial) {
	for _, verdict := range []queue.Verdict{queue.VerdictDelivered, queue.VerdictDead, queue.VerdictExpired, queue.VerdictPark} {
		m := x.aimed()
		x.enqueue(m)
		l := x.lease(laneA(), 1)[0]
		x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: verdict, Target: 1})
		r := x.get(m.ID)
		if r.Lane != laneA() || r.Target != 0 {
			x.Errorf("verdict %d: moved to %v, target %d", verdict, r.Lane, r.Target)
		}
	}
}

func cancelledDoesNotMove(x *trial) {
	m := x.aimed()
	x.enqueue(m)
	l := x.lease(laneA(), 1)[0]
	x.cancel(queue.Query{})
	x.move(l, 1, time.Time{})
	x.has(queue.StateDone, queue.Cancelled, m.ID)
	x.aims("cancelled", m, 0)
	x.dueLanes("cancelled", nil)
}

func movesWithinLane(x *trial) {
	m := x.aimed()
	m.Targets = append(m.Targets, queue.Target{Lane: laneA(), Endpoint: "another", URI: transport.NewSecret("another#key")})
	x.enqueue(m)
	x.move(x.lease(laneA(), 1)[0], 2, time.Time{})
	x.aims("moved", m, 2)
	if l := x.lease(laneA(), 1)[0]; l.Endpoint != "another" || l.Target != 2 {
		x.Errorf("leased for %s, target %d", l.Endpoint, l.Target)
	}
}

func movesWithKey(x *trial) {
	m := x.aimed()
	m.IdempotencyKey = "k"
	m.ExpiresAt = time.Now().Add(2 * x.unit)
	x.enqueue(m)
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	x.duplicate(x.keyed(laneA(), "k"), m.ID)
	x.at("next to expire", x.expire(10), m.ExpiresAt)
	x.advance(2*x.unit + precision)
	x.leaseNone(laneB())
	x.expire(10, m.ID)
	x.duplicate(x.keyed(laneB(), "k"), m.ID)
	x.purge(queue.Retention{Result: queue.Expired, Before: time.Now().Add(x.unit)}, 10, 1, false)
	x.duplicate(x.keyed(laneB(), "k"), m.ID)
}

// aimedInOrder returns n messages like aimed, with one ordering key.
func (x *trial) aimedInOrder(n int) []queue.Message {
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = x.aimed()
		batch[i].OrderingKey = "k"
	}
	return batch
}

// movePassesTurn: where it was another gets the turn, and where it is it waits for
// the turn.
func movePassesTurn(x *trial) {
	early := x.enqueue(x.aimedInOrder(2)...)
	there := x.enqueue(x.ordered("k", laneB(), 2)...)
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	same(x, "leased where it was", leasedIDs(x.lease(laneA(), 1)), early[1:])
	for _, id := range []transport.ID{there[0], early[0], there[1]} {
		leased := x.lease(laneB(), 1)
		same(x, "leased where it is", leasedIDs(leased), []transport.ID{id})
		x.leaseNone(laneB())
		x.end(queue.VerdictDelivered, time.Time{}, leased...)
	}
	x.leaseNone(laneB())

	id := x.enqueue(x.aimedInOrder(1)...)
	x.cancel(queue.Query{IDs: early})
	x.advance(10*x.unit + precision)
	x.ends(10, early[1])
	at := time.Now().Add(2 * x.unit)
	x.move(x.lease(laneA(), 1)[0], 1, at)
	x.dueLanes("nobody has the turn there", map[queue.Lane]time.Time{laneB(): at})
	x.enqueue(x.ordered("k", laneB(), 1)...)
	x.dueLanes("one more", map[queue.Lane]time.Time{laneB(): at})
	x.advance(2*x.unit + precision)
	same(x, "leased when it is due", leasedIDs(x.lease(laneB(), 1)), id)
}

func moveKeepsTurn(x *trial) {
	batch := x.aimedInOrder(2)
	batch[0].Targets = append(batch[0].Targets, queue.Target{Lane: laneA(), Endpoint: "another"})
	ids := x.enqueue(batch...)
	at := time.Now().Add(2 * x.unit)
	x.move(x.turn("first", ids[0]), 2, at)
	x.dueAt("moved within its lane", at)
	x.advance(2*x.unit + precision)
	x.deliver("due again", ids...)
}

// skipAndMove: it stands aside where it came to.
func skipAndMove(x *trial) {
	id := x.enqueue(x.aimedInOrder(1)...)
	at := time.Now().Add(2 * x.unit)
	l := x.lease(laneA(), 1)[0]
	x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Target: 1, Skip: true, At: at})
	x.dueLanes("alone", map[queue.Lane]time.Time{laneB(): at})
	late := x.enqueue(x.ordered("k", laneB(), 2)...)
	for _, want := range [][]transport.ID{late[:1], late[1:]} {
		leased := x.lease(laneB(), 1)
		same(x, "leased while it is aside", leasedIDs(leased), want)
		x.end(queue.VerdictDelivered, time.Time{}, leased...)
	}
	x.leaseNone(laneB())
	x.advance(2*x.unit + precision)
	same(x, "leased when it is due", leasedIDs(x.lease(laneB(), 1)), id)
}

func replayStays(x *trial) {
	m := x.aimed()
	x.enqueue(m)
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneB(), 1)...)
	x.replay(queue.Query{})
	x.aims("replayed", m, 1)
	x.leaseNone(laneA())
	x.lease(laneB(), 1)
}

func reopenMoved(x *trial) {
	batch := x.aimedInOrder(3)
	ids := x.enqueue(batch...)
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	x.move(x.lease(laneA(), 1)[0], 1, time.Time{})
	x.reopen()
	for i, target := range []int{1, 1, 0} {
		x.aims("reopened", batch[i], target)
	}
	same(x, "leased where it was", leasedIDs(x.lease(laneA(), 1)), ids[2:])
	for want := range slices.Chunk(ids[:2], 1) {
		leased := x.lease(laneB(), 1)
		same(x, "leased where they are", leasedIDs(leased), want)
		x.reopen() // which may end the lease
		x.advance(10*x.unit + precision)
		x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneB(), 1)...)
	}
}

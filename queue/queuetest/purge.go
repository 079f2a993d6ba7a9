package queuetest

import (
	"errors"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func purgeCases() []testCase {
	return []testCase{
		{name: "by age", run: purgeByAge},
		{name: "by count", run: purgeByCount},
		{name: "by age and count", run: purgeByBoth},
		{name: "by bytes", run: purgeByBytes},
		{name: "by bytes, each result alone", run: purgeBytesByResult},
		{name: "delivered ones count no bytes", run: purgeDeliveredBytes},
		{name: "some at a time", run: purgeLimit},
		{name: "one result alone", run: purgeOneResult},
		{name: "what ended first goes first", run: purgeByEnd},
		{name: "nothing is left of it", run: purgeWhole},
		{name: "what is replayed is not done", run: purgeReplayed},
		{name: "no limits remove nothing", run: purgeNothing},
	}
}

// purge checks how many records a Purge removes.
func (x *trial) purge(r queue.Retention, limit, removed int, more bool) {
	x.Helper()
	gotRemoved, gotMore, err := x.store.Purge(x.Context(), r, limit)
	if err != nil || gotRemoved != removed || gotMore != more {
		x.Fatalf("purge %+v of %d: removed %d, more: %v, %v; want %d, %v", r, limit, gotRemoved, gotMore, err, removed, more)
	}
}

// deadOnes adds messages that end as dead one after the other.
func (x *trial) deadOnes(n int) []transport.ID {
	x.Helper()
	ids := make([]transport.ID, n)
	for i := range ids {
		ids[i] = x.finished(laneA(), queue.VerdictDead)
		x.advance(2 * precision)
	}
	return ids
}

func purgeByAge(x *trial) {
	old := x.deadOnes(3)
	x.advance(x.unit)
	cut := time.Now()
	x.advance(2 * precision)
	young := x.deadOnes(2)
	x.purge(queue.Retention{Result: queue.Dead, Before: cut}, 100, 3, false)
	x.gone(old...)
	x.has(queue.StateDone, queue.Dead, young...)
	x.purge(queue.Retention{Result: queue.Dead, Before: cut}, 100, 0, false)
}

func purgeByCount(x *trial) {
	ids := x.deadOnes(5)
	x.purge(queue.Retention{Result: queue.Dead, Keep: 2}, 100, 3, false)
	x.gone(ids[:3]...)
	x.has(queue.StateDone, queue.Dead, ids[3:]...)
	x.purge(queue.Retention{Result: queue.Dead, Keep: 2}, 100, 0, false)
}

func purgeByBoth(x *trial) {
	x.deadOnes(2)
	x.advance(x.unit)
	cut := time.Now()
	x.advance(2 * precision)
	young := x.deadOnes(4)
	x.purge(queue.Retention{Result: queue.Dead, Before: cut, Keep: 5}, 100, 2, false)
	x.purge(queue.Retention{Result: queue.Dead, Before: cut, Keep: 3}, 100, 1, false)
	x.has(queue.StateDone, queue.Dead, young[1:]...)
	x.gone(young[0])
}

// sized adds a message of so many bytes, and ends it.
func (x *trial) sized(verdict queue.Verdict, bytes int) transport.ID {
	x.Helper()
	m := x.message(laneA())
	m.Metadata, m.Payload = nil, make([]byte, bytes)
	x.enqueue(m)
	x.end(verdict, time.Time{}, x.lease(laneA(), 1)...)
	x.advance(2 * precision)
	return m.ID
}

func purgeByBytes(x *trial) {
	var ids []transport.ID
	for _, bytes := range []int{50, 10, 30, 20, 40} {
		ids = append(ids, x.sized(queue.VerdictDead, bytes))
	}
	within := func(bytes int64) queue.Retention { return queue.Retention{Result: queue.Dead, Bytes: bytes} }
	x.purge(within(150), 100, 0, false)
	x.purge(within(149), 100, 1, false)
	x.gone(ids[0])
	x.purge(within(60), 1, 1, true) // of two
	x.purge(within(60), 100, 1, false)
	x.gone(ids[1:3]...)
	x.has(queue.StateDone, queue.Dead, ids[3:]...)
	x.purge(queue.Retention{Result: queue.Dead, Bytes: 60, Keep: 1}, 100, 1, false)
	x.purge(within(40), 100, 0, false)
	x.has(queue.StateDone, queue.Dead, ids[4])
	x.purge(within(39), 100, 1, false) // also the newest, where it does not fit
	x.gone(ids[4])
	x.purge(within(39), 100, 0, false)
	x.has(queue.StateDone, queue.Dead, x.sized(queue.VerdictDead, 39))
	x.purge(within(39), 100, 0, false)
}

func purgeBytesByResult(x *trial) {
	dead, expired := x.sized(queue.VerdictDead, 30), x.sized(queue.VerdictExpired, 30)
	replayed := x.sized(queue.VerdictDead, 30)
	x.replay(queue.Query{IDs: []transport.ID{replayed}})
	x.cancel(queue.Query{IDs: []transport.ID{replayed}})
	for _, result := range []queue.Result{queue.Dead, queue.Expired, queue.Cancelled} {
		x.purge(queue.Retention{Result: result, Bytes: 30}, 100, 0, false)
	}
	x.replay(queue.Query{IDs: []transport.ID{dead}})
	x.end(queue.VerdictExpired, time.Time{}, x.lease(laneA(), 1)...)
	x.purge(queue.Retention{Result: queue.Dead, Bytes: 1}, 100, 0, false)
	x.purge(queue.Retention{Result: queue.Expired, Bytes: 30}, 100, 1, false)
	x.gone(expired)
	x.has(queue.StateDone, queue.Expired, dead)
	x.has(queue.StateDone, queue.Cancelled, replayed)
}

func purgeDeliveredBytes(x *trial) {
	ids := []transport.ID{x.sized(queue.VerdictDelivered, 30), x.sized(queue.VerdictDelivered, 30)}
	x.purge(queue.Retention{Result: queue.Delivered, Bytes: 1}, 100, 0, false)
	x.purge(queue.Retention{Result: queue.Delivered, Bytes: 1, Keep: 1}, 100, 1, false)
	x.gone(ids[0])
	x.has(queue.StateDone, queue.Delivered, ids[1])
}

func purgeLimit(x *trial) {
	ids := x.deadOnes(5)
	x.advance(x.unit)
	all := queue.Retention{Result: queue.Dead, Before: time.Now()}
	x.purge(all, 2, 2, true)
	x.gone(ids[:2]...)
	x.has(queue.StateDone, queue.Dead, ids[2:]...)
	x.purge(all, 3, 3, false)
	x.purge(all, 3, 0, false)
}

func purgeOneResult(x *trial) {
	ids := map[queue.Result]transport.ID{
		queue.Delivered: x.finished(laneA(), queue.VerdictDelivered),
		queue.Dead:      x.finished(laneA(), queue.VerdictDead),
		queue.Expired:   x.finished(laneA(), queue.VerdictExpired),
		queue.Cancelled: x.add(laneA(), 1)[0],
	}
	x.cancel(queue.Query{})
	waiting := x.add(laneA(), 2)
	x.lease(laneA(), 1)
	x.advance(x.unit)
	for _, result := range []queue.Result{queue.Dead, queue.Delivered, queue.Cancelled, queue.Expired} {
		x.purge(queue.Retention{Result: result, Before: time.Now()}, 100, 1, false)
		x.gone(ids[result])
		delete(ids, result)
		for result, id := range ids {
			x.has(queue.StateDone, result, id)
		}
	}
	x.has(queue.StateDeliver, "", waiting[0])
	x.has(queue.StatePending, "", waiting[1])
	if _, _, err := x.store.Purge(x.Context(), queue.Retention{Before: time.Now()}, 100); err == nil {
		x.Error("a retention without a result was taken")
	}
}

func purgeByEnd(x *trial) {
	ids := x.add(laneA(), 4)
	leased := x.lease(laneA(), 4)
	for _, i := range []int{2, 0, 3, 1} {
		x.end(queue.VerdictDelivered, time.Time{}, leased[i])
		x.advance(2 * precision)
	}
	x.purge(queue.Retention{Result: queue.Delivered, Keep: 2}, 100, 2, false)
	x.gone(ids[2], ids[0])
	x.has(queue.StateDone, queue.Delivered, ids[3], ids[1])
}

func purgeWhole(x *trial) {
	m := x.keyed(laneA(), "k")
	x.enqueue(m)
	x.settle(queue.Outcome{
		LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: queue.VerdictDead, Attempt: &queue.Attempt{Error: "reset"},
	})
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Dead, Before: time.Now()}, 100, 1, false)
	x.gone(m.ID)
	if log, err := x.store.Attempts(x.Context(), m.ID); !errors.Is(err, queue.ErrNotFound) {
		x.Errorf("the log of a purged record: %v, %v", log, err)
	}
	if records := x.replay(queue.Query{}); len(records) != 0 {
		x.Errorf("replayed purged records: %v", records)
	}
	if got := x.total(); got != (queue.Backlog{}) {
		x.Errorf("the counts are %+v", got)
	}
	x.listed("all", queue.Query{})
}

func purgeReplayed(x *trial) {
	ids := x.deadOnes(2)
	x.replay(queue.Query{IDs: ids[:1]})
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Dead, Before: time.Now()}, 100, 1, false)
	x.has(queue.StatePending, "", ids[0])
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneA(), 1)...)
	x.purge(queue.Retention{Result: queue.Dead, Before: time.Now().Add(-x.unit / 2)}, 100, 0, false)
	x.has(queue.StateDone, queue.Dead, ids[0])
}

func purgeNothing(x *trial) {
	ids := x.deadOnes(2)
	x.purge(queue.Retention{Result: queue.Dead}, 100, 0, false)
	x.has(queue.StateDone, queue.Dead, ids...)
}

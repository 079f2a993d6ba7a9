package queuetest

import (
	"time"

	"github.com/outrider-go/outrider/queue"
)

func reopenCases() []testCase {
	return []testCase{
		{name: "records are kept", run: reopenRecords, reopens: true},
		{name: "work goes on", run: reopenWork, reopens: true},
		{name: "keys are known", run: reopenKeys, reopens: true},
		{name: "lane states are kept", run: reopenLanes, reopens: true},
	}
}

func (x *trial) reopen() {
	x.Helper()
	x.store = x.features.Reopen(x.T, x.store)
}

func reopenRecords(x *trial) {
	attempt := queue.Attempt{StartedAt: time.Now(), Error: "reset", Response: []byte("answer")}
	for _, e := range endings() {
		x.enqueue(x.fullMessage(laneA()))
		given := attempt
		x.settle(queue.Outcome{
			LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: e.verdict, At: time.Now().Add(50 * x.unit), Status: "told",
			Attempt: &given,
		})
	}
	attempt.N = 1
	before := x.pages(x.store.List, queue.Query{})
	x.reopen()
	after := x.pages(x.store.List, queue.Query{})
	if len(after) != len(before) {
		x.Fatalf("%d records are kept, of %d", len(after), len(before))
	}
	for i := range before {
		if diff := diffRecords(&after[i], &before[i]); diff != "" {
			x.Errorf("record %d: %s", i, diff)
		}
		if log := x.log(before[i].ID); len(log) != 1 || diffAttempts(&log[0], &attempt) != "" {
			x.Errorf("record %d has the log %+v", i, log)
		}
	}
	x.enqueue(x.message(laneA())) // with an id that is new
}

func reopenWork(x *trial) {
	leased, ready := x.add(laneA(), 1), x.add(laneB(), 3)
	old := x.leaseFor(2*x.unit, laneA())
	retried := x.lease(laneB(), 1)
	at := time.Now().Add(x.unit)
	x.end(queue.VerdictRetry, at, retried...)
	x.reopen()
	same(x, "ready", leasedIDs(x.lease(laneB(), 2)), ready[1:])
	x.advance(time.Until(at.Add(precision)))
	same(x, "retried", leasedIDs(x.lease(laneB(), 1)), ready[:1])
	x.advance(x.unit + precision)
	again := x.lease(laneA(), 1)
	same(x, "leased before", leasedIDs(again), leased)
	x.lost(old.Ref())
	x.end(queue.VerdictDelivered, time.Time{}, again...)
}

func reopenKeys(x *trial) {
	m := x.keyed(laneA(), "k")
	x.enqueue(m)
	x.reopen()
	x.duplicate(x.keyed(laneB(), "k"), m.ID)
	x.enqueue(x.keyed(laneB(), "l"))
}

func reopenLanes(x *trial) {
	state := queue.LaneState{Lane: laneA(), PausedUntil: queue.Forever, Reason: "gone"}
	x.setLane(state)
	x.reopen()
	x.states("kept", state)
}

package queuetest

import (
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func cancelCases() []testCase {
	return []testCase{
		{name: "what waits", run: cancelWaiting},
		{name: "what is selected", run: cancelSelected},
		{name: "page by page", run: cancelPages},
		{name: "what is done stays", run: cancelDone},
		{name: "what is leased", run: cancelLeased},
		{name: "a lease that runs out", run: cancelRunsOut},
		{name: "again", run: cancelAgain},
		{name: "while it is settled", run: cancelRaces},
	}
}

// cancel cancels all that q selects.
func (x *trial) cancel(q queue.Query) []queue.Record {
	x.Helper()
	return x.pages(x.store.Cancel, q)
}

func cancelWaiting(x *trial) {
	ids := x.add(laneA(), 1)
	waits := x.message(laneA())
	waits.NotBefore = time.Now().Add(x.unit)
	ids = append(ids, x.enqueue(waits)...)
	x.end(queue.VerdictRetry, time.Now().Add(x.unit), x.lease(laneA(), 1)...)
	parked := x.add(laneA(), 1)
	x.end(queue.VerdictPark, time.Time{}, x.lease(laneA(), 1)...)
	ids = append(ids, parked...)
	before := x.get(parked[0]).Status
	x.advance(x.unit / 10)
	records := x.cancel(queue.Query{})
	same(x, "cancelled", recordIDs(records), ids)
	for _, r := range records {
		if r.State != queue.StateDone || r.Result != queue.Cancelled || r.Payload != nil || !r.NextAt.IsZero() {
			x.Errorf("cancelled: %+v", r)
		}
		x.about("UpdatedAt", r.UpdatedAt, time.Now())
	}
	x.has(queue.StateDone, queue.Cancelled, ids...)
	if after := x.get(parked[0]).Status; after != before {
		x.Errorf("cancel turned the status %q into %q", before, after)
	}
	x.advance(2 * x.unit)
	x.leaseNone(laneA())
}

func cancelSelected(x *trial) {
	inA, inB, inOther := x.add(laneA(), 3), x.add(laneB(), 2), x.add(otherLane(), 2)
	same(x, "by lane", recordIDs(x.cancel(queue.Query{Profile: laneB().Profile, Destination: laneB().Destination})), inB)
	same(x, "by id", recordIDs(x.cancel(queue.Query{IDs: inA[1:2]})), inA[1:2])
	x.has(queue.StatePending, "", inA[0], inA[2], inOther[0], inOther[1])
	same(x, "by profile", recordIDs(x.cancel(queue.Query{Profile: otherLane().Profile, Descending: true})),
		[]transport.ID{inOther[1], inOther[0]})
	same(x, "left", leasedIDs(x.lease(laneA(), 2)), []transport.ID{inA[0], inA[2]})
	x.leaseNone(laneA())
}

func cancelPages(x *trial) {
	ids := x.add(laneA(), 10)
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneA(), 4)...)
	page, err := x.store.Cancel(x.Context(), queue.Query{Limit: 2})
	if err != nil {
		x.Fatal(err)
	}
	same(x, "the first page", recordIDs(page.Records), ids[4:6])
	x.has(queue.StatePending, "", ids[6:]...)
	same(x, "the rest", recordIDs(x.cancel(queue.Query{Limit: 3, After: page.Next})), ids[6:])
	x.leaseNone(laneA())
}

func cancelDone(x *trial) {
	results := map[queue.Verdict]queue.Result{
		queue.VerdictDelivered: queue.Delivered, queue.VerdictDead: queue.Dead, queue.VerdictExpired: queue.Expired,
	}
	for verdict, result := range results {
		id := x.add(laneA(), 1)[0]
		x.end(verdict, time.Time{}, x.lease(laneA(), 1)...)
		if records := x.cancel(queue.Query{}); len(records) != 0 {
			x.Errorf("cancelled %d records that were %s", len(records), result)
		}
		x.has(queue.StateDone, result, id)
	}
}

func cancelLeased(x *trial) {
	for _, test := range []struct {
		verdict queue.Verdict
		want    queue.Result
	}{
		{queue.VerdictRetry, queue.Cancelled},
		{queue.VerdictRelease, queue.Cancelled},
		{queue.VerdictPark, queue.Cancelled},
		{queue.VerdictDelivered, queue.Delivered},
		{queue.VerdictDead, queue.Dead},
		{queue.VerdictExpired, queue.Expired},
	} {
		id := x.add(laneA(), 1)[0]
		l := x.lease(laneA(), 1)[0]
		records := x.cancel(queue.Query{IDs: []transport.ID{id}})
		if len(records) != 1 || records[0].State != queue.StateDeliver || records[0].Result != "" {
			x.Fatalf("cancelling a leased record gave %+v, want it as it is: leased", records)
		}
		x.has(queue.StateDeliver, "", id)
		x.extend(20*x.unit, l.Ref())
		outcomes := []queue.Outcome{{
			LeaseRef: l.Ref(), Verdict: test.verdict, Status: "told", Attempt: &queue.Attempt{Error: "reset"},
		}}
		x.settle(outcomes...)
		if outcomes[0].Result != test.want {
			x.Errorf("verdict %d: the result is %q, want %s", test.verdict, outcomes[0].Result, test.want)
		}
		x.has(queue.StateDone, test.want, id)
		if r := x.get(id); (r.Status == "told") == (test.want == queue.Cancelled) {
			x.Errorf("verdict %d on a cancelled record: the status is %q", test.verdict, r.Status)
		}
		if log := x.log(id); len(log) != 1 || log[0].Error != "reset" {
			x.Errorf("verdict %d: the log is %+v", test.verdict, log)
		}
		x.lost(l.Ref())
		x.leaseNone(laneA())
	}
}

func cancelRunsOut(x *trial) {
	id := x.add(laneA(), 1)[0]
	l := x.leaseFor(x.unit, laneA())
	x.cancel(queue.Query{})
	x.advance(x.unit + precision)
	x.lapsed(id, l)
	x.ends(10, id)
	x.has(queue.StateDone, queue.Cancelled, id)
	// The mark does not outlive its lease.
	x.replay(queue.Query{})
	x.end(queue.VerdictRetry, time.Time{}, x.lease(laneA(), 1)...)
	x.has(queue.StateRetry, "", id)
}

func cancelAgain(x *trial) {
	ids := x.add(laneA(), 2)
	x.lease(laneA(), 1)
	same(x, "first", recordIDs(x.cancel(queue.Query{})), ids)
	x.cancel(queue.Query{})
	x.has(queue.StateDeliver, "", ids[0])
	x.has(queue.StateDone, queue.Cancelled, ids[1])
}

// cancelRaces: whatever comes first, a delivered message stays delivered, and one
// that was to be tried again is cancelled.
func cancelRaces(x *trial) {
	const n = 300
	x.add(laneA(), n)
	leased := x.lease(laneA(), n)
	var racers sync.WaitGroup
	for part := range slices.Chunk(leased, n/4) {
		racers.Go(func() {
			for i, l := range part {
				verdict := []queue.Verdict{queue.VerdictDelivered, queue.VerdictRetry}[i%2]
				faults, err := x.store.Settle(x.Context(), []queue.Outcome{{LeaseRef: l.Ref(), Verdict: verdict}})
				if err != nil || faults != nil {
					x.Errorf("settle: %v, %v", faults, err)
				}
			}
		})
		racers.Go(func() {
			for _, id := range leasedIDs(part) {
				if _, err := x.store.Cancel(x.Context(), queue.Query{IDs: []transport.ID{id}}); err != nil {
					x.Errorf("cancel: %v", err)
				}
			}
		})
	}
	racers.Wait()
	counts := map[queue.Result]int{}
	for _, r := range x.pages(x.store.List, queue.Query{}) {
		counts[r.Result]++
	}
	delivered := 0
	for part := range slices.Chunk(leased, n/4) {
		delivered += (len(part) + 1) / 2
	}
	if counts[queue.Delivered] != delivered || counts[queue.Cancelled] != n-delivered {
		x.Errorf("the results are %v, want %d delivered and the others cancelled", counts, delivered)
	}
}

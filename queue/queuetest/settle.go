package queuetest

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func settleCases() []testCase {
	return []testCase{
		{name: "verdicts", run: verdicts},
		{name: "many verdicts in one call", run: mixedVerdicts},
		{name: "the verdict is required", run: verdictRequired},
		{name: "release does not count", run: releaseDoesNotCount},
		{name: "parked is never due", run: parkedIsNeverDue},
		{name: "retry at", run: retryAt},
		{name: "status", run: statusIsKept},
		{name: "evidence and error", run: evidenceAndError},
		{name: "bytes", run: bytesStay},
	}
}

// ending is what a verdict makes of a record.
type ending struct {
	verdict  queue.Verdict
	state    queue.State
	result   queue.Result
	attempts int
	leasable bool
}

func endings() []ending {
	return []ending{
		{queue.VerdictDelivered, queue.StateDone, queue.Delivered, 1, false},
		{queue.VerdictRetry, queue.StateRetry, "", 1, true},
		{queue.VerdictDead, queue.StateDone, queue.Dead, 1, false},
		{queue.VerdictExpired, queue.StateDone, queue.Expired, 1, false},
		{queue.VerdictRelease, queue.StatePending, "", 0, true},
		{queue.VerdictPark, queue.StatePending, "", 1, false},
	}
}

func (x *trial) ended(e ending, r queue.Record, result queue.Result) {
	x.Helper()
	if r.State != e.state || r.Result != e.result || r.Attempts != e.attempts {
		x.Errorf("verdict %d: the record is %s %q after %d attempts, want %s %q after %d",
			e.verdict, r.State, r.Result, r.Attempts, e.state, e.result, e.attempts)
	}
	if result != e.result {
		x.Errorf("verdict %d: the outcome's result is %q, want %q", e.verdict, result, e.result)
	}
	if e.leasable == r.NextAt.IsZero() {
		x.Errorf("verdict %d: NextAt is %v, leasable: %v", e.verdict, r.NextAt, e.leasable)
	}
}

func verdicts(x *trial) {
	for _, e := range endings() {
		lane := laneNamed(fmt.Sprint("verdict", e.verdict))
		id := x.add(lane, 1)[0]
		x.advance(x.unit / 10)
		outcomes := []queue.Outcome{{
			LeaseRef: x.lease(lane, 1)[0].Ref(), Verdict: e.verdict, Result: "left over",
		}}
		x.settle(outcomes...)
		r := x.get(id)
		x.ended(e, r, outcomes[0].Result)
		x.about("UpdatedAt", r.UpdatedAt, time.Now())
		if leased, _ := x.budget(lane, 1); (len(leased) == 1) != e.leasable {
			x.Errorf("verdict %d: leased %d messages", e.verdict, len(leased))
		}
	}
}

func mixedVerdicts(x *trial) {
	all := endings()
	ids := x.add(laneA(), len(all))
	outcomes := make([]queue.Outcome, len(all))
	for i, l := range x.lease(laneA(), len(all)) {
		outcomes[len(all)-1-i] = queue.Outcome{LeaseRef: l.Ref(), Verdict: all[i].verdict}
	}
	x.settle(outcomes...)
	for i, e := range all {
		x.ended(e, x.get(ids[i]), outcomes[len(all)-1-i].Result)
	}
}

func verdictRequired(x *trial) {
	x.add(laneA(), 2)
	leased := x.lease(laneA(), 2)
	for _, verdict := range []queue.Verdict{0, queue.VerdictPark + 1} {
		faults, err := x.store.Settle(x.Context(), []queue.Outcome{
			{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered}, {LeaseRef: leased[1].Ref(), Verdict: verdict},
		})
		if err == nil {
			x.Errorf("verdict %d was taken: %v", verdict, faults)
		}
		x.has(queue.StateDeliver, "", leased[0].ID, leased[1].ID)
	}
}

func releaseDoesNotCount(x *trial) {
	id := x.add(laneA(), 1)[0]
	for range 3 {
		l := x.lease(laneA(), 1)[0]
		if l.Attempt != 1 {
			x.Errorf("after releases the attempt is %d, want 1", l.Attempt)
		}
		x.end(queue.VerdictRelease, time.Time{}, l)
	}
	x.end(queue.VerdictRetry, time.Time{}, x.lease(laneA(), 1)...)
	l := x.lease(laneA(), 1)[0]
	if l.Attempt != 2 {
		x.Errorf("after a retry the attempt is %d, want 2", l.Attempt)
	}
	at := time.Now().Add(2 * x.unit)
	x.end(queue.VerdictRelease, at, l)
	if r := x.get(id); r.State != queue.StateRetry || r.Attempts != 1 {
		x.Errorf("a released retry is %s after %d attempts, want retry after 1", r.State, r.Attempts)
	}
	x.at("NextAt", x.get(id).NextAt, at)
	x.leaseNone(laneA())
	x.advance(2*x.unit + precision)
	x.lease(laneA(), 1)
}

func parkedIsNeverDue(x *trial) {
	id := x.add(laneA(), 1)[0]
	l := x.lease(laneA(), 1)[0]
	x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictPark, Status: "waiting_for_pickup", At: time.Now()})
	for range 3 {
		if leased, next := x.budget(laneA(), 1); len(leased) != 0 || !next.IsZero() {
			x.Fatalf("%d parked messages were leased, the next is due at %v", len(leased), next)
		}
		x.advance(x.unit)
	}
	if x.features.RealTime == 0 {
		x.advance(1000 * time.Hour)
		x.leaseNone(laneA())
	}
	if r := x.get(id); r.State != queue.StatePending || r.Status != "waiting_for_pickup" || string(r.Payload) != "payload" {
		x.Errorf("a parked record is %s with status %q and payload %q", r.State, r.Status, r.Payload)
	}
}

func retryAt(x *trial) {
	ids := x.add(laneA(), 3)
	now := time.Now()
	leased := x.lease(laneA(), 3)
	x.settle(
		queue.Outcome{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictRetry, At: now.Add(2 * x.unit)},
		queue.Outcome{LeaseRef: leased[1].Ref(), Verdict: queue.VerdictRetry, At: now.Add(x.unit)},
		queue.Outcome{LeaseRef: leased[2].Ref(), Verdict: queue.VerdictRetry, At: now.Add(-x.unit)},
	)
	same(x, "at once", leasedIDs(x.lease(laneA(), 1)), ids[2:])
	x.leaseNone(laneA())
	x.advance(time.Until(now.Add(x.unit + precision)))
	same(x, "after a unit", leasedIDs(x.lease(laneA(), 1)), ids[1:2])
	x.leaseNone(laneA())
	x.advance(time.Until(now.Add(2*x.unit + precision)))
	same(x, "after two units", leasedIDs(x.lease(laneA(), 1)), ids[:1])
}

func statusIsKept(x *trial) {
	id := x.add(laneA(), 1)[0]
	for _, step := range []struct {
		verdict      queue.Verdict
		status, want string
	}{
		{queue.VerdictRetry, "", queue.StatusQueued},
		{queue.VerdictRetry, "waiting_for_pickup", "waiting_for_pickup"},
		{queue.VerdictRelease, "", "waiting_for_pickup"},
		{queue.VerdictRelease, "sent_to_session", "sent_to_session"},
		{queue.VerdictDead, "undeliverable", "undeliverable"},
	} {
		l := x.lease(laneA(), 1)[0]
		x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: step.verdict, Status: step.status})
		if r := x.get(id); r.Status != step.want {
			x.Errorf("status %q after verdict %d with %q, want %q", r.Status, step.verdict, step.status, step.want)
		}
	}
}

func evidenceAndError(x *trial) {
	id := x.add(laneA(), 1)[0]
	for _, step := range []struct {
		attempt  *queue.Attempt
		evidence transport.Evidence
		text     string
	}{
		{&queue.Attempt{Error: "first"}, transport.None, "first"},
		{&queue.Attempt{Error: "second", Evidence: transport.Acknowledged}, transport.Acknowledged, "second"},
		{nil, transport.Acknowledged, "second"},
		{&queue.Attempt{Error: "third", Evidence: transport.Written}, transport.Acknowledged, "third"},
		{&queue.Attempt{}, transport.Acknowledged, ""},
	} {
		l := x.lease(laneA(), 1)[0]
		x.settle(queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Attempt: step.attempt})
		if r := x.get(id); r.Evidence != step.evidence || r.LastError != step.text {
			x.Errorf("after %+v: evidence %v and error %q, want %v and %q", step.attempt, r.Evidence, r.LastError, step.evidence, step.text)
		}
	}
}

// bytesStay: also once the payload may have been let go.
func bytesStay(x *trial) {
	for _, e := range endings() {
		lane := laneNamed(fmt.Sprint("bytes", e.verdict))
		m := x.fullMessage(lane)
		want := m.Size()
		x.enqueue(m)
		x.end(e.verdict, time.Time{}, x.lease(lane, 1)...)
		if got := x.get(m.ID).Bytes; got != want {
			x.Errorf("verdict %d: Bytes is %d, want %d", e.verdict, got, want)
		}
	}
}

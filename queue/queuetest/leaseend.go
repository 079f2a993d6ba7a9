package queuetest

import (
	"errors"
	"time"

	"github.com/outrider-go/outrider/queue"
)

func leaseEndCases() []testCase {
	return []testCase{
		{name: "a lease runs out", run: leaseRunsOut},
		{name: "a lease is extended", run: leaseExtended},
		{name: "a lost lease stays lost", run: lostStaysLost},
		{name: "a settled lease is lost", run: settledIsLost},
		{name: "errors stand beside their leases", run: errorsBeside},
		{name: "what ran out comes first", run: ranOutFirst},
		{name: "leases of one lane end one by one", run: leasesEndOneByOne},
	}
}

// extend renews leases that are alive.
func (x *trial) extend(ttl time.Duration, refs ...queue.LeaseRef) {
	x.Helper()
	if faults, err := x.store.Extend(x.Context(), refs, ttl); err != nil || faults != nil {
		x.Fatalf("extend: %v, %v", faults, err)
	}
}

// leaseFor leases one message for a time.
func (x *trial) leaseFor(ttl time.Duration, lane queue.Lane) queue.Leased {
	x.Helper()
	request := queue.LeaseRequest{TTL: ttl, Budgets: []queue.Budget{{Lane: lane, Max: 1}}}
	leased, err := x.store.Lease(x.Context(), request, nil)
	if err != nil || len(leased) != 1 {
		x.Fatalf("lease: %d messages, %v", len(leased), err)
	}
	return leased[0]
}

func leaseRunsOut(x *trial) {
	id := x.add(laneA(), 1)[0]
	first := x.leaseFor(2*x.unit, laneA())
	x.advance(x.unit)
	x.leaseNone(laneA())
	x.advance(x.unit + precision)
	second := x.leaseFor(2*x.unit, laneA())
	if second.ID != id || second.Token == first.Token {
		x.Errorf("the second lease is %+v, the first %+v", second.Ref(), first.Ref())
	}
	if second.Attempt != 1 {
		x.Errorf("a lease that ran out counts: the second is attempt %d", second.Attempt)
	}
	x.lost(first.Ref())
	x.has(queue.StateDeliver, "", id)
	x.end(queue.VerdictDelivered, time.Time{}, second)
	x.has(queue.StateDone, queue.Delivered, id)
}

func leaseExtended(x *trial) {
	id := x.add(laneA(), 1)[0]
	l := x.leaseFor(2*x.unit, laneA())
	for range 3 {
		x.advance(x.unit)
		x.extend(2*x.unit, l.Ref())
	}
	x.leaseNone(laneA())
	x.advance(2*x.unit + precision)
	x.lost(l.Ref())
	if again := x.lease(laneA(), 1)[0]; again.ID != id || again.Token == l.Token {
		x.Errorf("leased again as %+v, before %+v", again.Ref(), l.Ref())
	}
}

// lostStaysLost: also before the message is leased again.
func lostStaysLost(x *trial) {
	id := x.add(laneA(), 1)[0]
	l := x.leaseFor(x.unit, laneA())
	x.advance(x.unit + precision)
	x.lost(l.Ref())
	r := x.get(id)
	if r.State != queue.StatePending || r.Result != "" || r.Attempts != 0 {
		x.Errorf("the record is %s %s after %d attempts, want pending", r.State, r.Result, r.Attempts)
	}
	if r.NextAt.IsZero() || r.NextAt.After(time.Now()) {
		x.Errorf("NextAt is %v, want not after now", r.NextAt)
	}
	x.end(queue.VerdictRetry, time.Time{}, x.leaseFor(x.unit, laneA()))
	x.leaseFor(x.unit, laneA())
	x.advance(x.unit + precision)
	if r := x.get(id); r.State != queue.StateRetry || r.Attempts != 1 {
		x.Errorf("the record is %s after %d attempts, want retry", r.State, r.Attempts)
	}
}

func settledIsLost(x *trial) {
	for _, verdict := range []queue.Verdict{
		queue.VerdictDelivered, queue.VerdictDead, queue.VerdictExpired,
		queue.VerdictPark, queue.VerdictRetry, queue.VerdictRelease,
	} {
		id := x.add(laneA(), 1)[0]
		l := x.lease(laneA(), 1)[0]
		x.end(verdict, time.Now().Add(50*x.unit), l)
		before := x.get(id)
		x.lost(l.Ref())
		if after := x.get(id); after.State != before.State || after.Result != before.Result || after.Attempts != before.Attempts {
			x.Errorf("verdict %d: a lost lease turned %s %s into %s %s", verdict, before.State, before.Result, after.State, after.Result)
		}
	}
}

func errorsBeside(x *trial) {
	x.add(laneA(), 3)
	leased := x.lease(laneA(), 3)
	stale := leased[1].Ref()
	stale.Token++
	refs := []queue.LeaseRef{leased[0].Ref(), stale, leased[2].Ref(), {ID: x.store.NewID(), Token: 1}}
	wants := []bool{false, true, false, true} // lost
	faults, err := x.store.Extend(x.Context(), refs, x.unit)
	x.beside("extend", faults, err, wants)
	outcomes := make([]queue.Outcome, len(refs))
	for i, ref := range refs {
		outcomes[i] = queue.Outcome{LeaseRef: ref, Verdict: queue.VerdictDelivered}
	}
	faults, err = x.store.Settle(x.Context(), outcomes)
	x.beside("settle", faults, err, wants)
	for i, lost := range wants {
		if ended := outcomes[i].Result == queue.Delivered; ended == lost {
			x.Errorf("outcome %d: the result is %q", i, outcomes[i].Result)
		}
	}
	x.has(queue.StateDone, queue.Delivered, leased[0].ID, leased[2].ID)
	x.has(queue.StateDeliver, "", leased[1].ID)

	twice := queue.Outcome{LeaseRef: leased[1].Ref(), Verdict: queue.VerdictDelivered}
	faults, err = x.store.Settle(x.Context(), []queue.Outcome{twice, twice})
	x.beside("settle twice", faults, err, []bool{false, true})
}

func (x *trial) beside(what string, faults []error, err error, lost []bool) {
	x.Helper()
	if err != nil || len(faults) != len(lost) {
		x.Fatalf("%s: %v, %v, want %d errors", what, faults, err, len(lost))
	}
	for i, fault := range faults {
		if errors.Is(fault, queue.ErrLeaseLost) != lost[i] || (fault != nil) != lost[i] {
			x.Errorf("%s: error %d is %v, lost: %v", what, i, fault, lost[i])
		}
	}
}

func ranOutFirst(x *trial) {
	early := x.add(laneA(), 2)
	x.leaseFor(2*x.unit, laneA())
	x.leaseFor(2*x.unit, laneA())
	late := x.add(laneA(), 2)
	retried := x.lease(laneA(), 1)
	x.end(queue.VerdictRetry, time.Now().Add(x.unit), retried...)
	x.advance(2*x.unit + precision)
	same(x, "leased", leasedIDs(x.lease(laneA(), 4)), append(early, late[1], late[0]))
}

func leasesEndOneByOne(x *trial) {
	ids := x.add(laneA(), 4)
	var leased []queue.Leased
	for _, units := range []int{4, 1, 3, 2} {
		leased = append(leased, x.leaseFor(time.Duration(units)*x.unit, laneA()))
	}
	x.advance(x.unit / 2)
	for _, i := range []int{1, 3, 2, 0} {
		_, next := x.budget(laneA(), 0)
		x.about("NextAt", next, time.Now().Add(x.unit/2))
		x.leaseNone(laneA())
		x.advance(x.unit)
		x.lost(leased[i].Ref())
		same(x, "leased again", leasedIDs(x.lease(laneA(), 1)), ids[i:i+1])
	}
}

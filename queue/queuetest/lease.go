package queuetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func leaseCases() []testCase {
	return []testCase{
		{name: "budgets", run: budgets},
		{name: "a lane without messages", run: emptyLane},
		{name: "what a lease says", run: leaseSays},
		{name: "a leased record", run: leasedRecord},
		{name: "when the lane has its next", run: nextOfLane},
		{name: "the next of a lane that waits", run: nextOfWaiting},
		{name: "early leases", run: earlyLeases},
		{name: "one holder at a time", run: oneHolder},
	}
}

func budgets(x *trial) {
	inA, inB := x.add(laneA(), 5), x.add(laneB(), 2)
	inOther := x.add(otherLane(), 1)
	request := []queue.Budget{
		{Lane: laneA(), Max: 3}, {Lane: laneNamed("unknown"), Max: 9}, {Lane: otherLane(), Max: 0},
		{Lane: laneB(), Max: 9}, {Lane: laneA(), Max: 1},
	}
	into := []queue.Leased{{Message: queue.Message{Endpoint: "before"}}}
	leased, err := x.store.Lease(x.Context(), queue.LeaseRequest{TTL: 10 * x.unit, Budgets: request}, into)
	if err != nil {
		x.Fatal(err)
	}
	if len(leased) < 1 || leased[0].Endpoint != "before" {
		x.Fatal("lease did not append to what it was given")
	}
	taken := map[queue.Lane][]transport.ID{}
	for _, l := range leased[1:] {
		taken[l.Lane] = append(taken[l.Lane], l.ID)
	}
	same(x, "from a", taken[laneA()], inA[:4])
	same(x, "from b", taken[laneB()], inB)
	same(x, "from the other profile", taken[otherLane()], nil)
	for _, i := range []int{0, 2, 4} { // these lanes have more
		if request[i].NextAt.IsZero() || request[i].NextAt.After(time.Now()) {
			x.Errorf("budget %d: NextAt is %v, want now", i, request[i].NextAt)
		}
	}
	x.at("NextAt of the unknown lane", request[1].NextAt, time.Time{})
	same(x, "left in a", leasedIDs(x.lease(laneA(), 1)), inA[4:])
	same(x, "left in the other profile", leasedIDs(x.lease(otherLane(), 1)), inOther)
}

func emptyLane(x *trial) {
	if leased, next := x.budget(laneA(), 5); len(leased) != 0 || !next.IsZero() {
		x.Errorf("an empty lane gives %d messages, and the next at %v", len(leased), next)
	}
	x.end(queue.VerdictDelivered, time.Time{}, x.leaseAfter(x.add(laneA(), 1))...)
	if leased, next := x.budget(laneA(), 5); len(leased) != 0 || !next.IsZero() {
		x.Errorf("a lane with a delivered message gives %d messages, and the next at %v", len(leased), next)
	}
	if leased, err := x.store.Lease(x.Context(), queue.LeaseRequest{TTL: x.unit}, nil); err != nil || len(leased) != 0 {
		x.Errorf("lease without budgets: %d messages, %v", len(leased), err)
	}
}

// leaseAfter leases as many messages from the first lane as there are ids.
func (x *trial) leaseAfter(ids []transport.ID) []queue.Leased {
	x.Helper()
	return x.lease(laneA(), len(ids))
}

func leaseSays(x *trial) {
	now := time.Now()
	x.add(laneA(), 1)
	var last uint64
	for i := range 3 {
		l := x.lease(laneA(), 1)[0]
		if l.Attempt != i+1 || l.Replays != 0 {
			x.Errorf("lease %d is for attempt %d, replay %d", i+1, l.Attempt, l.Replays)
		}
		if i > 0 && l.Token == last {
			x.Errorf("lease %d has the token of the one before", i+1)
		}
		last = l.Token
		x.about("QueuedAt", l.QueuedAt, now)
		x.end(queue.VerdictRetry, time.Time{}, l)
	}
}

func leasedRecord(x *trial) {
	id := x.add(laneA(), 1)[0]
	x.advance(x.unit)
	x.lease(laneA(), 1)
	r := x.get(id)
	if r.State != queue.StateDeliver || r.Result != "" || r.Attempts != 0 || r.Status != queue.StatusQueued {
		x.Errorf("a leased record is %+v", r)
	}
	x.at("NextAt", r.NextAt, time.Time{})
	x.about("UpdatedAt", r.UpdatedAt, time.Now())
	x.about("CreatedAt", r.CreatedAt, time.Now().Add(-x.unit))
	x.leaseNone(laneA())
}

func nextOfLane(x *trial) {
	next := func(what string, most int, want time.Time) []queue.Leased {
		x.Helper()
		leased, at := x.budget(laneA(), most)
		x.about(what, at, want)
		return leased
	}
	soon, late := x.message(laneA()), x.message(laneA())
	soon.NotBefore, late.NotBefore = time.Now().Add(3*x.unit), time.Now().Add(30*x.unit)
	x.enqueue(late)
	next("with one that waits", 1, late.NotBefore)
	x.enqueue(soon)
	next("with two that wait", 1, soon.NotBefore)
	x.add(laneA(), 2)
	started := time.Now()
	first := next("with one more that is due", 1, started)
	second := next("with two that wait and two leased", 1, soon.NotBefore)
	x.end(queue.VerdictDelivered, time.Time{}, second...)
	x.advance(4 * x.unit)
	third := next("with one that waits and two leased", 5, started.Add(10*x.unit))
	x.extend(20*x.unit, first[0].Ref())
	next("with the earlier lease extended", 0, started.Add(14*x.unit))
	x.end(queue.VerdictRetry, started.Add(12*x.unit), third...)
	next("with a retry", 0, started.Add(12*x.unit))
	x.end(queue.VerdictPark, time.Time{}, first...)
	next("with one parked", 0, started.Add(12*x.unit))
	if _, err := x.store.Cancel(x.Context(), queue.Query{}); err != nil {
		x.Fatal(err)
	}
	next("with all cancelled", 0, time.Time{})
}

func nextOfWaiting(x *trial) {
	m := x.message(laneA())
	m.NotBefore = time.Now().Add(2 * x.unit)
	x.enqueue(m)
	_, next := x.budget(laneA(), 1)
	x.at("NextAt", next, m.NotBefore)
	x.at("the record's NextAt", x.get(m.ID).NextAt, m.NotBefore)
	x.advance(time.Until(m.NotBefore) - x.slack - precision)
	x.leaseNone(laneA())
	x.advance(time.Until(m.NotBefore) + precision)
	x.end(queue.VerdictRetry, m.NotBefore.Add(2*x.unit), x.lease(laneA(), 1)...)
	_, next = x.budget(laneA(), 1)
	x.at("NextAt of a retry", next, m.NotBefore.Add(2*x.unit))
	x.at("the record's NextAt of a retry", x.get(m.ID).NextAt, next)
	x.advance(time.Until(next) - x.slack - precision)
	x.leaseNone(laneA())
	x.advance(time.Until(next) + precision)
	x.lease(laneA(), 1)
}

// earlyLeases: who asks for it gets what waits for another attempt before it is
// due, one at a time and soonest first, and nothing before its first attempt.
func earlyLeases(x *trial) {
	early := func(what string, want ...transport.ID) []queue.Leased {
		x.Helper()
		budgets := []queue.Budget{{Lane: laneA(), Max: 1, Early: true}}
		leased, err := x.store.Lease(x.Context(), queue.LeaseRequest{TTL: 10 * x.unit, Budgets: budgets}, nil)
		if err != nil {
			x.Fatal(err)
		}
		same(x, what, leasedIDs(leased), want)
		return leased
	}
	ids := x.add(laneA(), 3)
	soon, late := x.lease(laneA(), 1), x.lease(laneA(), 1)
	x.end(queue.VerdictRetry, time.Now().Add(9*x.unit), late...)
	x.end(queue.VerdictRetry, time.Now().Add(5*x.unit), soon...)
	scheduled := x.message(laneA())
	scheduled.NotBefore = time.Now().Add(x.unit)
	x.enqueue(scheduled)
	x.end(queue.VerdictDelivered, time.Time{}, early("with one that is due", ids[2])...)
	x.leaseNone(laneA())
	first := early("with two that wait for a retry", ids[0])
	if first[0].Attempt != 2 {
		x.Errorf("an early lease is for attempt %d, want 2", first[0].Attempt)
	}
	x.end(queue.VerdictDelivered, time.Time{}, early("with another", ids[1])...)
	x.end(queue.VerdictRetry, time.Now().Add(5*x.unit), first...)
	if _, err := x.store.Cancel(x.Context(), queue.Query{IDs: ids[:1]}); err != nil {
		x.Fatal(err)
	}
	early("with one that was never attempted, and waits")

	keyed := []queue.Message{x.message(laneA()), x.message(laneA())}
	for i := range keyed {
		keyed[i].OrderingKey = "k"
	}
	x.enqueue(keyed...)
	aside := x.lease(laneA(), 1)[0]
	x.settle(queue.Outcome{LeaseRef: aside.Ref(), Verdict: queue.VerdictRetry, At: time.Now().Add(9 * x.unit), Skip: true})
	x.has(queue.StateRetry, "", aside.ID)
	early("with one that stands aside, and the next of its key", keyed[1].ID)
	early("with one that stands aside")
}

// holders watches who holds which message.
type holders struct {
	mu        sync.Mutex
	held      map[transport.ID]int
	delivered map[transport.ID]bool
	faults    []string
}

func (h *holders) take(worker int, leased []queue.Leased) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range leased {
		if other, ok := h.held[l.ID]; ok {
			h.faults = append(h.faults, fmt.Sprintf("%s was leased to %d while %d had it", l.ID, worker, other))
		}
		if h.delivered[l.ID] {
			h.faults = append(h.faults, fmt.Sprintf("%s was leased to %d after it was delivered", l.ID, worker))
		}
		h.held[l.ID] = worker
	}
}

func (h *holders) give(l queue.Leased, delivered bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.held, l.ID)
	if delivered {
		h.delivered[l.ID] = true
	}
}

func (h *holders) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.delivered)
}

// oneHolder has 16 workers deliver what two senders enqueue meanwhile.
func oneHolder(x *trial) {
	const each = 500
	lanes := []queue.Lane{laneA(), laneB(), otherLane()}
	h := &holders{held: map[transport.ID]int{}, delivered: map[transport.ID]bool{}}
	ctx, cancel := context.WithCancel(x.Context())
	defer cancel()
	var senders, workers sync.WaitGroup
	for range 2 {
		senders.Go(func() {
			for i := range each {
				if _, err := x.store.Enqueue(ctx, []queue.Message{newMessage(x.store, lanes[i%len(lanes)])}); err != nil {
					x.Errorf("enqueue: %v", err)
					return
				}
			}
		})
	}
	for worker := range 16 {
		workers.Go(func() {
			for round := 0; h.count() < 2*each && ctx.Err() == nil; round++ {
				if err := x.work(ctx, h, worker, lanes[(worker+round)%len(lanes)]); err != nil {
					x.Errorf("worker %d: %v", worker, err)
					cancel()
				}
			}
		})
	}
	senders.Wait()
	workers.Wait()
	for _, fault := range h.faults {
		x.Error(fault)
	}
	if h.count() != 2*each {
		x.Errorf("%d messages were delivered, of %d", h.count(), 2*each)
	}
}

// work is one turn of a worker: it leases some messages and delivers most.
func (x *trial) work(ctx context.Context, h *holders, worker int, lane queue.Lane) error {
	leased, err := x.store.Lease(ctx, queue.LeaseRequest{
		TTL: time.Hour, Budgets: []queue.Budget{{Lane: lane, Max: 1 + worker%7}},
	}, nil)
	if err != nil {
		return err
	}
	if len(leased) == 0 {
		x.advance(precision)
		return nil
	}
	h.take(worker, leased)
	if faults, err := x.store.Extend(ctx, []queue.LeaseRef{leased[0].Ref()}, time.Hour); err != nil || faults != nil {
		return fmt.Errorf("extend: %v, %w", faults, err)
	}
	outcomes := make([]queue.Outcome, len(leased))
	for i, l := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictDelivered}
		if l.Attempt < 2 && i%3 == 2 {
			outcomes[i].Verdict = queue.VerdictRetry
		}
		h.give(l, outcomes[i].Verdict == queue.VerdictDelivered)
	}
	if faults, err := x.store.Settle(ctx, outcomes); err != nil || faults != nil {
		return fmt.Errorf("settle: %v, %w", faults, err)
	}
	return nil
}

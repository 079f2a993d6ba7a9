package queuetest

import (
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func priorityCases() []testCase {
	return []testCase{
		{name: "a higher one goes first", run: higherFirst},
		{name: "one at a time", run: higherFirstOneByOne},
		{name: "within one priority", run: withinPriority},
		{name: "what is not due holds up nothing", run: notDueHoldsNothing},
		{name: "when the lane has its next", run: nextOfPriorities},
		{name: "a lower one is not starved", run: notStarved},
		{name: "the lowest of three is not starved", run: lowestNotStarved},
		{name: "it is kept", run: priorityKept},
	}
}

// ranked returns n messages with a priority.
func (x *trial) ranked(priority queue.Priority, lane queue.Lane, n int) []queue.Message {
	batch := make([]queue.Message, n)
	for i := range batch {
		batch[i] = x.message(lane)
		batch[i].Priority = priority
	}
	return batch
}

// addRanked keeps n messages with a priority for the first lane.
func (x *trial) addRanked(priority queue.Priority, n int) []transport.ID {
	x.Helper()
	return x.enqueue(x.ranked(priority, laneA(), n)...)
}

// addMixed keeps two messages of each priority, and returns them as they are to
// be leased.
func (x *trial) addMixed() []transport.ID {
	x.Helper()
	low, normal, high := x.ranked(queue.PriorityLow, laneA(), 2), x.ranked(queue.PriorityNormal, laneA(), 2), x.ranked(queue.PriorityHigh, laneA(), 2)
	x.enqueue(low[0], high[0], normal[0], low[1], normal[1], high[1])
	return messageIDs(slices.Concat(high, normal, low))
}

func messageIDs(batch []queue.Message) []transport.ID {
	ids := make([]transport.ID, len(batch))
	for i := range batch {
		ids[i] = batch[i].ID
	}
	return ids
}

func higherFirst(x *trial) {
	want := x.addMixed()
	same(x, "leased", leasedIDs(x.lease(laneA(), 6)), want)
	x.leaseNone(laneA())
}

func higherFirstOneByOne(x *trial) {
	low := x.addRanked(queue.PriorityLow, 1)
	seven := x.addRanked(queue.PriorityHigh, 7)
	for _, id := range append(seven, low...) {
		same(x, "leased of eight", leasedIDs(x.lease(laneA(), 1)), []transport.ID{id})
	}
	for _, id := range x.addMixed() {
		l := x.lease(laneA(), 1)
		same(x, "leased", leasedIDs(l), []transport.ID{id})
		x.end(queue.VerdictDelivered, time.Time{}, l...)
	}
}

func withinPriority(x *trial) {
	lapsed := append(x.addRanked(queue.PriorityHigh, 1), x.addRanked(queue.PriorityNormal, 1)...)
	x.leaseFor(2*x.unit, laneA())
	x.leaseFor(2*x.unit, laneA())
	late := x.ranked(queue.PriorityHigh, laneA(), 2)
	for i := range late {
		late[i].NotBefore = time.Now().Add(x.unit - time.Duration(i)*10*precision)
	}
	normal := x.addRanked(queue.PriorityNormal, 1)
	x.enqueue(late...)
	x.advance(2*x.unit + precision)
	same(x, "leased", leasedIDs(x.lease(laneA(), 5)), []transport.ID{lapsed[0], late[1].ID, late[0].ID, lapsed[1], normal[0]})
}

func notDueHoldsNothing(x *trial) {
	high := x.ranked(queue.PriorityHigh, laneA(), 1)
	high[0].NotBefore = time.Now().Add(2 * x.unit)
	x.enqueue(high...)
	low := x.addRanked(queue.PriorityLow, 2)
	leased, next := x.budget(laneA(), 1)
	same(x, "leased", leasedIDs(leased), low[:1])
	x.about("NextAt with one more that is due", next, time.Now())
	x.advance(2*x.unit + precision)
	same(x, "leased once all are due", leasedIDs(x.lease(laneA(), 2)), []transport.ID{high[0].ID, low[1]})
}

func nextOfPriorities(x *trial) {
	now := time.Now()
	for i, priority := range []queue.Priority{queue.PriorityHigh, queue.PriorityNormal, queue.PriorityLow} {
		m := x.ranked(priority, laneA(), 1)
		m[0].NotBefore = now.Add(time.Duration(8-2*i) * x.unit)
		x.enqueue(m...)
		_, next := x.budget(laneA(), 1)
		x.at("NextAt", next, m[0].NotBefore)
		x.dueLanes("the lane", map[queue.Lane]time.Time{laneA(): m[0].NotBefore})
	}
	x.advance(4*x.unit + x.slack)
	_, next := x.budget(laneA(), 1)
	x.at("NextAt with the low one leased", next, now.Add(6*x.unit))
}

// notStarved: a low one comes after eight high ones in a row, give or take one,
// whether they are leased in one call or in many.
func notStarved(x *trial) {
	for _, most := range []int{100, 4, 1} {
		high := x.addRanked(queue.PriorityHigh, 100)
		low := x.addRanked(queue.PriorityLow, 1)[0]
		var leased []queue.Leased
		for len(leased) < 100 {
			part, _ := x.budget(laneA(), most)
			if len(part) == 0 {
				break
			}
			leased = append(leased, part...)
		}
		ids := leasedIDs(leased)
		if place := slices.Index(ids, low) + 1; place > 10 || place == 0 {
			x.Errorf("%d at once: the low one came as number %d, want 9", most, place)
		}
		ids = slices.DeleteFunc(ids, func(id transport.ID) bool { return id == low })
		same(x, "leased", ids, high[:len(ids)])
		x.cancelAll(leased)
	}
}

// cancelAll delivers what was leased and cancels the rest.
func (x *trial) cancelAll(leased []queue.Leased) {
	x.Helper()
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	x.cancel(queue.Query{})
}

func lowestNotStarved(x *trial) {
	x.addRanked(queue.PriorityHigh, 200)
	x.addRanked(queue.PriorityNormal, 100)
	low := x.addRanked(queue.PriorityLow, 1)[0]
	ids := leasedIDs(x.lease(laneA(), 100))
	if !slices.Contains(ids, low) {
		x.Error("the low one is not among the first 100, want it after eight normal ones, each after eight high ones")
	}
}

// priorityKept: by a retry, a lease that ran out and a replay.
func priorityKept(x *trial) {
	normal := x.addRanked(queue.PriorityNormal, 1)
	high := x.addRanked(queue.PriorityHigh, 1)
	x.end(queue.VerdictRetry, time.Time{}, x.lease(laneA(), 1)...)
	x.advance(precision)
	same(x, "after a retry", leasedIDs([]queue.Leased{x.leaseFor(x.unit, laneA())}), high)
	x.advance(x.unit + precision)
	dead := x.lease(laneA(), 1)
	same(x, "after a lease that ran out", leasedIDs(dead), high)
	x.end(queue.VerdictDead, time.Time{}, dead...)
	x.replay(queue.Query{})
	same(x, "after a replay", leasedIDs(x.lease(laneA(), 2)), append(high, normal...))
}

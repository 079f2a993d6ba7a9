package queuetest

import (
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func orderCases() []testCase {
	return []testCase{
		{name: "first in, first out", run: firstInFirstOut},
		{name: "by the time they are due", run: byDueTime},
		{name: "a retry queues up again", run: retryQueuesUp},
		{name: "a release queues up again", run: releaseQueuesUp},
		{name: "what fell due goes before what came later", run: fellDueFirst},
		{name: "lanes do not wait for each other", run: lanesApart},
		{name: "days ahead", run: daysAhead, long: true},
	}
}

func firstInFirstOut(x *trial) {
	var want, got []transport.ID
	for n := range 15 {
		want = append(want, x.add(laneA(), n)...)
		x.add(laneB(), 1)
	}
	for n := 1; len(got) < len(want); n++ {
		leased, _ := x.budget(laneA(), n)
		if len(leased) == 0 {
			break
		}
		got = append(got, leasedIDs(leased)...)
	}
	same(x, "leased", got, want)
}

func byDueTime(x *trial) {
	now := time.Now()
	order := []int{3, 0, 4, 1, 2}
	want := make([]transport.ID, len(order))
	for _, place := range order {
		m := x.message(laneA())
		m.NotBefore = now.Add(x.unit + time.Duration(place)*10*precision)
		want[place] = m.ID
		x.enqueue(m)
	}
	x.leaseNone(laneA())
	x.advance(2 * x.unit)
	same(x, "leased", leasedIDs(x.lease(laneA(), len(want))), want)
}

func retryQueuesUp(x *trial) {
	ids := x.add(laneA(), 3)
	x.advance(10 * precision)
	leased := x.lease(laneA(), 1)
	x.end(queue.VerdictRetry, time.Time{}, leased...)
	x.advance(10 * precision)
	ids = append(ids, x.add(laneA(), 1)...)
	same(x, "leased", leasedIDs(x.lease(laneA(), 4)), []transport.ID{ids[1], ids[2], ids[0], ids[3]})
}

func releaseQueuesUp(x *trial) {
	ids := x.add(laneA(), 2)
	x.advance(10 * precision)
	x.end(queue.VerdictRelease, time.Time{}, x.lease(laneA(), 1)...)
	same(x, "leased", leasedIDs(x.lease(laneA(), 2)), []transport.ID{ids[1], ids[0]})
}

func fellDueFirst(x *trial) {
	waits := x.message(laneA())
	waits.NotBefore = time.Now().Add(x.unit)
	x.enqueue(waits)
	ready := x.add(laneA(), 1)
	x.advance(2 * x.unit)
	late := x.add(laneA(), 1)
	same(x, "leased", leasedIDs(x.lease(laneA(), 3)), []transport.ID{ready[0], waits.ID, late[0]})
}

func lanesApart(x *trial) {
	x.add(laneA(), 2000)
	id := x.add(laneB(), 1)
	same(x, "leased", leasedIDs(x.lease(laneB(), 1)), id)
	x.add(otherLane(), 1)
	x.lease(otherLane(), 1)
	x.leaseNone(laneB())
}

func daysAhead(x *trial) {
	const day = 24 * time.Hour
	m := x.message(laneA())
	m.NotBefore = time.Now().Add(400 * day)
	x.enqueue(m)
	x.advance(400*day - x.unit)
	x.leaseNone(laneA())
	x.advance(x.unit + precision)
	again := time.Now().Add(3000 * day)
	x.end(queue.VerdictRetry, again, x.lease(laneA(), 1)...)
	x.at("NextAt", x.get(m.ID).NextAt, again)
	x.advance(3000*day - x.unit)
	x.leaseNone(laneA())
	x.advance(x.unit + precision)
	x.lease(laneA(), 1)
}

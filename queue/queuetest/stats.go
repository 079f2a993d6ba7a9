package queuetest

import (
	"time"

	"github.com/outrider-go/outrider/queue"
)

func statsCases() []testCase {
	return []testCase{
		{name: "an empty store", run: statsOfNothing},
		{name: "every state", run: statsOfStates},
		{name: "by profile and lane", run: statsByGroup},
		{name: "bytes", run: statsOfBytes},
		{name: "the oldest", run: statsOfOldest},
	}
}

// total returns the counts of all records.
func (x *trial) total() queue.Backlog {
	x.Helper()
	all, err := x.store.Stats(x.Context(), queue.ByTotal)
	if err != nil || len(all) != 1 || all[0].Lane != (queue.Lane{}) {
		x.Fatalf("stats in total: %+v, %v", all, err)
	}
	return all[0]
}

func statsOfNothing(x *trial) {
	if got := x.total(); got != (queue.Backlog{}) {
		x.Errorf("an empty store has %+v", got)
	}
	for _, by := range []queue.Grouping{queue.ByProfile, queue.ByLane} {
		if groups, err := x.store.Stats(x.Context(), by); err != nil || len(groups) != 0 {
			x.Errorf("an empty store has the groups %+v, %v", groups, err)
		}
	}
}

func statsOfStates(x *trial) {
	for i, verdict := range []queue.Verdict{
		queue.VerdictPark, queue.VerdictDelivered, queue.VerdictDead, queue.VerdictExpired,
	} {
		for range i + 1 {
			x.finished(laneA(), verdict)
		}
	}
	x.add(laneA(), 5)
	x.cancel(queue.Query{States: []queue.State{queue.StatePending}, Limit: 1}) // those and the parked one
	x.end(queue.VerdictRetry, time.Time{}, x.leaseAfter(x.add(laneA(), 6))...)
	x.add(laneB(), 7)
	x.lease(laneB(), 7)
	got := x.total()
	if !got.Oldest.Before(time.Now().Add(x.slack)) || got.Oldest.IsZero() {
		x.Errorf("Oldest is %v", got.Oldest)
	}
	got.Oldest, got.Bytes, got.Estimate = time.Time{}, 0, false
	want := queue.Backlog{Deliver: 7, Retry: 6, Delivered: 2, Dead: 3, Cancelled: 6, Expired: 4}
	if got != want {
		x.Errorf("the counts are %+v, want %+v", got, want)
	}
}

func statsByGroup(x *trial) {
	x.add(laneA(), 1)
	x.add(laneB(), 2)
	x.add(otherLane(), 4)
	x.end(queue.VerdictDead, time.Time{}, x.lease(otherLane(), 1)...)
	type counts struct{ pending, dead int64 }
	for _, test := range []struct {
		by   queue.Grouping
		want map[queue.Lane]counts
	}{
		{queue.ByTotal, map[queue.Lane]counts{{}: {6, 1}}},
		{queue.ByProfile, map[queue.Lane]counts{{Profile: "acme"}: {3, 0}, {Profile: "other"}: {3, 1}}},
		{queue.ByLane, map[queue.Lane]counts{laneA(): {1, 0}, laneB(): {2, 0}, otherLane(): {3, 1}}},
	} {
		groups, err := x.store.Stats(x.Context(), test.by)
		if err != nil || len(groups) != len(test.want) {
			x.Errorf("grouping %d: %+v, %v", test.by, groups, err)
		}
		for _, group := range groups {
			if got := (counts{group.Pending, group.Dead}); got != test.want[group.Lane] || group.Waiting() != got.pending {
				x.Errorf("grouping %d: %v has %+v, want %+v", test.by, group.Lane, got, test.want[group.Lane])
			}
		}
	}
}

func statsOfBytes(x *trial) {
	first, second := x.fullMessage(laneA()), x.message(laneB())
	sizes := []int64{first.Size(), second.Size()}
	x.enqueue(first, second)
	if got := x.total().Bytes; got != sizes[0]+sizes[1] {
		x.Errorf("Bytes is %d, want %d", got, sizes[0]+sizes[1])
	}
	leased := x.lease(laneA(), 1)
	if got := x.total().Bytes; got != sizes[0]+sizes[1] {
		x.Errorf("with one leased, Bytes is %d, want %d", got, sizes[0]+sizes[1])
	}
	x.end(queue.VerdictDead, time.Time{}, leased...)
	if got := x.total().Bytes; got != sizes[1] {
		x.Errorf("with one dead, Bytes is %d, want %d", got, sizes[1])
	}
	x.replay(queue.Query{})
	if got := x.total().Bytes; got != sizes[0]+sizes[1] {
		x.Errorf("with one replayed, Bytes is %d, want %d", got, sizes[0]+sizes[1])
	}
}

func statsOfOldest(x *trial) {
	first := time.Now()
	x.add(laneA(), 1)
	x.advance(x.unit)
	second := time.Now()
	x.add(laneA(), 1)
	x.advance(x.unit)
	x.about("with two", x.total().Oldest, first)
	x.end(queue.VerdictDead, time.Time{}, x.lease(laneA(), 1)...)
	x.about("with the first dead", x.total().Oldest, second)
	x.replay(queue.Query{})
	x.about("with the first replayed", x.total().Oldest, second)
	x.cancel(queue.Query{})
	x.at("with all cancelled", x.total().Oldest, time.Time{})
}

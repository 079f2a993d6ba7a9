package queuetest

import (
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

func dueCases() []testCase {
	return []testCase{
		{name: "lanes with work", run: lanesWithWork},
		{name: "lanes without work", run: lanesWithoutWork},
		{name: "page by page", run: duePages},
	}
}

// due lists all lanes with work, some at a time.
func (x *trial) due(limit int) []queue.LaneDue {
	x.Helper()
	var all []queue.LaneDue
	var after queue.Lane
	for {
		lanes, err := x.store.Due(x.Context(), after, limit)
		if err != nil || len(lanes) > limit {
			x.Fatalf("due: %d lanes of %d allowed, %v", len(lanes), limit, err)
		}
		if len(all) > 0 && len(lanes) > 0 && lanes[len(lanes)-1].Lane == after {
			x.Fatalf("due gives the lanes up to %v, and behind it the same", after)
		}
		all = append(all, lanes...)
		if len(lanes) < limit {
			return all
		}
		after = lanes[limit-1].Lane
	}
}

// dueLanes checks which lanes have work, and when.
func (x *trial) dueLanes(what string, want map[queue.Lane]time.Time) {
	x.Helper()
	lanes := x.due(10)
	for _, lane := range lanes {
		at, ok := want[lane.Lane]
		if !ok {
			x.Errorf("%s: %v is due, and has no work", what, lane.Lane)
		}
		x.about(what, lane.NextAt, at)
	}
	if len(lanes) != len(want) {
		x.Errorf("%s: %d lanes are due, want %d", what, len(lanes), len(want))
	}
}

func lanesWithWork(x *trial) {
	x.dueLanes("an empty store", nil)
	now := time.Now()
	x.add(laneA(), 2)
	waits := x.message(laneB())
	waits.NotBefore = now.Add(20 * x.unit)
	x.enqueue(waits)
	x.add(otherLane(), 1)
	x.lease(otherLane(), 1)
	x.dueLanes("one ready, one waiting, one leased", map[queue.Lane]time.Time{
		laneA(): now, laneB(): waits.NotBefore, otherLane(): now.Add(10 * x.unit),
	})
	x.lease(laneA(), 2)
	x.dueLanes("all leased", map[queue.Lane]time.Time{
		laneA(): now.Add(10 * x.unit), laneB(): waits.NotBefore, otherLane(): now.Add(10 * x.unit),
	})
}

func lanesWithoutWork(x *trial) {
	for i, verdict := range []queue.Verdict{queue.VerdictDelivered, queue.VerdictDead, queue.VerdictExpired, queue.VerdictPark} {
		lane := laneNamed(string(rune('m' + i)))
		x.add(lane, 1)
		x.end(verdict, time.Time{}, x.lease(lane, 1)...)
	}
	x.add(laneA(), 1)
	if _, err := x.store.Cancel(x.Context(), queue.Query{Destination: laneA().Destination}); err != nil {
		x.Fatal(err)
	}
	expires := x.message(laneB())
	expires.ExpiresAt = time.Now().Add(x.unit)
	x.enqueue(expires)
	if err := x.store.SetLane(x.Context(), queue.LaneState{Lane: otherLane(), Reason: "paused"}); err != nil {
		x.Fatal(err)
	}
	x.advance(x.unit + precision)
	x.dueLanes("nothing to do", nil)
	x.end(queue.VerdictRetry, time.Now().Add(x.unit), x.lease(x.addedLane("z"), 1)...)
	x.dueLanes("a retry", map[queue.Lane]time.Time{laneNamed("z"): time.Now().Add(x.unit)})
}

func (x *trial) addedLane(name string) queue.Lane {
	x.Helper()
	x.add(laneNamed(name), 1)
	return laneNamed(name)
}

func duePages(x *trial) {
	want := map[queue.Lane]bool{}
	for i := range 25 {
		lane := laneNamed(string(rune('a' + i*7%25)))
		if i%5 == 0 {
			lane.Profile = "other"
		}
		want[lane] = true
		x.add(lane, 1+i%2)
	}
	whole := x.due(100)
	for _, lane := range whole {
		if !want[lane.Lane] {
			x.Errorf("%v is due twice, or has no work", lane.Lane)
		}
		delete(want, lane.Lane)
	}
	if len(want) > 0 {
		x.Errorf("not due: %v", want)
	}
	for _, limit := range []int{1, 3, 5, 24, 25} {
		if paged := x.due(limit); !slices.EqualFunc(paged, whole, func(a, b queue.LaneDue) bool { return a.Lane == b.Lane }) {
			x.Errorf("in pages of %d the lanes are %v, want %v", limit, paged, whole)
		}
	}
	// A lane that has no work any more still says where to go on.
	gone := whole[4].Lane
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(gone, 1)...)
	rest, err := x.store.Due(x.Context(), gone, 1)
	if err != nil || len(rest) != 1 || rest[0].Lane != whole[5].Lane {
		x.Errorf("behind a lane without work: %v, %v, want %v", rest, err, whole[5].Lane)
	}
}

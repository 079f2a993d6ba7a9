package queuetest

import (
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

func laneCases() []testCase {
	return []testCase{
		{name: "a state is kept until it is forgotten", run: laneStates},
		{name: "a state does not hold messages", run: laneStateHoldsNothing},
	}
}

// states checks the lane states, in any order.
func (x *trial) states(what string, want ...queue.LaneState) {
	x.Helper()
	got, err := x.store.Lanes(x.Context())
	if err != nil || len(got) != len(want) {
		x.Fatalf("%s: %+v, %v, want %+v", what, got, err, want)
	}
	for _, w := range want {
		if !slices.ContainsFunc(got, func(g queue.LaneState) bool {
			return g.Lane == w.Lane && g.Reason == w.Reason && near(g.PausedUntil, w.PausedUntil, precision)
		}) {
			x.Errorf("%s: %+v, want also %+v", what, got, w)
		}
	}
}

func (x *trial) setLane(state queue.LaneState) {
	x.Helper()
	if err := x.store.SetLane(x.Context(), state); err != nil {
		x.Fatalf("set lane: %v", err)
	}
}

func laneStates(x *trial) {
	x.states("nothing set")
	inA := queue.LaneState{Lane: laneA(), PausedUntil: time.Now().Add(x.unit), Reason: "throttled"}
	inB := queue.LaneState{Lane: laneB(), PausedUntil: queue.Forever}
	inOther := queue.LaneState{Lane: otherLane(), Reason: "only a remark"}
	x.setLane(inA)
	x.setLane(inB)
	x.setLane(inOther)
	x.states("three set", inA, inB, inOther)
	inA.Reason = "gone"
	x.setLane(inA)
	x.states("one replaced", inA, inB, inOther)
	x.setLane(queue.LaneState{Lane: laneB()})
	x.setLane(queue.LaneState{Lane: laneNamed("unknown")})
	x.states("one forgotten", inA, inOther)
	x.advance(2 * x.unit)
	x.states("time has passed", inA, inOther)
}

// laneStateHoldsNothing: to heed a pause is the manager's business.
func laneStateHoldsNothing(x *trial) {
	x.setLane(queue.LaneState{Lane: laneA(), PausedUntil: queue.Forever})
	x.add(laneA(), 1)
	x.lease(laneA(), 1)
}

package queuetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

func laneCases() []testCase {
	return []testCase{
		{name: "a state is kept until it is forgotten", run: laneStates},
		{name: "a pause that is over is forgotten", run: lanePauseEnds},
		{name: "many pauses", run: lanePauses},
		{name: "since when a destination fails is kept", run: laneFails},
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
			return g.Lane == w.Lane && g.Reason == w.Reason &&
				near(g.PausedUntil, w.PausedUntil, precision) && near(g.FailingSince, w.FailingSince, precision)
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
	inA := queue.LaneState{Lane: laneA(), PausedUntil: time.Now().Add(9 * x.unit), Reason: "throttled"}
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

func lanePauseEnds(x *trial) {
	short := queue.LaneState{Lane: laneA(), PausedUntil: time.Now().Add(x.unit), Reason: "throttled"}
	long := queue.LaneState{Lane: laneB(), PausedUntil: time.Now().Add(3 * x.unit)}
	forever := queue.LaneState{Lane: otherLane(), PausedUntil: queue.Forever, Reason: "gone"}
	x.setLane(short)
	x.setLane(long)
	x.setLane(forever)
	x.advance(x.unit + precision)
	x.states("one pause is over", long, forever)
	short.PausedUntil = time.Now().Add(x.unit)
	x.setLane(short)
	x.states("paused again", short, long, forever)
	long.PausedUntil = time.Now().Add(-x.unit)
	x.setLane(long)
	x.states("paused until a time that has passed", short, forever)
	x.advance(x.unit + precision)
	x.states("both are over", forever)
}

// lanePauses: of many pauses, those that are over are forgotten, and no others.
func lanePauses(x *trial) {
	var want []queue.LaneState
	for i := range 300 {
		state := queue.LaneState{Lane: laneNamed(fmt.Sprint(i)), PausedUntil: time.Now().Add(time.Duration(1+i%3*40) * x.unit)}
		if i%7 == 0 {
			state.PausedUntil = queue.Forever
		}
		x.setLane(state)
		if i%100 == 50 {
			x.advance(x.unit / 2)
		}
		if state.PausedUntil.After(time.Now().Add(30 * x.unit)) {
			want = append(want, state)
		}
	}
	x.advance(2 * x.unit)
	x.states("the short ones are over", want...)
}

// laneFails: a state that says since when a destination fails outlives a pause.
func laneFails(x *trial) {
	began := time.Now()
	alone := queue.LaneState{Lane: laneA(), FailingSince: began}
	paused := queue.LaneState{Lane: laneB(), FailingSince: began, PausedUntil: time.Now().Add(x.unit), Reason: "throttled"}
	x.setLane(alone)
	x.setLane(paused)
	x.states("both set", alone, paused)
	x.advance(x.unit + precision)
	x.states("the pause is over", alone, paused)
	paused.PausedUntil = time.Now().Add(-x.unit)
	x.setLane(paused)
	x.states("set with a pause that is over", alone, paused)
	x.setLane(queue.LaneState{Lane: laneB()})
	x.states("one forgotten", alone)
	x.setLane(queue.LaneState{Lane: laneA(), PausedUntil: time.Now().Add(-x.unit)})
	x.states("both forgotten")
}

// laneStateHoldsNothing: to heed a pause is the manager's business.
func laneStateHoldsNothing(x *trial) {
	x.setLane(queue.LaneState{Lane: laneA(), PausedUntil: queue.Forever})
	x.add(laneA(), 1)
	x.lease(laneA(), 1)
}

package memqueue

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// Settle implements queue.Store.
func (s *Store) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	for i := range outcomes {
		if v := outcomes[i].Verdict; v < queue.VerdictDelivered || v > queue.VerdictPark {
			return nil, fmt.Errorf("settle: outcome %d has the unknown verdict %d", i+1, v)
		}
	}
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var lost lostLeases
	for i := range outcomes {
		outcome := &outcomes[i]
		outcome.Result = ""
		it := s.find(outcome.LeaseRef)
		if it == nil {
			lost.add(i, len(outcomes))
			continue
		}
		s.settle(it, outcome, now)
		outcome.Result = it.place.result()
	}
	return lost, nil
}

// settle ends an item's lease with an outcome.
func (s *Store) settle(it *item, outcome *queue.Outcome, now instant) {
	if outcome.Attempt != nil {
		it.logged(outcome.Attempt)
	}
	if outcome.Verdict != queue.VerdictRelease {
		it.attempts++
	}
	end := endOf(outcome.Verdict)
	if end == 0 && it.cancelled {
		s.finish(it, placeCancelled, now)
		return
	}
	if outcome.Status != "" {
		it.status = outcome.Status
	}
	if end != 0 {
		s.finish(it, end, now)
		return
	}
	s.take(it)
	it.updated = now.wall
	if outcome.Verdict == queue.VerdictPark {
		it.parked = true
		s.leave(it, now)
		s.put(it, placeParked)
		return
	}
	s.retarget(it, outcome.Target, now)
	if outcome.Skip && outcome.Verdict == queue.VerdictRetry {
		s.skip(it, now)
	}
	s.schedule(it, now.tickOf(outcome.At), now)
}

// retarget has an item that is nowhere, and is to be scheduled, go to the target
// with that index, if there is one.
func (s *Store) retarget(it *item, target int, now instant) {
	a := it.address
	if target < 0 || target >= len(a.targets) || target == a.target {
		return
	}
	var m queue.Message
	a.fill(&m)
	m.Retarget(target)
	to := s.lane(m.Lane)
	if to != a.lane {
		s.leave(it, now)
		s.leaveLane(a.lane)
		to.records++
	}
	it.address = to.addressOf(&m)
}

// endOf returns the place where a verdict ends an item; 0: it does not.
func endOf(v queue.Verdict) place {
	switch v {
	case queue.VerdictDelivered:
		return placeDelivered
	case queue.VerdictDead:
		return placeDead
	case queue.VerdictExpired:
		return placeExpired
	default:
		return 0
	}
}

package memqueue

import (
	"context"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// states are the lane states that SetLane was told. Most are pauses, which end by
// themselves: those that are over are dropped each time the states have doubled,
// so that they are at most twice as many as hold, and an entry costs the same
// however many there are.
type states struct {
	table[queue.Lane, queue.LaneState]
	fits int // how many there may be before they are looked through
}

// fewStates are not worth looking through.
const fewStates = 64

func (s *states) add(state queue.LaneState, now instant) {
	s.set(state.Lane, state)
	if s.len() > max(s.fits, fewStates) {
		s.drop(now)
		s.fits = 2 * s.len()
	}
}

// drop forgets the pauses that are over.
func (s *states) drop(now instant) {
	for lane, state := range s.entries {
		if isOver(&state, now) {
			s.remove(lane)
		}
	}
}

// isOver reports whether a state is a pause that has ended, and nothing else.
func isOver(state *queue.LaneState, now instant) bool {
	return !state.PausedUntil.IsZero() && !state.PausedUntil.After(now.time) && state.FailingSince.IsZero()
}

// SetLane implements queue.Store.
func (s *Store) SetLane(ctx context.Context, state queue.LaneState) error {
	now, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer s.mu.Unlock()
	if state.IsZero() || isOver(&state, now) {
		s.state.remove(state.Lane)
	} else {
		s.state.add(state, now)
	}
	return nil
}

// Lanes implements queue.Store. They are in the order of profile and destination.
func (s *Store) Lanes(ctx context.Context) ([]queue.LaneState, error) {
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	s.state.drop(now)
	all := make([]queue.LaneState, 0, s.state.len())
	for _, state := range s.state.entries {
		all = append(all, state)
	}
	slices.SortFunc(all, func(a, b queue.LaneState) int { return compareLanes(a.Lane, b.Lane) })
	return all, nil
}

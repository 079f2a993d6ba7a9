package sqlitequeue

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// removeEmpty forgets a lane if it has nothing.
func (t *tx) removeEmpty(l *lane) error {
	if l.work.records() > 0 || !l.state.IsZero() && !isOver(&l.state, t.now) {
		return nil
	}
	return t.removeLane(l)
}

// removeLane forgets a lane that has nothing.
func (t *tx) removeLane(l *lane) error {
	s := t.s
	t.after = append(t.after, func() {
		if l.tally.records() == 0 {
			s.dropLane(l)
			delete(s.keep.unfolded, l)
			s.keep.fold = slices.DeleteFunc(s.keep.fold, func(other *lane) bool { return other == l })
		}
	})
	err := t.c.exec("DELETE FROM lane WHERE id = ?", l.id)
	return err
}

// SetLane implements queue.Store.
func (s *Store) SetLane(ctx context.Context, state queue.LaneState) error {
	return s.exclusively(ctx, func(t *tx) error {
		if isOver(&state, t.now) {
			state = queue.LaneState{Lane: state.Lane}
		}
		s.mu.Lock()
		known := s.lanes[state.Lane]
		s.mu.Unlock()
		if known == nil && state.IsZero() {
			return nil
		}
		l, err := t.lane(state.Lane)
		if err != nil {
			return err
		}
		text, err := encodeState(state)
		if err != nil {
			return err
		}
		t.after = append(t.after, func() { l.state = state })
		if err := t.c.exec("UPDATE lane SET state = ? WHERE id = ?", text, l.id); err != nil {
			return err
		}
		if state.IsZero() && l.tally.records() == 0 {
			return t.removeLane(l)
		}
		return nil
	})
}

// encodeState returns the text of a state, nil where it says nothing.
func encodeState(state queue.LaneState) (any, error) {
	if state.IsZero() {
		return nil, nil //nolint:nilnil // it is NULL in the database
	}
	encoded, err := json.Marshal(state)
	return string(encoded), err
}

// isOver reports whether a state is a pause that has ended, and nothing else.
func isOver(state *queue.LaneState, now instant) bool {
	return !state.PausedUntil.IsZero() && !state.PausedUntil.After(now.time) && state.FailingSince.IsZero()
}

// Lanes implements queue.Store. They are in the order of profile and destination.
func (s *Store) Lanes(ctx context.Context) ([]queue.LaneState, error) {
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	all := []queue.LaneState{}
	for _, l := range s.byName() {
		if !l.state.IsZero() && !isOver(&l.state, now) {
			all = append(all, l.state)
		}
	}
	return all, nil
}

package outbound

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
)

// PauseDestination holds a destination of a profile until an instant; queue.Forever
// holds it until it is resumed. The reason, which may be empty, is shown with it.
// Attempts under way go on.
func (m *Manager) PauseDestination(ctx context.Context, key queue.Lane, until time.Time, reason string) error {
	if !until.After(time.Now()) {
		return &FieldError{"until", fmt.Errorf("the pause of %s would be over already", key.Destination)}
	}
	var held []lease
	err := m.inTurn(ctx, func() error {
		state := queue.LaneState{Lane: key, PausedUntil: until, Reason: reason, FailingSince: m.sched.stateOf(key).FailingSince}
		if err := m.store.SetLane(ctx, state); err != nil {
			return err
		}
		held = m.sched.pause(key, until, reason)
		m.tellNews()
		return nil
	})
	if err != nil {
		return fmt.Errorf("pause %s: %w", key.Destination, err)
	}
	m.release(held)
	return nil
}

// ResumeDestination lets a destination run again as if it had never failed: its
// pause is over, its breaker closed, and its failure budget whole. One that is
// neither paused nor failing is left as it is.
func (m *Manager) ResumeDestination(ctx context.Context, key queue.Lane) error {
	err := m.inTurn(ctx, func() error {
		if err := m.store.SetLane(ctx, queue.LaneState{Lane: key}); err != nil {
			return err
		}
		m.sched.resume(key)
		m.tellNews()
		return nil
	})
	if err != nil {
		return fmt.Errorf("resume %s: %w", key.Destination, err)
	}
	return nil
}

// tellLanes tells what has happened to lanes, and keeps what is to outlive the
// process.
func (m *Manager) tellLanes() {
	err := m.inTurn(m.settling, func() error {
		m.tellNews()
		return nil
	})
	if err != nil { // its context does not end
		m.log.Error("cannot tell of destinations", zap.Error(err))
	}
}

// tellNews is tellLanes for one whose turn it is. A state that cannot be recorded is
// tried again with the next news.
func (m *Manager) tellNews() {
	all := m.sched.takeNews()
	if len(all) > 0 {
		m.settler.catchUp()
	}
	for _, news := range all {
		if news.keep {
			if err := m.store.SetLane(m.settling, m.sched.stateOf(news.key)); err != nil {
				m.log.Error("cannot record the state of a destination", zap.String("destination", news.key.Destination), zap.Error(err))
				m.sched.owe(news.key)
			}
		}
		if news.topic != "" {
			m.publish(news.topic, news.event)
		}
	}
}

// inTurn has one caller at a time record and tell of lanes, so that what the store
// keeps is the latest, and events come in the order of what they tell.
func (m *Manager) inTurn(ctx context.Context, do func() error) error {
	if err := m.recording.Take(ctx); err != nil {
		return err
	}
	defer m.recording.Give()
	return do()
}

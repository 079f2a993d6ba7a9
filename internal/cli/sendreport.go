package cli

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
)

// reportQueued tells of a message that a daemon delivers later.
func (f *sendFlags) reportQueued(c *console, accepted agent.SendResponse) error {
	if f.json {
		return c.json(accepted)
	}
	if accepted.Duplicate {
		c.notef("a message with this idempotency key is known: nothing was queued")
	}
	return c.printf("%s %s", cmp.Or(string(accepted.Result), accepted.Status), accepted.ID)
}

// report tells what became of a message. One that was not delivered is an error.
func (f *sendFlags) report(c *console, m *agent.MessageView) error {
	if f.json {
		if err := c.json(m); err != nil {
			return err
		}
	}
	if m.Result != queue.Delivered {
		return &exitError{ExitNotDelivered, f.notDelivered(m)}
	}
	if f.json {
		return nil
	}
	last := agent.AttemptView{}
	if len(m.Attempts) > 0 {
		last = m.Attempts[len(m.Attempts)-1]
	}
	return c.printf("%s %s to %s: %s, %s, %s", c.style.green("delivered"), m.ID, m.Endpoint,
		joinNonEmpty(" ", m.Evidence.String(), last.Code), count(m.AttemptsMade, "attempt"), shortDuration(m.UpdatedAt.Sub(m.CreatedAt)))
}

// notDelivered says why, and what becomes of the message.
func (f *sendFlags) notDelivered(m *agent.MessageView) error {
	done := m.State == queue.StateDone
	text := fmt.Sprintf("not delivered: %s after %s", outcome(m), count(m.AttemptsMade, "attempt"))
	if !done {
		text = fmt.Sprintf("not delivered within %s, after %s", shortDuration(f.wait), count(m.AttemptsMade, "attempt"))
	}
	if m.LastError != "" {
		text += ": " + m.LastError
	}
	now := time.Now()
	text = joinNonEmpty("; ", text, waits(m, now))
	switch {
	case f.own && done:
		return errors.New(text)
	case f.own:
		return fmt.Errorf("%s; it is given up: wait longer with --wait, or send through a daemon", text)
	case !done && m.WaitingFor == "" && !m.NextAttemptAt.IsZero():
		text += "; the next attempt is " + ago(nextAttempt(m, now), now)
	}
	return fmt.Errorf("%s; see: outrider status %s", text, m.ID)
}

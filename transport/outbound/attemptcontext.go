package outbound

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attemptContext gives each attempt of a worker a context with a deadline. The
// context and its timer are made once, for as long as no deadline passes, and the
// timer is set again only when it goes off: attempts are short and their deadlines far.
type attemptContext struct {
	parent  context.Context //nolint:containedctx // contexts are made from it
	timeout time.Duration
	current *deadlineContext
}

func newAttemptContext(m *Manager) attemptContext {
	return attemptContext{parent: m.base, timeout: m.options.AttemptTimeout}
}

// begin returns the context of an attempt that starts now: that of the one before, with
// a later deadline, unless it has ended.
func (a *attemptContext) begin(now time.Time) context.Context {
	deadline := now.Add(a.timeout)
	if a.current == nil || !a.current.extend(deadline) {
		a.end()
		a.current = newDeadlineContext(a.parent, deadline, a.timeout)
	}
	return a.current
}

// end gives everything back.
func (a *attemptContext) end() {
	if a.current != nil {
		a.current.end()
		a.current = nil
	}
}

// deadlineContext is a context whose deadline moves from attempt to attempt. When it
// comes, be it that of an attempt that is over, the context has ended for good.
type deadlineContext struct {
	context.Context //nolint:containedctx // it is one

	cancel context.CancelCauseFunc

	mu       sync.Mutex
	timer    *time.Timer // goes off at the deadline, or at an earlier one and is set again
	deadline time.Time
}

func newDeadlineContext(parent context.Context, deadline time.Time, timeout time.Duration) *deadlineContext {
	c := &deadlineContext{deadline: deadline}
	c.Context, c.cancel = context.WithCancelCause(parent)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(timeout, c.goOff)
	return c
}

// extend moves the deadline, unless the context has ended.
func (c *deadlineContext) extend(deadline time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Context.Err() != nil {
		return false
	}
	c.deadline = deadline
	return true
}

func (c *deadlineContext) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cancel(nil)
	c.timer.Stop()
}

// goOff ends the context, or waits for the deadline of a later attempt.
func (c *deadlineContext) goOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.Context.Err() != nil {
		return
	}
	if left := time.Until(c.deadline); left > 0 {
		c.timer.Reset(left)
		return
	}
	c.cancel(context.DeadlineExceeded)
}

// Deadline implements context.Context.
func (c *deadlineContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deadline, true
}

// Err implements context.Context.
func (c *deadlineContext) Err() error {
	err := c.Context.Err()
	if err != nil && errors.Is(context.Cause(c.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

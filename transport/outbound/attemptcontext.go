package outbound

import (
	"context"
	"errors"
	"sync"
	"time"
)

// attemptContext gives each attempt of a worker a context with a deadline. The
// context and its timer are made once, for as long as no attempt runs into its
// deadline, and the timer is set again only when it goes off: attempts are short
// and their deadlines far.
type attemptContext struct {
	parent  context.Context //nolint:containedctx // contexts are made from it
	timeout time.Duration
	current *deadlineContext
}

func newAttemptContext(m *Manager) attemptContext {
	return attemptContext{parent: m.base, timeout: m.options.AttemptTimeout}
}

// begin returns the context of an attempt that starts now.
func (a *attemptContext) begin(now time.Time) context.Context {
	if a.current == nil {
		a.current = newDeadlineContext(a.parent)
	}
	a.current.begin(now.Add(a.timeout), a.timeout)
	return a.current
}

// pause ends the attempt. A context whose deadline came is not used again.
func (a *attemptContext) pause() {
	if ended := a.current.pause(); ended {
		a.end()
	}
}

// end gives everything back.
func (a *attemptContext) end() {
	if a.current != nil {
		a.current.end()
		a.current = nil
	}
}

// deadlineContext is a context whose deadline moves from attempt to attempt.
type deadlineContext struct {
	context.Context //nolint:containedctx // it is one

	cancel context.CancelCauseFunc
	timer  *time.Timer

	mu       sync.Mutex
	deadline time.Time
	running  bool // an attempt is
	armed    bool // the timer is set, for this attempt's deadline or an earlier one's
}

func newDeadlineContext(parent context.Context) *deadlineContext {
	c := &deadlineContext{}
	c.Context, c.cancel = context.WithCancelCause(parent)
	return c
}

func (c *deadlineContext) begin(deadline time.Time, timeout time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline, c.running = deadline, true
	switch {
	case c.armed:
	case c.timer == nil:
		c.timer, c.armed = time.AfterFunc(timeout, c.goOff), true
	default:
		c.timer.Reset(timeout)
		c.armed = true
	}
}

// pause reports whether the context has ended with the attempt.
func (c *deadlineContext) pause() (ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = false
	return c.Context.Err() != nil
}

func (c *deadlineContext) end() {
	c.timer.Stop()
	c.cancel(nil)
}

// goOff ends the context, or waits for the deadline of a later attempt.
func (c *deadlineContext) goOff() {
	c.mu.Lock()
	defer c.mu.Unlock()
	left := time.Until(c.deadline)
	switch {
	case !c.running:
		c.armed = false
	case left > 0:
		c.timer.Reset(left)
	default:
		c.cancel(context.DeadlineExceeded)
	}
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

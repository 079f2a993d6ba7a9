package outbound

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// attemptContext gives each attempt of a worker a context with a deadline, and
// makes the context and the timer behind it once for as long as no attempt runs
// into its deadline.
type attemptContext struct {
	parent  context.Context //nolint:containedctx // contexts are made from it
	timeout time.Duration

	current *deadlineContext
	cancel  context.CancelCauseFunc
	timer   *time.Timer
}

// begin returns the context of an attempt that starts now.
func (a *attemptContext) begin(now time.Time) context.Context {
	if a.current == nil {
		inner, cancel := context.WithCancelCause(a.parent)
		a.current, a.cancel = &deadlineContext{Context: inner}, cancel
		a.timer = time.AfterFunc(a.timeout, func() { cancel(context.DeadlineExceeded) })
	} else {
		a.timer.Reset(a.timeout)
	}
	a.current.deadline.Store(now.Add(a.timeout).UnixNano())
	return a.current
}

// pause ends the attempt. A context whose deadline came is not used again.
func (a *attemptContext) pause() {
	if !a.timer.Stop() || a.current.Err() != nil {
		a.end()
	}
}

// end gives everything back.
func (a *attemptContext) end() {
	if a.current != nil {
		a.timer.Stop()
		a.cancel(nil)
		a.current = nil
	}
}

// deadlineContext tells the deadline that its inner context keeps.
type deadlineContext struct {
	context.Context //nolint:containedctx // it is one

	deadline atomic.Int64 // Unix nanoseconds
}

// Deadline implements context.Context.
func (c *deadlineContext) Deadline() (time.Time, bool) {
	return time.Unix(0, c.deadline.Load()), true
}

// Err implements context.Context.
func (c *deadlineContext) Err() error {
	err := c.Context.Err()
	if err != nil && errors.Is(context.Cause(c.Context), context.DeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

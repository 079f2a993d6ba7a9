package memout

import (
	"context"
	"fmt"
	"sync"
)

// attempts counts the attempts under way, and lets them begin only between open
// and close.
type attempts struct {
	mu       sync.Mutex
	join     func(context.Context) (context.Context, func()) // nil when closed
	underWay int
	none     chan struct{} // closed when none is under way; nil unless one waits for that
}

// open lets attempts begin. Each ends with its own context and with run.
func (a *attempts) open(run context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.join = func(attempt context.Context) (context.Context, func()) {
		joined, cancel := context.WithCancelCause(attempt)
		unlink := context.AfterFunc(run, func() {
			cancel(fmt.Errorf("transport is being stopped: %w", context.Cause(run)))
		})
		return joined, func() {
			unlink()
			cancel(nil)
		}
	}
}

// begin counts an attempt until end is called, and returns the context it runs
// under.
func (a *attempts) begin(ctx context.Context) (joined context.Context, end func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.join == nil {
		return nil, nil, ErrNotRunning
	}
	a.underWay++
	joined, unlink := a.join(ctx)
	return joined, func() {
		unlink()
		a.ended()
	}, nil
}

func (a *attempts) ended() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.underWay--; a.underWay == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}

// close refuses new attempts and waits for those under way; ctx bounds the wait.
func (a *attempts) close(ctx context.Context) error {
	a.mu.Lock()
	a.join = nil
	if a.underWay == 0 {
		a.mu.Unlock()
		return nil
	}
	if a.none == nil {
		a.none = make(chan struct{})
	}
	none := a.none
	a.mu.Unlock()
	select {
	case <-none:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop: attempts are still under way: %w", ctx.Err())
	}
}

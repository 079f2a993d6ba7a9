package memout

import (
	"context"
	"fmt"
	"sync"

	"github.com/outrider-go/outrider/transport"
)

// attempts lets attempts begin only between open and close.
type attempts struct {
	mu   sync.Mutex
	gate *transport.Gate                                            // nil before the first open
	join func(context.Context) (joined context.Context, end func()) // with the run's context
}

// open lets attempts begin. Each ends with its own context and with run.
func (a *attempts) open(run context.Context) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gate = transport.NewGate()
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
	gate, join := a.gate, a.join
	a.mu.Unlock()
	if gate == nil {
		return nil, nil, ErrNotRunning
	}
	if !gate.Enter() {
		return nil, nil, ErrNotRunning
	}
	joined, unlink := join(ctx)
	return joined, func() {
		unlink()
		gate.Leave()
	}, nil
}

// close refuses new attempts and waits for those under way; ctx bounds the wait.
// It follows open.
func (a *attempts) close(ctx context.Context) error {
	a.mu.Lock()
	empty := a.gate.Close()
	a.mu.Unlock()
	if err := transport.Wait(ctx, empty); err != nil {
		return fmt.Errorf("stop: attempts are still under way: %w", err)
	}
	return nil
}

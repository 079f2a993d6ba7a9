package inbound

import (
	"context"
	"fmt"
	"time"
)

// handlers bounds how many messages are handled at once.
type handlers struct{ slots chan struct{} }

func newHandlers(n int) handlers { return handlers{make(chan struct{}, n)} }

// enter waits for a slot, no longer than ctx and patience allow; zero is any time.
// The error wraps ErrBusy.
func (h handlers) enter(ctx context.Context, patience time.Duration) error {
	select {
	case h.slots <- struct{}{}:
		return nil
	default:
	}
	if patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, patience)
		defer cancel()
	}
	select {
	case h.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: all handlers are at work", ErrBusy)
	}
}

func (h handlers) leave() { <-h.slots }

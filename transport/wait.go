package transport

import "context"

// Wait returns nil once done is closed, also where ctx has ended by then; otherwise the
// error of ctx, when it ends.
func Wait(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Turn is had by one at a time, as a lock is, and waited for no longer than a context
// lasts. Make one with [NewTurn].
type Turn chan struct{}

// NewTurn returns a turn that nobody has.
func NewTurn() Turn { return make(Turn, 1) }

// Take waits for the turn. A turn that is free is taken also where ctx has ended. Give
// must follow, unless there is an error, which is that of ctx.
func (t Turn) Take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Give ends what Take began.
func (t Turn) Give() { <-t }

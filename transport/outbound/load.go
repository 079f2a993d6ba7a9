package outbound

import (
	"context"
	"fmt"
	"sync"
)

// load counts what waits in the queue, against its limits.
type load struct {
	maxMessages, maxBytes int64

	mu       sync.Mutex
	messages int64
	bytes    int64
	empty    chan struct{} // closed when nothing waits; nil when nobody asked
}

// add counts messages that are about to be enqueued, or refuses.
func (l *load) add(messages, bytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.fits(messages, bytes); err != nil {
		return err
	}
	l.messages += messages
	l.bytes += bytes
	return nil
}

// room says what add would say.
func (l *load) room(messages, bytes int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fits(messages, bytes)
}

func (l *load) fits(messages, bytes int64) error {
	if l.messages+messages > l.maxMessages {
		return fmt.Errorf("%w: %d messages wait, of %d allowed", ErrQueueFull, l.messages, l.maxMessages)
	}
	if l.bytes+bytes > l.maxBytes {
		return fmt.Errorf("%w: %d bytes wait, of %d allowed", ErrQueueFull, l.bytes, l.maxBytes)
	}
	return nil
}

// addKept counts messages that are in the store already: nothing can refuse them.
func (l *load) addKept(messages, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages += messages
	l.bytes += bytes
}

// remove counts messages that are done.
func (l *load) remove(messages, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.messages -= messages
	l.bytes -= bytes
	if l.messages <= 0 && l.empty != nil {
		close(l.empty)
		l.empty = nil
	}
}

func (l *load) waiting() (messages, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.messages, l.bytes
}

// waitEmpty returns when nothing waits, or an error when ctx or stopped ends
// before.
func (l *load) waitEmpty(ctx context.Context, stopped <-chan struct{}) error {
	l.mu.Lock()
	if l.messages <= 0 {
		l.mu.Unlock()
		return nil
	}
	if l.empty == nil {
		l.empty = make(chan struct{})
	}
	empty := l.empty
	l.mu.Unlock()
	select {
	case <-empty:
		return nil
	case <-stopped:
		return ErrStopped
	case <-ctx.Done():
		return ctx.Err()
	}
}

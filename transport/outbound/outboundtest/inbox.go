package outboundtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Received is a message as a peer saw it. Fields that the transport does not
// carry stay empty.
type Received struct {
	Payload     []byte
	Text        bool
	ContentType string
	Metadata    transport.Metadata // names in any case, and there may be others
	ID          transport.ID
	APIKey      string
}

// Inbox keeps what a peer received. The zero value is ready; it is safe for
// concurrent use.
type Inbox struct {
	mu       sync.Mutex
	messages []Received
	changed  chan struct{} // closed at the next Add; nil unless one waits for it
}

// Add keeps a message. It never waits.
func (b *Inbox) Add(message Received) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.messages = append(b.messages, message)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// Wait returns all messages once there are at least n, in the order of their
// arrival. The error is the context's.
func (b *Inbox) Wait(ctx context.Context, n int) ([]Received, error) {
	for {
		messages, changed := b.look(n)
		if changed == nil {
			return messages, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messages, fmt.Errorf("%d of %d messages have arrived: %w", len(messages), n, ctx.Err())
		}
	}
}

// look returns the messages, and what to wait for where there are fewer than n.
func (b *Inbox) look(n int) ([]Received, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	messages := slices.Clone(b.messages)
	if len(messages) >= n {
		return messages, nil
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return messages, b.changed
}

func (b *Inbox) waitFor(ctx context.Context, n int, patience time.Duration) ([]Received, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return b.Wait(ctx, n)
}

package inboundtest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/transport/inbound"
)

// Inbox is a handler that keeps what it gets. The zero value is ready, and takes
// every message.
type Inbox struct {
	// Then is what it does with a message that it has kept. Default: nothing.
	Then inbound.Handler

	mu       sync.Mutex
	messages []*inbound.Message
	changed  chan struct{} // closed at the next message; nil unless one waits for it
}

// Handle is the [inbound.Handler].
func (b *Inbox) Handle(ctx context.Context, m *inbound.Message) (*inbound.Reply, error) {
	b.mu.Lock()
	b.messages = append(b.messages, m)
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
	then := b.Then
	b.mu.Unlock()
	if then == nil {
		return nil, nil
	}
	return then(ctx, m)
}

// Do sets what is done with the messages to come.
func (b *Inbox) Do(then inbound.Handler) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.Then = then
}

// All returns the messages, in the order in which their handling began.
func (b *Inbox) All() []*inbound.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.messages)
}

// Wait returns all messages once there are at least n. The error is the context's.
func (b *Inbox) Wait(ctx context.Context, n int) ([]*inbound.Message, error) {
	for {
		messages, changed := b.look(n)
		if changed == nil {
			return messages, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messages, fmt.Errorf("%d of %d messages have reached the handler: %w", len(messages), n, ctx.Err())
		}
	}
}

// look returns the messages, and what to wait for where there are fewer than n.
func (b *Inbox) look(n int) ([]*inbound.Message, <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.messages) >= n {
		return slices.Clone(b.messages), nil
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return slices.Clone(b.messages), b.changed
}

// Start starts a manager with the transports; it is stopped when the test ends.
func Start(t testing.TB, handler inbound.Handler, options inbound.Options, transports ...inbound.Transport) *inbound.Manager {
	t.Helper()
	m, err := inbound.New(handler, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range transports {
		if err := m.Register(transport); err != nil {
			t.Fatal(err)
		}
	}
	ctx := context.WithoutCancel(t.Context())
	if err := m.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return m
}

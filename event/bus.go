package event

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultBuffer is how many events a subscription holds where nothing is said.
const DefaultBuffer = 1024

// MaxBuffer is the largest buffer, in events. One event takes 56 bytes.
const MaxBuffer = 1 << 20

// The kinds of error.
var (
	// ErrPattern is returned for a pattern that is not a regular expression.
	ErrPattern = errors.New("invalid pattern")
	// ErrBuffer is returned for a buffer that is negative or above MaxBuffer.
	ErrBuffer = errors.New("invalid buffer")
	// ErrClosed is returned by what needs a bus or a subscription that is open.
	ErrClosed = errors.New("closed")
)

// UnhandledError is returned by [Bus.Close] when its context ended first.
type UnhandledError struct {
	Left uint64 // events that were buffered or being handled
	Err  error  // the context's
}

func (e *UnhandledError) Error() string {
	return fmt.Sprintf("event bus: %d events were not handled yet, close again to wait for them: %v", e.Left, e.Err)
}

// Unwrap returns the context's error.
func (e *UnhandledError) Unwrap() error { return e.Err }

// Event is what a subscriber gets.
type Event struct {
	Topic   string
	Time    time.Time // when it was published
	Payload any       // shared by all subscribers: not to be changed
}

// Options of a bus. The zero value works.
type Options struct {
	// Buffer is how many events a subscription holds that does not say so
	// itself, 1 to MaxBuffer. Default: DefaultBuffer.
	Buffer int
	// OnPanic is told of a handler that panicked: the event's topic, the value
	// and the stack. It is called on the handler's goroutine and must not panic.
	// Default: panics are counted only.
	OnPanic func(topic string, value any, stack []byte)
}

// Bus carries events from publishers to subscribers. Make one with [New].
type Bus struct {
	options Options
	dropped atomic.Uint64
	table   atomic.Pointer[table] // nil: nobody listens

	mu       sync.Mutex // serialises changes of table, and guards what follows
	closed   bool
	handlers []*Subscription // whose goroutine runs
}

// New returns a bus without subscribers. It starts nothing.
func New(options Options) *Bus { return &Bus{options: options} }

// Publish hands an event to every subscription that matches the topic. It never
// waits, and does nothing on a bus that is closed.
func (b *Bus) Publish(topic string, payload any) {
	table := b.table.Load()
	if table == nil {
		return
	}
	matching := table.match(topic)
	if len(matching) == 0 {
		return
	}
	e := Event{Topic: topic, Time: time.Now(), Payload: payload}
	for _, s := range matching {
		s.offer(e)
	}
}

// Active reports whether anybody listens to the topic. Ask before making a
// payload that is costly.
func (b *Bus) Active(topic string) bool {
	table := b.table.Load()
	return table != nil && len(table.match(topic)) > 0
}

// Listened reports whether anybody listens to any topic.
func (b *Bus) Listened() bool { return b.table.Load() != nil }

// Dropped returns how many events found a full buffer, over all subscriptions
// there ever were.
func (b *Bus) Dropped() uint64 { return b.dropped.Load() }

// SubscribeOptions of one subscription. The zero value works.
type SubscribeOptions struct {
	// Buffer is how many events are held, 1 to MaxBuffer. Default: the bus's.
	Buffer int
}

// Subscribe returns a subscription whose events are read from its channel.
// Errors are [ErrPattern], [ErrBuffer] and [ErrClosed].
func (b *Bus) Subscribe(pattern string, options SubscribeOptions) (*Subscription, error) {
	return b.subscribe(pattern, nil, options)
}

// Handle returns a subscription that calls handler with each event, one at a
// time and in order, on a goroutine of its own. Errors are those of Subscribe.
// A handler must not wait for Close of the bus or for Done of its subscription,
// since both wait for the handler.
func (b *Bus) Handle(pattern string, handler func(Event), options SubscribeOptions) (*Subscription, error) {
	if handler == nil {
		return nil, errors.New("event handler is nil: use Subscribe to read from a channel")
	}
	return b.subscribe(pattern, handler, options)
}

// Wait returns the first event of the pattern that match accepts; a nil match
// accepts any. It hears only what is published after the call: to trigger
// something and wait for its event, use Subscribe, trigger, and
// [Subscription.Wait].
func (b *Bus) Wait(ctx context.Context, pattern string, match func(Event) bool) (Event, error) {
	s, err := b.Subscribe(pattern, SubscribeOptions{})
	if err != nil {
		return Event{}, err
	}
	defer s.Close()
	return s.Wait(ctx, match)
}

func (b *Bus) subscribe(pattern string, handler func(Event), options SubscribeOptions) (*Subscription, error) {
	compiled, err := ParsePattern(pattern)
	if err != nil {
		return nil, err
	}
	buffer := cmp.Or(options.Buffer, b.options.Buffer, DefaultBuffer)
	if buffer < 0 || buffer > MaxBuffer {
		return nil, fmt.Errorf("%w: want 1 to %d events, or 0 for the default, not %d", ErrBuffer, MaxBuffer, buffer)
	}
	s := &Subscription{
		bus: b, pattern: compiled, handler: handler,
		events: make(chan Event, buffer), done: make(chan struct{}),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, fmt.Errorf("event bus: %w", ErrClosed)
	}
	b.table.Store(b.table.Load().with(s))
	if handler != nil {
		b.handlers = append(b.handlers, s)
		go s.run() // Close waits for it
	}
	return s, nil
}

// remove makes the bus forget a subscription.
func (b *Bus) remove(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.table.Store(b.table.Load().without(s))
}

// handlerEnded makes the bus forget a goroutine.
func (b *Bus) handlerEnded(s *Subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.handlers = slices.DeleteFunc(b.handlers, func(other *Subscription) bool { return other == s })
}

// Close ends every subscription and waits until the handlers have handled what
// is buffered. When ctx ends first it returns an [*UnhandledError]; the handlers
// go on, and Close may be called again to wait for them. From the first call on
// Publish does nothing. What is buffered for a channel can still be read.
func (b *Bus) Close(ctx context.Context) error {
	b.mu.Lock()
	b.closed = true
	table := b.table.Swap(nil)
	handlers := slices.Clone(b.handlers)
	b.mu.Unlock()
	if table != nil {
		for _, s := range table.subscriptions {
			s.shut()
		}
	}
	for _, s := range handlers {
		select {
		case <-s.done:
		case <-ctx.Done():
		}
	}
	var left uint64
	for _, s := range handlers {
		left += s.left()
	}
	if left > 0 {
		return &UnhandledError{Left: left, Err: context.Cause(ctx)}
	}
	return nil
}

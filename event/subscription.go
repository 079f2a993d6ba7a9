package event

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// Subscription is made by [Bus.Subscribe] or [Bus.Handle].
type Subscription struct {
	bus     *Bus
	pattern *Pattern
	handler func(Event) // nil where events are read from the channel
	events  chan Event
	done    chan struct{}

	dropped, panics, handled atomic.Uint64

	mu     sync.Mutex // guards what follows, and keeps sending and closing apart
	closed bool
	sent   uint64
}

// Pattern returns the pattern it was made with.
func (s *Subscription) Pattern() string { return s.pattern.String() }

// Events returns the channel of a subscription made by Subscribe, and nil for
// one made by Handle. It is closed by Close of the subscription or the bus, and
// gives what is buffered before.
func (s *Subscription) Events() <-chan Event {
	if s.handler != nil {
		return nil
	}
	return s.events
}

// Wait reads events until match accepts one, and returns that one; a nil match
// accepts any. It returns the context's error when ctx ends, and [ErrClosed]
// when the subscription is closed and nothing is left. Since the subscription
// hears of everything from Subscribe on, nothing is missed by subscribing,
// triggering something, and waiting.
func (s *Subscription) Wait(ctx context.Context, match func(Event) bool) (Event, error) {
	if s.handler != nil {
		return Event{}, errors.New("event subscription has a handler: use Subscribe to wait for events")
	}
	for {
		select {
		case <-ctx.Done():
			return Event{}, fmt.Errorf("wait for event %q: %w", s.Pattern(), context.Cause(ctx))
		case e, open := <-s.events:
			if !open {
				return Event{}, fmt.Errorf("wait for event %q: subscription is %w", s.Pattern(), ErrClosed)
			}
			if match == nil || match(e) {
				return e, nil
			}
		}
	}
}

// Dropped returns how many events found the buffer full.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Panics returns how many events the handler panicked on.
func (s *Subscription) Panics() uint64 { return s.panics.Load() }

// Done is closed once no event is to come and, where there is a handler, it has
// handled the last one.
func (s *Subscription) Done() <-chan struct{} { return s.done }

// Close ends the subscription and does not wait; it may be called again, and by
// the handler itself. What is buffered can still be read, or is handled: see
// [Subscription.Done].
func (s *Subscription) Close() {
	s.bus.remove(s)
	s.shut()
}

func (s *Subscription) shut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.events)
	if s.handler == nil {
		close(s.done)
	}
}

// offer buffers an event or drops it. The lock keeps the channel from being
// closed meanwhile; sending does not wait, so it is not held for long.
func (s *Subscription) offer(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	select {
	case s.events <- e:
		s.sent++
	default:
		s.drop()
	}
}

func (s *Subscription) drop() {
	s.dropped.Add(1)
	s.bus.dropped.Add(1)
}

// left returns how many events the handler has yet to handle.
func (s *Subscription) left() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent - s.handled.Load()
}

// run is the goroutine of a handler.
func (s *Subscription) run() {
	defer s.finish()
	for e := range s.events {
		s.call(e)
	}
}

// call runs the handler. It is the one place that recovers a handler's panic.
func (s *Subscription) call(e Event) {
	defer s.handled.Add(1)
	defer func() {
		value := recover()
		if value == nil {
			return
		}
		s.panics.Add(1)
		if s.bus.options.OnPanic != nil {
			s.bus.options.OnPanic(e.Topic, value, debug.Stack())
		}
	}()
	s.handler(e)
}

// finish ends the subscription with its goroutine. Events are left only where
// the handler ended the goroutine itself, with runtime.Goexit.
func (s *Subscription) finish() {
	s.Close()
	for range s.events {
		s.handled.Add(1)
		s.drop()
	}
	s.bus.handlerEnded(s)
	close(s.done)
}

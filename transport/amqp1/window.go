package amqp1

import (
	"container/list"
	"context"
	"sync"
)

// window bounds the deliveries in flight on a link, by number and by bytes. Those
// who wait enter in the order in which they came.
type window struct {
	mu      sync.Mutex
	number  int // free places
	bytes   int // free bytes
	most    int // bytes in all
	inside  int
	waiting list.List // of *waiter
}

type waiter struct {
	size int
	in   chan struct{}
}

func newWindow(number, bytes int) *window {
	return &window{number: number, bytes: bytes, most: bytes}
}

// acquire waits for a place. A delivery that is longer than the whole window takes
// it alone. The error is ctx's.
func (w *window) acquire(ctx context.Context, size int) error {
	size = min(size, w.most)
	w.mu.Lock()
	if ctx.Err() != nil {
		w.mu.Unlock()
		return ctx.Err()
	}
	if w.waiting.Len() == 0 && w.fits(size) {
		w.take(size)
		w.mu.Unlock()
		return nil
	}
	mine := &waiter{size, make(chan struct{})}
	element := w.waiting.PushBack(mine)
	w.mu.Unlock()
	select {
	case <-mine.in:
		return nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-mine.in: // at the same time
		return nil
	default:
		w.waiting.Remove(element)
		w.admit()
		return ctx.Err()
	}
}

func (w *window) release(size int) {
	size = min(size, w.most)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.number++
	w.bytes += size
	w.inside--
	w.admit()
}

// inFlight is how many are inside.
func (w *window) inFlight() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.inside
}

func (w *window) fits(size int) bool { return w.number > 0 && w.bytes >= size }

func (w *window) take(size int) {
	w.number--
	w.bytes -= size
	w.inside++
}

func (w *window) admit() {
	for first := w.waiting.Front(); first != nil; first = w.waiting.Front() {
		next, _ := first.Value.(*waiter)
		if !w.fits(next.size) {
			return
		}
		w.take(next.size)
		close(next.in)
		w.waiting.Remove(first)
	}
}

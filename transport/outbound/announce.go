package outbound

import (
	"sync"
	"sync/atomic"

	"github.com/outrider-go/outrider/transport"
)

// announcer sees to it that a message's queued event goes out once, and before
// anything else is told of the message, although a worker may lease it before
// Send has come back from the store: whoever is first publishes, and the other
// waits for that.
type announcer struct {
	count atomic.Int64 // of pending

	mu      sync.Mutex
	pending map[transport.ID]*announcement
}

type announcement struct {
	once  sync.Once
	event MessageEvent
}

// add keeps the event of a message that is about to be enqueued.
func (a *announcer) add(e MessageEvent) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending == nil {
		a.pending = map[transport.ID]*announcement{}
	}
	if a.pending[e.ID] == nil {
		a.count.Add(1)
	}
	a.pending[e.ID] = &announcement{event: e}
}

// publish publishes the event of a message, if one is kept.
func (a *announcer) publish(id transport.ID, publish func(e *MessageEvent)) {
	a.mu.Lock()
	announced := a.pending[id]
	a.mu.Unlock()
	if announced == nil {
		return
	}
	announced.once.Do(func() { publish(&announced.event) })
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending[id] == announced { // and not that of a replay, which may be queued already
		a.drop(id)
	}
}

// forget drops the event of a message.
func (a *announcer) forget(id transport.ID) {
	if a.count.Load() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending[id] != nil {
		a.drop(id)
	}
}

// drop drops an event that is kept, for those who hold the lock.
func (a *announcer) drop(id transport.ID) {
	delete(a.pending, id)
	a.count.Add(-1)
}

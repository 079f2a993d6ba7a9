package wsin

import (
	"sync"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// item is a message to be handled, or a ping to be answered when all before it are.
type item struct {
	frame wireformat.Frame
	ping  string // empty: it is a message
}

// inbox has the messages of a socket handled in order, by goroutines that exist
// while there are some.
type inbox struct {
	socket *socket

	mu      sync.Mutex
	queue   []item
	workers int
	busy    int           // workers that have taken an item
	opened  bool          // whoever puts does not wait for room any more
	room    chan struct{} // closed when there is room, or it is opened; nil: nobody waits
	empty   chan struct{} // closed when nothing is left; nil: nobody waits
}

// put adds an item, and waits while too many are there already.
func (b *inbox) put(i item) {
	for {
		room := b.add(i)
		if room == nil {
			return
		}
		<-room
	}
}

// add adds the item, or returns what to wait for.
func (b *inbox) add(i item) (room <-chan struct{}) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch full := len(b.queue) >= b.socket.t.options.Waiting; {
	case full && b.opened && i.ping != "":
		return nil // there need be no answer
	case full && !b.opened:
		if b.room == nil {
			b.room = make(chan struct{})
		}
		return b.room
	}
	b.queue = append(b.queue, i)
	if b.workers < b.socket.t.options.Concurrency {
		b.workers++
		b.socket.work.Go(b.work)
	}
	return nil
}

// open lets whoever waits for room go on without: at most one message is added
// beyond the limit, since what comes afterwards is not taken.
func (b *inbox) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.opened = true
	b.wakeReader()
}

func (b *inbox) wakeReader() {
	if b.room != nil {
		close(b.room)
		b.room = nil
	}
}

// work handles items until there are none for it. Where the handler ends its
// goroutine, the message has failed, and another one goes on.
func (b *inbox) work() {
	returned := false
	defer func() {
		if !returned {
			b.socket.refuse(inbound.Failed)
			b.handled()
			b.socket.work.Go(b.work)
		}
	}()
	for i, ok := b.next(); ok; i, ok = b.next() {
		b.socket.handle(i)
		b.handled()
	}
	returned = true
	b.socket.settled()
}

func (b *inbox) handled() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy--
}

// next takes the first item. A ping is taken when nobody is at work on what was
// before it: whoever ends that comes here again.
func (b *inbox) next() (item, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.queue) == 0 || b.queue[0].ping != "" && b.busy > 0 {
		b.workers--
		if b.workers == 0 && b.empty != nil {
			close(b.empty)
			b.empty = nil
		}
		return item{}, false
	}
	first := b.queue[0]
	b.queue[0] = item{}
	b.queue = b.queue[1:]
	if len(b.queue) == 0 {
		b.queue = nil // an idle socket keeps no memory for it
	}
	b.busy++
	b.wakeReader()
	return first, true
}

func (b *inbox) idle() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.workers == 0
}

// wait waits until nothing is left. Nobody puts any more.
func (b *inbox) wait() {
	b.mu.Lock()
	var empty chan struct{}
	if b.workers > 0 {
		empty = make(chan struct{})
		b.empty = empty
	}
	b.mu.Unlock()
	if empty != nil {
		<-empty
	}
}

package outbound

import (
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// lease is a leased message, which stays where the store has put it until its outcome
// is recorded: messages are large.
type lease struct {
	*queue.Leased
	room *room // it is in; nil: in none
}

// room is where messages that are leased together are put. It serves again when the
// last of them has left it.
type room struct {
	messages []queue.Leased
	inside   int // of messages; guarded by the scheduler
}

// rooms are empty. The one that was used last goes first: it is in the processor's
// caches, and as large as is needed now.
type rooms struct {
	empty []*room
	size  int // messages that they have place for
}

// mostPlaces bounds the size of the rooms that are kept.
const mostPlaces = 4096

func (r *rooms) get() *room {
	last := len(r.empty) - 1
	if last < 0 {
		return &room{}
	}
	kept := r.empty[last]
	r.empty[last] = nil
	r.empty = r.empty[:last]
	r.size -= cap(kept.messages)
	return kept
}

// put takes back a room that nobody is in.
func (r *rooms) put(left *room) {
	left.messages = left.messages[:0]
	if size := r.size + cap(left.messages); size <= mostPlaces {
		r.empty, r.size = append(r.empty, left), size
	}
}

// leave has a message leave its room.
func (r *rooms) leave(l lease) {
	if l.room == nil {
		return
	}
	if l.room.inside--; l.room.inside == 0 {
		r.put(l.room)
	}
}

// readyBuffer holds messages that were leased together until workers come for them,
// oldest first.
type readyBuffer struct {
	room  *room // nil: it is empty
	next  int   // of the room's messages; those before it are taken
	since time.Time
}

func (b *readyBuffer) empty() bool { return b.room == nil }

// take returns the next message.
func (b *readyBuffer) take() lease {
	next := lease{&b.room.messages[b.next], b.room}
	if b.next++; b.next == len(b.room.messages) {
		b.room, b.next = nil, 0
	}
	return next
}

// takeAll empties the buffer into a slice.
func (b *readyBuffer) takeAll(into []lease) []lease {
	for !b.empty() {
		into = append(into, b.take())
	}
	return into
}

// withdraw takes out the message with that id, if it is there.
func (b *readyBuffer) withdraw(id transport.ID) []lease {
	if b.empty() {
		return nil
	}
	waiting := b.room.messages[b.next:]
	for i := range waiting {
		if waiting[i].ID == id {
			message := waiting[i]
			copy(waiting[1:], waiting[:i]) // those before it wait on, in their order
			waiting[0] = message
			return []lease{b.take()}
		}
	}
	return nil
}

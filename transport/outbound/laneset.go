package outbound

import (
	"container/heap"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// readyBuffer holds leased messages until workers come for them, oldest first.
type readyBuffer struct {
	messages []queue.Leased
	next     int       // of messages; those before it are taken
	since    time.Time // when the messages were leased
}

func (b *readyBuffer) empty() bool { return b.next == len(b.messages) }

// take appends the next message.
func (b *readyBuffer) take(into []queue.Leased) []queue.Leased {
	into = append(into, b.messages[b.next])
	b.messages[b.next] = queue.Leased{}
	b.next++
	return into
}

// takeAll empties the buffer into a slice.
func (b *readyBuffer) takeAll(into []queue.Leased) []queue.Leased {
	into = append(into, b.messages[b.next:]...)
	b.messages, b.next = nil, 0
	return into
}

// withdraw takes out the message with that id, if it is there.
func (b *readyBuffer) withdraw(id transport.ID) []queue.Leased {
	for i := b.next; i < len(b.messages); i++ {
		if message := b.messages[i]; message.ID == id {
			if b.messages = slices.Delete(b.messages, i, i+1); b.empty() {
				b.messages, b.next = nil, 0
			}
			return []queue.Leased{message}
		}
	}
	return nil
}

// rooms are slices to lease messages into. The one that was used last goes first: it is
// in the processor's caches, and messages are large.
type rooms struct{ spare [][]queue.Leased }

// mostRooms is how many are kept, of those that are no longer than largestRoom.
const (
	mostRooms   = 64
	largestRoom = 4 * (1 + leaseAhead)
)

func (r *rooms) get() []queue.Leased {
	last := len(r.spare) - 1
	if last < 0 {
		return nil
	}
	room := r.spare[last]
	r.spare = r.spare[:last]
	return room
}

// put takes back a room in which nothing is left.
func (r *rooms) put(room []queue.Leased) {
	if size := cap(room); size > 0 && size <= largestRoom && len(r.spare) < mostRooms {
		r.spare = append(r.spare, room[:0])
	}
}

// laneHeap orders lanes by when they can next run.
type laneHeap struct{ lanes []laterLane }

type laterLane struct {
	lane *lane
	at   time.Time
}

// set puts a lane in, or moves it, to an instant.
func (h *laneHeap) set(l *lane, at time.Time) {
	if l.heapIndex < 0 {
		heap.Push(h, laterLane{l, at})
		return
	}
	h.lanes[l.heapIndex].at = at
	heap.Fix(h, l.heapIndex)
}

func (h *laneHeap) remove(l *lane) {
	if l.heapIndex >= 0 {
		heap.Remove(h, l.heapIndex)
	}
}

// Len, Less, Swap, Push and Pop implement heap.Interface.
func (h *laneHeap) Len() int           { return len(h.lanes) }
func (h *laneHeap) Less(i, j int) bool { return h.lanes[i].at.Before(h.lanes[j].at) }
func (h *laneHeap) Swap(i, j int) {
	h.lanes[i], h.lanes[j] = h.lanes[j], h.lanes[i]
	h.lanes[i].lane.heapIndex = i
	h.lanes[j].lane.heapIndex = j
}

func (h *laneHeap) Push(x any) {
	entry := x.(laterLane)
	entry.lane.heapIndex = len(h.lanes)
	h.lanes = append(h.lanes, entry)
}

func (h *laneHeap) Pop() any {
	last := len(h.lanes) - 1
	entry := h.lanes[last]
	h.lanes[last] = laterLane{}
	h.lanes = h.lanes[:last]
	entry.lane.heapIndex = -1
	return entry
}

package outbound

import (
	"container/heap"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// readyBuffer holds leased messages until workers come for them, oldest first,
// and keeps its memory.
type readyBuffer struct {
	messages []queue.Leased
	next     int       // of messages; those before it are taken
	since    time.Time // when the messages were leased
}

func (b *readyBuffer) empty() bool { return b.next == len(b.messages) }

// trade takes over a slice of messages that were leased at an instant, into an
// empty buffer, and returns the first of them in the slice it had before. Messages
// are large: they are copied once, on the way to their worker.
func (b *readyBuffer) trade(messages []queue.Leased, at time.Time) []queue.Leased {
	spare := b.messages
	b.messages, b.next, b.since = messages, 0, at
	return b.take(spare[:0])
}

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
	clear(b.messages)
	b.messages, b.next = b.messages[:0], 0
	return into
}

// withdraw takes out the message with that id, if it is there.
func (b *readyBuffer) withdraw(id transport.ID) []queue.Leased {
	for i := b.next; i < len(b.messages); i++ {
		if message := b.messages[i]; message.ID == id {
			b.messages = slices.Delete(b.messages, i, i+1)
			return []queue.Leased{message}
		}
	}
	return nil
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

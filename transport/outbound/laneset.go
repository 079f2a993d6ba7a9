package outbound

import (
	"container/heap"
	"time"
)

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

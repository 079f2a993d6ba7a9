package sqlitequeue

import (
	"container/heap"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// item is a message in memory: one that is due, or leased, or that Expire has to
// end. All others are in the database alone.
type item struct {
	row                   // as it is in the database
	message queue.Message // with its content
	lane    *lane
	place   place
	prev    *item
	next    *item
	token   uint64
	until   int64 // tick at which the lease runs out
	leased  int64 // wall clock: when it was leased
	slot    int   // in the heap of leases
	marked  bool  // cancelled while leased
	fault   string
	batch   *batch // of the log, while it is fresh
}

// place is where an item is.
type place uint8

const (
	nowhere  place = iota
	ready          // in its level's list: due
	returned       // in its level's list: the lease ran out
	leased         // in its lane's list and in the store's heap
	settling       // an outcome is being written
	ending         // its end is being written
	overdue        // in the store's list: for Expire to end
)

// unleased reports whether the item's end is not the matter of somebody else.
func (it *item) unleased() bool {
	return it.place != leased && it.place != settling && it.place != ending
}

// overlay shows in a record what only memory knows.
func (it *item) overlay(r *queue.Record) {
	r.UpdatedAt = fromWall(max(toWall(r.UpdatedAt), it.updated, it.leased))
	if !it.unleased() {
		r.State = queue.StateDeliver
	}
	if !it.unleased() || it.place == overdue {
		r.NextAt = time.Time{}
	}
}

// list is a queue of items, linked through them. An item is in one list at most.
type list struct {
	first, last *item
	count       int
}

func (l *list) push(it *item) { l.insert(it, func(*item) bool { return false }) }

// insertDue puts an item where it belongs among those that are due: the latest of
// those that are due at one tick is the last.
func (l *list) insertDue(it *item) {
	l.insert(it, func(other *item) bool { return other.due > it.due })
}

// insertLease puts an item where it belongs by the end of its lease.
func (l *list) insertLease(it *item) {
	l.insert(it, func(other *item) bool { return other.until > it.until })
}

// insert puts an item behind the last one that does not come after it. Most
// belong at the end.
func (l *list) insert(it *item, after func(other *item) bool) {
	before := l.last
	for before != nil && after(before) {
		before = before.prev
	}
	it.prev = before
	if before == nil {
		it.next, l.first = l.first, it
	} else {
		it.next, before.next = before.next, it
	}
	if it.next == nil {
		l.last = it
	} else {
		it.next.prev = it
	}
	l.count++
}

func (l *list) remove(it *item) {
	if it.prev == nil {
		l.first = it.next
	} else {
		it.prev.next = it.next
	}
	if it.next == nil {
		l.last = it.prev
	} else {
		it.next.prev = it.prev
	}
	it.next, it.prev = nil, nil
	l.count--
}

// leaseHeap orders the leased items by when the lease runs out.
type leaseHeap []*item

var _ heap.Interface = (*leaseHeap)(nil)

func (h leaseHeap) Len() int           { return len(h) }
func (h leaseHeap) Less(i, j int) bool { return h[i].until < h[j].until }
func (h leaseHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].slot, h[j].slot = i, j
}

// Push and Pop implement heap.Interface.
func (h *leaseHeap) Push(x any) {
	it := x.(*item) //nolint:forcetypeassert // the heap holds nothing else
	it.slot = len(*h)
	*h = append(*h, it)
}

func (h *leaseHeap) Pop() any {
	last := len(*h) - 1
	it := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return it
}

// lane is what memory has of a lane.
type lane struct {
	key    queue.Lane
	id     int64
	levels [levels]level
	leased list // and not cancelled
	// rows counts, for each level, how many were picked in a row while one of a
	// lower was due.
	rows  [levels]uint8
	tally tally // as committed
	work  tally // as the commit under way leaves it; the committer's own
	dirty bool  // work differs from tally
	state queue.LaneState
	// damaged counts messages that were found damaged, which Lease has not told yet.
	damaged int
}

// level is what is due in a lane, of one priority. What memory has no room for
// has spilled: it is in the database alone, and is loaded when its time comes.
type level struct {
	ready    list
	returned list
	// waiting counts the rows that wait, residents those of them that memory has.
	waiting, residents int
	// next is the first of those that have spilled. It is exact, but where stale
	// says that it may be too early.
	next    nextRow
	stale   bool
	spills  nextRow       // the first of those that have spilled since the load under way began
	loading chan struct{} // closed when the load under way is done; nil: there is none
}

// nextRow says when a row is due, as a tick, and when it expires. The zero value
// is no row.
type nextRow struct{ due, expires int64 }

// consider takes another row where that one is due before.
func (n *nextRow) consider(other nextRow) {
	switch {
	case other.due == 0:
	case n.due == 0 || other.due < n.due:
		*n = other
	case other.due == n.due && (other.expires == 0 || n.expires != 0 && other.expires > n.expires):
		n.expires = other.expires
	}
}

func (l *level) spilled() bool { return l.waiting > l.residents }

// soonest returns the earlier of two ticks, where 0 is never.
func soonest(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// hasSpilled reports whether one that has spilled is known to be due at a tick. There
// may be others: those that cannot be read are never known.
func (l *level) hasSpilled(tick int64) bool {
	return l.spilled() && l.next.due != 0 && l.next.due <= tick
}

// isVague reports whether the level has to be loaded before it is known when it has
// its next message.
func (l *level) isVague(now instant) bool {
	return l.spilled() && l.head() == nil && (l.stale || l.next.expires != 0 && l.next.expires <= now.wall)
}

// hasDue reports whether the level has to be loaded for what is due first.
func (l *level) hasDue(now instant) bool {
	return l.hasSpilled(now.tick) && l.returned.first == nil && (l.ready.first == nil || l.next.due < l.ready.first.due)
}

// longestRow is how many of one priority go before one of a lower that is due.
const longestRow = 8

// pick returns the item to lease next, nil where there is none, and counts it: it
// is of the highest level that has not had its row.
func (l *lane) pick() *item {
	var picked *item
	var from int // the level it is of
	lower := false
	for i := range l.levels {
		next := l.levels[i].head()
		if next == nil {
			continue
		}
		if lower = picked != nil && l.rows[from] < longestRow; lower {
			l.rows[from]++
			break
		}
		picked, from = next, i
	}
	if !lower {
		l.rows[from] = 0
	}
	clear(l.rows[:from])
	return picked
}

func (l *level) head() *item {
	if l.returned.first != nil {
		return l.returned.first
	}
	return l.ready.first
}

// nextAt is the tick at which the lane has its next message; 0: it has none. The
// end of a lease counts.
func (l *lane) nextAt() int64 {
	var next int64
	for i := range l.levels {
		level := &l.levels[i]
		if it := level.returned.first; it != nil {
			next = soonest(next, it.until)
		}
		if it := level.ready.first; it != nil {
			next = soonest(next, it.due)
		}
		if level.spilled() {
			next = soonest(next, level.next.due)
		}
	}
	if it := l.leased.first; it != nil {
		next = soonest(next, it.until)
	}
	return next
}

package memqueue

// heap is a binary heap whose members know their slot, so that any of them can
// be taken out.
type heap[T member[T]] []T

// member is what a heap orders.
type member[T any] interface {
	before(other T) bool
	moveTo(slot int)
}

var (
	_ member[byDue]      = byDue{}
	_ member[byID]       = byID{}
	_ member[byExpiry]   = byExpiry{}
	_ member[byDeadline] = byDeadline{}
	_ member[*lane]      = (*lane)(nil)
)

func (h *heap[T]) push(v T) {
	*h = append(*h, v)
	h.up(len(*h) - 1)
}

// remove takes out the member at slot, and gives back room that is no longer
// needed.
func (h *heap[T]) remove(slot int) {
	old := *h
	last := len(old) - 1
	moved := old[last]
	clear(old[last:])
	*h = old[:last]
	if slot < last {
		old[slot] = moved
		h.fix(slot)
	}
	*h = shrink(*h)
}

// fix finds the right slot for the member at slot, whose order has changed.
func (h heap[T]) fix(slot int) {
	if !h.down(slot) {
		h.up(slot)
	}
}

func (h heap[T]) up(slot int) {
	v := h[slot]
	for slot > 0 {
		parent := (slot - 1) / 2
		if !v.before(h[parent]) {
			break
		}
		h.set(slot, h[parent])
		slot = parent
	}
	h.set(slot, v)
}

func (h heap[T]) down(slot int) (moved bool) {
	v := h[slot]
	for {
		child := 2*slot + 1
		if child >= len(h) {
			break
		}
		if right := child + 1; right < len(h) && h[right].before(h[child]) {
			child = right
		}
		if !h[child].before(v) {
			break
		}
		h.set(slot, h[child])
		slot, moved = child, true
	}
	h.set(slot, v)
	return moved
}

func (h heap[T]) set(slot int, v T) {
	h[slot] = v
	v.moveTo(slot)
}

// shrink copies a slice that has become much smaller than its array.
func shrink[S ~[]E, E any](s S) S {
	const small = 64
	if cap(s) <= small || len(s) > cap(s)/4 {
		return s
	}
	return append(make(S, 0, 2*len(s)), s...)
}

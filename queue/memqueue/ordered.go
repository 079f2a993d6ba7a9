package memqueue

import (
	"slices"
	"sort"
)

// blockSize is how many values a block of an ordered set holds at most.
const blockSize = 128

// ordered is a set of values in the order of their keys: a row of short sorted
// blocks. Values whose keys come in order fill the blocks one after the other,
// at about 8 bytes for a pointer. Unlike a map it gives room back.
type ordered[K, V any] struct {
	key     func(V) K
	compare func(a, b K) int
	blocks  [][]V // none is empty
}

// seek finds where the value with key k is, or belongs. What is new belongs at the
// end, and what goes is at the start, or near it: there it looks first.
func (o *ordered[K, V]) seek(k K) (block, i int, found bool) {
	last := len(o.blocks) - 1
	if last < 0 {
		return 0, 0, false
	}
	if b := o.blocks[last]; o.compare(o.key(b[len(b)-1]), k) < 0 {
		return last, len(b), false
	}
	if first := o.compare(o.key(o.blocks[0][0]), k); first >= 0 {
		return 0, 0, first == 0
	}
	if last > 0 && o.compare(o.key(o.blocks[1][0]), k) <= 0 {
		block = sort.Search(last, func(b int) bool { return o.compare(o.key(o.blocks[b+1][0]), k) > 0 })
	}
	i, found = slices.BinarySearchFunc(o.blocks[block], k, func(v V, k K) int { return o.compare(o.key(v), k) })
	return block, i, found
}

func (o *ordered[K, V]) get(k K) (v V, found bool) {
	block, i, found := o.seek(k)
	if found {
		v = o.blocks[block][i]
	}
	return v, found
}

// insert adds a value whose key is not in the set.
func (o *ordered[K, V]) insert(v V) {
	if o.append(v) {
		return
	}
	block, i, _ := o.seek(o.key(v))
	if len(o.blocks[block]) == blockSize {
		o.split(block)
		if i > blockSize/2 {
			block, i = block+1, i-blockSize/2
		}
	}
	o.blocks[block] = slices.Insert(o.roomy(block, 1), i, v)
}

// append adds a value behind all others, if it belongs there.
func (o *ordered[K, V]) append(v V) bool {
	last := len(o.blocks) - 1
	if last >= 0 {
		block := o.blocks[last]
		if o.compare(o.key(block[len(block)-1]), o.key(v)) > 0 {
			return false
		}
		if len(block) < blockSize {
			o.blocks[last] = append(o.roomy(last, 1), v)
			return true
		}
	}
	o.blocks = append(o.blocks, newBlock(v))
	return true
}

func (o *ordered[K, V]) split(block int) {
	full := o.blocks[block]
	o.blocks = slices.Insert(o.blocks, block+1, newBlock(full[blockSize/2:]...))
	clear(full[blockSize/2:])
	o.blocks[block] = full[:blockSize/2]
}

func newBlock[V any](values ...V) []V {
	return append(make([]V, 0, blockSize), values...)
}

// roomy returns a block with room behind it for some values more: one from whose
// start values were removed has less than it seems.
func (o *ordered[K, V]) roomy(block, more int) []V {
	values := o.blocks[block]
	if cap(values)-len(values) < more {
		values = newBlock(values...)
	}
	return values
}

func (o *ordered[K, V]) remove(k K) {
	block, i, found := o.seek(k)
	if !found {
		return
	}
	if values := o.blocks[block]; i < len(values)/2 { // moves those before it, which are few
		copy(values[1:], values[:i])
		clear(values[:1])
		o.blocks[block] = values[1:]
	} else {
		o.blocks[block] = slices.Delete(values, i, i+1)
	}
	if len(o.blocks[block]) == 0 {
		o.drop(block)
		return
	}
	o.join(block)
	o.join(block - 1)
}

// join moves the values of the next block into this one where both are short.
func (o *ordered[K, V]) join(block int) {
	next := block + 1
	if block < 0 || next >= len(o.blocks) || len(o.blocks[block])+len(o.blocks[next]) > blockSize*3/4 {
		return
	}
	o.blocks[block] = append(o.roomy(block, len(o.blocks[next])), o.blocks[next]...)
	o.drop(next)
}

func (o *ordered[K, V]) drop(block int) {
	o.blocks = shrink(slices.Delete(o.blocks, block, block+1))
}

// ascend visits the values behind the key given, or all where it is nil, in
// order, until visit returns false. The set must not change meanwhile.
func (o *ordered[K, V]) ascend(after *K, visit func(V) bool) {
	block, i := 0, 0
	if after != nil {
		var found bool
		if block, i, found = o.seek(*after); found {
			i++
		}
	}
	for ; block < len(o.blocks); block, i = block+1, 0 {
		for _, v := range o.blocks[block][i:] {
			if !visit(v) {
				return
			}
		}
	}
}

// descend is ascend in the opposite order: it visits the values before the key.
func (o *ordered[K, V]) descend(before *K, visit func(V) bool) {
	if len(o.blocks) == 0 {
		return
	}
	block, end := len(o.blocks)-1, blockSize
	if before != nil {
		block, end, _ = o.seek(*before)
	}
	for ; block >= 0; block, end = block-1, blockSize {
		values := o.blocks[block]
		for i := min(end, len(values)) - 1; i >= 0; i-- {
			if !visit(values[i]) {
				return
			}
		}
	}
}

package memqueue

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestOrdered compares the set with a sorted slice.
func TestOrdered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := ordered[int, int]{key: func(v int) int { return v }, compare: cmp.Compare[int]}
		var sorted []int
		next := 0
		draw := func(t *rapid.T) int { return rapid.IntRange(0, 5000).Draw(t, "key") }
		add := func(v int) {
			if i, found := slices.BinarySearch(sorted, v); !found {
				set.insert(v)
				sorted = slices.Insert(sorted, i, v)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"append many": func(t *rapid.T) {
				for range rapid.IntRange(1, 3*blockSize).Draw(t, "count") {
					next++
					add(next * 7)
				}
			},
			"insert many": func(t *rapid.T) {
				from := draw(t)
				for i := range rapid.IntRange(1, 2*blockSize).Draw(t, "count") {
					add(from + i*3)
				}
			},
			"remove many": func(t *rapid.T) {
				from, step := draw(t), rapid.IntRange(1, 4).Draw(t, "step")
				gone := map[int]bool{}
				for i := range rapid.IntRange(1, 4*blockSize).Draw(t, "count") {
					gone[from+i*step] = true
					set.remove(from + i*step)
				}
				sorted = slices.DeleteFunc(sorted, func(v int) bool { return gone[v] })
			},
			"get": func(t *rapid.T) {
				k := draw(t)
				_, want := slices.BinarySearch(sorted, k)
				if v, found := set.get(k); found != want || found && v != k {
					t.Fatalf("get %d: %d, %v, want %v", k, v, found, want)
				}
			},
			"go through": func(t *rapid.T) { goThrough(t, &set, sorted, draw(t)) },
			"":           func(t *rapid.T) { checkBlocks(t, &set, sorted) },
		})
	})
}

func goThrough(t *rapid.T, set *ordered[int, int], sorted []int, from int) {
	i, found := slices.BinarySearch(sorted, from)
	before := slices.Clone(sorted[:i])
	slices.Reverse(before)
	if found {
		i++
	}
	collect := func(walk func(visit func(int) bool), limit int) []int {
		var all []int
		walk(func(v int) bool {
			all = append(all, v)
			return len(all) < limit
		})
		return all
	}
	limit := rapid.IntRange(1, len(sorted)+1).Draw(t, "limit")
	if got, want := collect(func(v func(int) bool) { set.ascend(&from, v) }, limit), sorted[i:]; !slices.Equal(got, want[:min(limit, len(want))]) {
		t.Fatalf("behind %d: %v, want %v", from, got, want)
	}
	if got := collect(func(v func(int) bool) { set.descend(&from, v) }, limit); !slices.Equal(got, before[:min(limit, len(before))]) {
		t.Fatalf("before %d: %v, want %v", from, got, before)
	}
	if got := collect(func(v func(int) bool) { set.ascend(nil, v) }, limit); !slices.Equal(got, sorted[:min(limit, len(sorted))]) {
		t.Fatalf("all: %v, want %v", got, sorted)
	}
	all := slices.Clone(sorted)
	slices.Reverse(all)
	if got := collect(func(v func(int) bool) { set.descend(nil, v) }, limit); !slices.Equal(got, all[:min(limit, len(all))]) {
		t.Fatalf("all, descending: %v, want %v", got, all)
	}
}

// checkBlocks: no block is empty or too long, and together they are what was put in.
func checkBlocks(t *rapid.T, set *ordered[int, int], sorted []int) {
	for i, block := range set.blocks {
		if len(block) == 0 || len(block) > blockSize || cap(block) > blockSize {
			t.Fatalf("block %d of %d has %d values and room for %d", i, len(set.blocks), len(block), cap(block))
		}
	}
	if all := slices.Concat(set.blocks...); !slices.Equal(all, sorted) {
		t.Fatalf("the set is %v, want %v", all, sorted)
	}
}

// TestOrderedGivesRoomBack: blocks that have become short are joined.
func TestOrderedGivesRoomBack(t *testing.T) {
	t.Parallel()
	const n = 100_000
	set := ordered[int, int]{key: func(v int) int { return v }, compare: cmp.Compare[int]}
	for v := range n {
		set.insert(v)
	}
	if want := n/blockSize + 1; len(set.blocks) > want {
		t.Errorf("%d values in order take %d blocks, want at most %d", n, len(set.blocks), want)
	}
	for v := range n {
		if v%50 != 0 {
			set.remove(v)
		}
	}
	if left := n / 50; len(set.blocks) > 4*left/blockSize || cap(set.blocks) > 32*left/blockSize {
		t.Errorf("%d values that are left take %d blocks, and room for %d", left, len(set.blocks), cap(set.blocks))
	}
}

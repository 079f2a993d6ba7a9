package memqueue

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/outrider-go/outrider/queue"
)

func TestHeap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var h heap[byDue]
	var all []*item
	check := func() {
		t.Helper()
		for slot, it := range h {
			if int(it.slot) != slot {
				t.Fatalf("the item in slot %d believes to be in %d", slot, it.slot)
			}
			if parent := (slot - 1) / 2; slot > 0 && it.before(h[parent]) {
				t.Fatalf("slot %d comes before its parent", slot)
			}
		}
		if len(h) != len(all) {
			t.Fatalf("the heap has %d items, want %d", len(h), len(all))
		}
	}
	for round := range 5000 {
		switch n := len(all); {
		case n == 0 || random.IntN(5) < 2 && round < 3000:
			it := &item{due: random.Int64N(100)}
			it.id[0] = byte(round)
			h.push(byDue{it})
			all = append(all, it)
		case random.IntN(3) == 0:
			it := all[random.IntN(n)]
			it.due = random.Int64N(100)
			h.fix(int(it.slot))
		default:
			i := random.IntN(n)
			h.remove(int(all[i].slot))
			all = slices.Delete(all, i, i+1)
		}
		check()
	}
}

func TestHeapGivesRoomBack(t *testing.T) {
	t.Parallel()
	var h heap[byDue]
	for range 10_000 {
		h.push(byDue{&item{}})
	}
	for len(h) > 10 {
		h.remove(0)
	}
	if cap(h) > 100 {
		t.Errorf("a heap of 10 has room for %d", cap(h))
	}
}

func TestTableGivesRoomBack(t *testing.T) {
	t.Parallel()
	var table table[int, int]
	for i := range 10_000 {
		table.set(i, i)
	}
	for i := range 9_900 {
		table.remove(i)
	}
	if table.peak > 2000 {
		t.Errorf("a map of %d was made for %d", table.len(), table.peak)
	}
	for i := range 10_000 {
		if got, want := table.get(i), i; i >= 9_900 && got != want || i < 9_900 && got != 0 {
			t.Errorf("%d is %d", i, got)
		}
	}
}

func TestCompareLanes(t *testing.T) {
	t.Parallel()
	lanes := []queue.Lane{{}, {Destination: "z"}, {Profile: "a", Destination: "b"}, {Profile: "a", Destination: "c"}, {Profile: "b"}}
	for i, a := range lanes {
		for j, b := range lanes {
			if got := compareLanes(a, b); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("compare %v with %v: %d", a, b, got)
			}
		}
	}
}

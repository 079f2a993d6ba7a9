package memqueue

import (
	"testing"

	"github.com/outrider-go/outrider/queue"
)

// TestRows tells exactly in which order the tiers of a lane take turns.
func TestRows(t *testing.T) {
	t.Parallel()
	const high, normal, low = queue.PriorityHigh, queue.PriorityNormal, queue.PriorityLow
	var tiers tiers
	add := func(priority queue.Priority, n int) {
		for range n {
			it := &item{address: &address{priority: priority}}
			tiers.of(it).ready.push(it)
		}
	}
	pick := func(n int) (row []queue.Priority) {
		for range n {
			it := tiers.pick(instant{})
			tiers.of(it).ready.remove(it)
			row = append(row, it.address.priority)
		}
		return row
	}
	check := func(what string, got []queue.Priority, counts ...int) {
		t.Helper()
		for i, count := range counts { // of high, normal and low in turn
			for range count {
				if want := []queue.Priority{high, normal, low}[i%3]; got[0] != want {
					t.Fatalf("%s: got %d with %d to go, want %d", what, got[0], len(got)-1, want)
				}
				got = got[1:]
			}
		}
	}
	add(high, 20)
	check("one alone has no row", pick(10), 10)
	add(low, 2)
	check("a row, and the rest", pick(12), 8, 0, 1, 2, 0, 1)

	add(high, 5)
	add(low, 1)
	check("part of a row", pick(6), 5, 0, 1)
	add(high, 10)
	add(low, 1)
	check("a row that was broken begins again", pick(11), 8, 0, 1, 2)

	add(high, 81)
	add(normal, 10)
	add(low, 1)
	for range 8 {
		check("rows of two", pick(9), 8, 1)
	}
	check("a row of rows", pick(20), 8, 0, 1, 8, 1, 0, 1, 1)
	if it := tiers.pick(instant{}); it != nil || !tiers.empty() {
		t.Errorf("picked %+v from nothing", it)
	}
}

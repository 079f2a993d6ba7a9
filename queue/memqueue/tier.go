package memqueue

import (
	"math"

	"github.com/outrider-go/outrider/queue"
)

// tier holds the items of one priority that a lane can lease, now or later.
type tier struct {
	returned list // their leases ran out
	ready    list // in the order in which they fell due
	waiting  heap[byDue]
}

// pick returns the item to lease next, nil where none is due.
func (t *tier) pick(now instant) *item {
	if t == nil {
		return nil
	}
	if t.returned.first != nil {
		return t.returned.first
	}
	next := t.ready.first
	if len(t.waiting) > 0 && t.waiting[0].due <= now.tick && (next == nil || t.waiting[0].due < next.due) {
		next = t.waiting[0].item
	}
	return next
}

// next returns the tick at which the tier has its next item, the end of time
// where it has none.
func (t *tier) next() int64 {
	tick := int64(math.MaxInt64)
	if t == nil {
		return tick
	}
	if t.returned.first != nil {
		tick = t.returned.first.due
	}
	if t.ready.first != nil {
		tick = min(tick, t.ready.first.due)
	}
	if len(t.waiting) > 0 {
		tick = min(tick, t.waiting[0].due)
	}
	return tick
}

func (t *tier) empty() bool {
	return t == nil || t.returned.first == nil && t.ready.first == nil && len(t.waiting) == 0
}

// tiers are those of a lane, the highest priority first. Most lanes have one.
type tiers struct {
	all [3]*tier
	// rows counts, for each tier, how many were picked in a row while one of a
	// lower was due.
	rows [3]uint8
}

// longestRow is how many of one priority go before one of a lower that is due.
const longestRow = 8

// of returns the tier of an item, which it makes where there is none.
func (t *tiers) of(it *item) *tier {
	i := 1
	switch priority := it.address.priority; {
	case priority > queue.PriorityNormal:
		i = 0
	case priority < queue.PriorityNormal:
		i = 2
	}
	if t.all[i] == nil {
		t.all[i] = &tier{}
	}
	return t.all[i]
}

// pick returns the item to lease next, nil where none is due, and counts it: it
// is of the highest tier that has not had its row.
func (t *tiers) pick(now instant) *item {
	var picked *item
	var from int // the tier it is of
	lower := false
	for i, tier := range t.all {
		next := tier.pick(now)
		if next == nil {
			continue
		}
		if lower = picked != nil && t.rows[from] < longestRow; lower {
			t.rows[from]++
			break
		}
		picked, from = next, i
	}
	if !lower {
		t.rows[from] = 0
	}
	clear(t.rows[:from])
	return picked
}

// soonest returns the item that is the next to wait for another attempt, nil where
// none does. It looks at all that wait.
func (t *tiers) soonest() *item {
	var first *item
	for _, tier := range t.all {
		if tier == nil {
			continue
		}
		for _, waiting := range tier.waiting {
			it := waiting.item
			if it.attempts > 0 && !it.rarest().skipped && (first == nil || waiting.before(byDue{first})) {
				first = it
			}
		}
	}
	return first
}

func (t *tiers) next() int64 {
	return min(t.all[0].next(), t.all[1].next(), t.all[2].next())
}

func (t *tiers) empty() bool {
	return t.all[0].empty() && t.all[1].empty() && t.all[2].empty()
}

package queuetest

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// ordered reports whether the record is one of those of its ordering key that get
// the turn.
func (r *modelRecord) ordered() bool { return r.OrderingKey != "" && !r.done() && !r.parked }

// aside reports whether the record was skipped and is not due.
func (m *model) aside(r *modelRecord) bool {
	return r.ordered() && r.skipped && r.until.IsZero() && r.due.After(m.now)
}

// holder returns the record that has the turn in r's ordering key, nil for none.
func (m *model) holder(r *modelRecord) *modelRecord {
	return m.find(func(other *modelRecord) bool {
		return other.turn && other.Lane == r.Lane && other.OrderingKey == r.OrderingKey
	})
}

// waits reports whether another has the turn.
func (m *model) waits(r *modelRecord) bool {
	return r.ordered() && !r.turn && m.holder(r) != nil
}

// back gives the turn to those that came due while nobody had it. The machine
// skips one at a time, so that two do not come due at once.
func (m *model) back() {
	for _, r := range m.records {
		if r.ordered() && !m.aside(r) && m.holder(r) == nil {
			r.turn, r.turnAt = true, r.due
		}
	}
}

// pass gives the turn to the first of each ordering key in which nobody has it.
func (m *model) pass() {
	for _, r := range m.records {
		if r.ordered() && !m.aside(r) && m.holder(r) == nil {
			r.turn, r.turnAt = true, m.now
		}
	}
}

// leave takes the turn from a record, if it has it.
func (r *modelRecord) leave() { r.turn, r.skipped, r.turnAt = false, false, time.Time{} }

// window is between which instants the record may count as due: one that waited
// for its turn, from when it got it, or from when it would have been.
func (r *modelRecord) window() (from, to time.Time) {
	if r.turn && r.turnAt.After(r.due) {
		return r.due, r.turnAt
	}
	return r.due, r.due
}

// before reports whether a is to be leased before b, of the same priority.
func (m *model) before(a, b *modelRecord) bool {
	if a.lapsed || b.lapsed {
		return a.lapsed && !b.lapsed
	}
	_, last := a.window()
	first, _ := b.window()
	return first.Sub(last) > m.slack
}

// row is what was leased from a lane with one priority since one with a lower one
// was leased.
type row struct {
	all  int
	owed int // the last of these, while one with a lower priority was due
}

// longestRow is how many of one priority go before one of a lower, give or take one.
const longestRow = 8

// rows are those of a lane, the highest priority first.
type rows [3]row

func levelOf(r *modelRecord) int { return int(queue.PriorityHigh - r.Priority) }

// lease counts a record that was leased while others were due, and tells what is
// wrong with it; "" is nothing.
func (rows *rows) lease(r *modelRecord, others []*modelRecord) string {
	level := levelOf(r)
	lower := false
	for _, other := range others {
		if higher := levelOf(other); higher < level && rows[higher].all < longestRow {
			return fmt.Sprintf("leased %s of priority %d while %s of %d is due", r.ID, r.Priority, other.ID, other.Priority)
		}
		lower = lower || levelOf(other) > level
	}
	clear(rows[:level])
	rows[level].all++
	rows[level].owed++
	if !lower {
		rows[level].owed = 0
	}
	if owed := rows[level].owed; owed > longestRow+1 {
		return fmt.Sprintf("leased %s, number %d in a row of priority %d while a lower one is due", r.ID, owed, r.Priority)
	}
	return ""
}

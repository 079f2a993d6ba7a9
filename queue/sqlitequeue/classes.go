package sqlitequeue

import (
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// class is by what the indexes find rows of the tables for lists: what waits for
// its first attempt or is parked, what waits for another, and each result, which
// has the number of its status.
type class int64

const (
	classPending class = 0
	classRetry   class = 1
)

// classText is the expression of the indexes live and listed, to the letter: SQLite
// knows it by that.
const classText = "(CASE WHEN status < 3 THEN attempts > 0 WHEN status < 8 THEN (status > 3) * status ELSE 5 END)"

// wanted is what a query may select, by where it is found.
type wanted struct {
	classes []class // of the rows in the tables
	fresh   bool    // what is in the log
	leased  bool    // what is leased, and nothing else that is not done
}

// wants says what a query may select.
func wants(q *queue.Query) (w wanted) {
	state := func(s queue.State) bool { return len(q.States) == 0 || slices.Contains(q.States, s) }
	if len(q.Results) == 0 || slices.Contains(q.Results, "") {
		pending, retry := state(queue.StatePending), state(queue.StateRetry)
		if pending {
			w.classes = append(w.classes, classPending)
		}
		if retry {
			w.classes = append(w.classes, classRetry)
		}
		leased := state(queue.StateDeliver) // it may be of both classes
		w.fresh, w.leased = pending, leased && (!pending || !retry)
	}
	for end := delivered; end <= expired && state(queue.StateDone); end++ {
		if len(q.Results) == 0 || slices.Contains(q.Results, end.result()) {
			w.classes = append(w.classes, class(end))
		}
	}
	return w
}

// everything reports whether all rows of the tables may be selected.
func (w *wanted) everything() bool { return len(w.classes) == 2+int(expired-delivered)+1 }

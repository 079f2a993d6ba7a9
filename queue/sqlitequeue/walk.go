package sqlitequeue

import (
	"cmp"
	"container/heap"
	"context"
	"database/sql/driver"
	"fmt"
	"math"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// walkPage is how many rows of the tables are read at once.
const walkPage = 250

// walker visits all messages of a database in the order of their seqs, wherever
// they are: in the tables, in the log of what was accepted, and in the history of
// what was delivered. Memory depends on how many of the log and of the history
// there are out of order.
type walker struct {
	c      *conn
	page   []entry // of the tables
	last   int64   // seq of the tables' page before
	end    bool
	log    []entry
	runs   []run // of the history, not read yet, by where they begin
	past   entryHeap
	before int64 // the latest seq that was visited
	// faults say which rows cannot be read.
	faults []string
	// contents and logs count the messages of which these cannot be read.
	contents, logs int64
}

// entry is a message that a walker visits. One of the log has its content; in the
// tables it is looked up.
type entry struct {
	record
	place entryPlace
}

type entryPlace uint8

const (
	inTables entryPlace = iota
	inLog
	inHistory
)

// newWalker reads the log, and where the history has what.
func newWalker(ctx context.Context, c *conn) (*walker, error) {
	w := &walker{c: c, last: -1, before: -1}
	logged := map[int64]entry{}
	if err := w.readLog(ctx, logged); err != nil {
		return nil, err
	}
	if err := w.readHistory(ctx, logged); err != nil {
		return nil, err
	}
	for seq, e := range logged {
		in, err := c.number("SELECT EXISTS (SELECT 1 FROM message WHERE seq = ?)", seq)
		if err != nil && !isUnreadable(err) { // else the log has all of it
			return nil, err
		}
		if in == 0 {
			w.log = append(w.log, e)
		}
	}
	slices.SortFunc(w.log, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	slices.SortFunc(w.runs, func(a, b run) int { return cmp.Compare(a.low, b.low) })
	return w, nil
}

func (w *walker) readLog(ctx context.Context, into map[int64]entry) error {
	latest, err := w.c.latestSeq()
	if err != nil {
		return err
	}
	_, _, err = w.read(ctx, &acceptedPart, 0, math.MaxInt32, func(v []driver.Value) error {
		nameless := 0
		err := readAccepted(blob(v[1]), func(r *record) error {
			_, there := into[r.seq]
			switch {
			case r.damage != nil && !r.isNamed(latest):
				nameless++
			case r.damage == nil || !there:
				r.status, r.due = fresh, r.created
				into[r.seq] = entry{record: *r, place: inLog}
			}
			return nil
		})
		if err == nil && nameless > 0 {
			err = fmt.Errorf("%w (%d of its records, at least)", errDamaged, nameless)
		}
		return w.fault(acceptedPart.name, integer(v[0]), err)
	})
	return err
}

// readHistory takes out of the log what was delivered.
func (w *walker) readHistory(ctx context.Context, log map[int64]entry) error {
	_, _, err := w.read(ctx, &deliveredPart, 0, math.MaxInt32, func(v []driver.Value) error {
		r := run{n: integer(v[0]), at: integer(v[1])}
		err := readRecords(blob(v[2]), func(seq, _ int64) bool {
			if seq > 0 {
				r.include(seq)
				delete(log, seq)
			}
			return false
		}, nil)
		if r.count > 0 {
			w.runs = append(w.runs, r)
		}
		return w.fault(deliveredPart.name, r.n, err)
	})
	return err
}

// fault keeps in mind what cannot be read. All other errors end the walk.
func (w *walker) fault(where string, n int64, err error) error {
	if !isDamaged(err) {
		return err
	}
	if fault := fmt.Sprintf("%s, row %d: %v", where, n, err); !slices.Contains(w.faults, fault) {
		w.faults = append(w.faults, fault)
	}
	return nil
}

// next returns the next message; nil: there are no more. It lives until the next
// call.
func (w *walker) next(ctx context.Context) (*entry, error) {
	for {
		e, err := w.pick(ctx)
		if err != nil || e == nil {
			return nil, err
		}
		if e.seq != w.before { // the tables come first
			w.before = e.seq
			return e, nil
		}
	}
}

func (w *walker) pick(ctx context.Context) (*entry, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := w.turnPage(ctx); err != nil {
		return nil, err
	}
	first := &w.page
	if len(w.log) > 0 && (len(w.page) == 0 || w.log[0].seq < w.page[0].seq) {
		first = &w.log
	}
	bound := int64(math.MaxInt64)
	if len(*first) > 0 {
		bound = (*first)[0].seq
	}
	if err := w.readRuns(bound); err != nil {
		return nil, err
	}
	if len(w.past) > 0 && w.past[0].seq < bound {
		e := heap.Pop(&w.past).(entry) //nolint:forcetypeassert // it holds nothing else
		return &e, nil
	}
	if len(*first) == 0 {
		return nil, nil //nolint:nilnil // as documented
	}
	e := &(*first)[0]
	*first = (*first)[1:]
	return e, nil
}

// readRuns reads the runs that may have something before a seq, and before what has
// been read.
func (w *walker) readRuns(bound int64) error {
	for len(w.runs) > 0 && w.runs[0].low < bound && (len(w.past) == 0 || w.runs[0].low <= w.past[0].seq) {
		if err := w.readRun(); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) readRun() error {
	n := w.runs[0].n
	w.runs = w.runs[1:]
	all, damaged, err := w.c.readRun(n, nil)
	for i := range all {
		heap.Push(&w.past, entry{record: all[i], place: inHistory})
	}
	if damaged {
		err = errDamaged
	}
	return w.fault(deliveredPart.name, n, err)
}

// turnPage reads the next page of the tables where the one before is used up.
func (w *walker) turnPage(ctx context.Context) (err error) {
	if len(w.page) > 0 || w.end {
		return nil
	}
	w.page = make([]entry, 0, walkPage)
	var more bool
	w.last, more, err = w.read(ctx, &messagePart, w.last, walkPage, func(v []driver.Value) error {
		w.page = append(w.page, entry{record: record{row: readRow(v), last: blob(v[len(v)-1])}})
		return nil
	})
	w.end = !more
	return err
}

// entryHeap has the smallest seq first.
type entryHeap []entry

func (h entryHeap) Len() int           { return len(h) }
func (h entryHeap) Less(i, j int) bool { return h[i].seq < h[j].seq }
func (h entryHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push implements heap.Interface.
func (h *entryHeap) Push(e any) { *h = append(*h, e.(entry)) } //nolint:forcetypeassert // the walker pushes no other

// Pop implements heap.Interface.
func (h *entryHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = entry{}
	*h = (*h)[:last]
	return e
}

// content reads what only an attempt needs, and says what is wrong with it.
func (w *walker) content(e *entry, m *queue.Message) (fault, err error) {
	found, err := w.loadContent(e)
	switch {
	case isUnreadable(err) && e.status == delivered: // it may be gone
		return nil, nil
	case isUnreadable(err):
		w.contents++
		return fmt.Errorf("%w: %w", errUnreadable, err), nil
	case err != nil:
		return nil, err
	}
	return e.checkContent(m, found), nil
}

// loadContent reads what only an attempt needs. False: it is not there.
func (w *walker) loadContent(e *entry) (found bool, err error) {
	if e.place == inLog {
		return true, nil
	}
	err = w.c.query("SELECT sum, secret, body FROM content WHERE seq = ?", func(v []driver.Value) error {
		found = true
		e.sum, e.secret, e.body = integer(v[0]), blob(v[1]), blob(v[2])
		return nil
	}, e.seq)
	return found, err
}

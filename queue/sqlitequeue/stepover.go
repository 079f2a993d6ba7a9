package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"fmt"
	"math"
)

// A page of the file that cannot be read has many rows, and ends every query that
// comes to it. The rows behind it can be read by a query that begins there.

// part is a table that is read page by page.
type part struct {
	name  string // in faults
	query string // rows behind a key, in the order of their keys, which are numbers and their first column
	keys  string // the first behind a key of another table that has about the same keys; empty: there is none
}

var (
	acceptedPart  = part{name: "the log of what was accepted", query: "SELECT n, records FROM accepted WHERE n > ? ORDER BY n LIMIT ?"}
	deliveredPart = part{name: "the history of what was delivered", query: "SELECT n, at, records FROM delivered WHERE n > ? ORDER BY n LIMIT ?"}
	messagePart   = part{
		name: "the table of messages", query: "SELECT " + rowColumns + ", last FROM message WHERE seq > ? ORDER BY seq LIMIT ?",
		keys: "SELECT min(seq) FROM content WHERE seq > ?",
	}
)

// read reads rows of a part, those behind a key: a page of most or somewhat more. It steps over what cannot be read,
// which it keeps in mind as a fault, and returns the last key it came to, and
// whether there may be more.
func (w *walker) read(ctx context.Context, of *part, behind int64, most int, each func(v []driver.Value) error) (last int64, more bool, err error) {
	last = behind
	for {
		count := 0
		err := w.c.queryIn(ctx, of.query, func(v []driver.Value) error {
			last = integer(v[0])
			count++
			return each(v)
		}, last, most)
		if !isUnreadable(err) {
			return last, count == most, err
		}
		before, fault := last, err
		if last, more, err = w.stepOver(ctx, of, last); err != nil {
			return last, false, err
		}
		if !more {
			w.faults = append(w.faults, fmt.Sprintf("%s, from row %d on: %v", of.name, before+1, fault))
			return last, false, nil
		}
		w.faults = append(w.faults, fmt.Sprintf("%s, rows %d to %d: %v", of.name, before+1, last, fault))
	}
}

// nearby is how many keys are looked at one by one, so that what can be read between
// two pages that cannot is found: a page has fewer rows.
const nearby = 128

// stepOver returns the first key behind another from which a part can be read again.
// False: there is none. Where keys have gaps, or much cannot be read, it takes longer
// and longer steps, and then goes back by halves. Keys begin again behind a gap where
// those of the other table do.
func (w *walker) stepOver(ctx context.Context, of *part, behind int64) (good int64, found bool, err error) {
	readable := func(from int64) (bool, error) {
		err := w.c.queryIn(ctx, of.query, func([]driver.Value) error { return nil }, from, 1)
		if isUnreadable(err) {
			return false, nil
		}
		return err == nil, err
	}
	again := w.keyBehind(ctx, of, behind) - 1
	bad, near, good := behind, behind, behind
	for step := int64(1); !found; {
		if bad = good; good > math.MaxInt64-step {
			return bad, false, nil
		}
		if good += step; bad < again && again <= good {
			good, near, step = again, again, 1
		}
		if found, err = readable(good); err != nil {
			return good, false, err
		}
		if good-near >= nearby {
			step *= 2
		}
	}
	for good-bad > 1 {
		middle := bad + (good-bad)/2
		ok, err := readable(middle)
		switch {
		case err != nil:
			return good, false, err
		case ok:
			good = middle
		default:
			bad = middle
		}
	}
	return good, true, nil
}

// keyBehind is the first key behind another that the other table has; 0: nobody knows.
func (w *walker) keyBehind(ctx context.Context, of *part, behind int64) (key int64) {
	if of.keys == "" {
		return 0
	}
	if w.c.queryIn(ctx, of.keys, func(v []driver.Value) error {
		key = integer(v[0])
		return nil
	}, behind) != nil {
		return 0 // it can do without
	}
	return key
}

package sqlitequeue

import (
	"cmp"
	"database/sql/driver"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// What is delivered at once never gets into the tables: one row has all that a
// commit has delivered of the log, as it is kept for whoever asks.

// run is what one commit has delivered, or a part of it. Memory has no more of it than when it was,
// and which ids it may have.
type run struct {
	n, at     int64
	low, high int64 // seqs
	count     int
}

// deliver adds a message of the log to the history.
func (t *tx) deliver(it *item, after row, last []byte) {
	t.count(it.lane, &it.row, -1)
	t.count(it.lane, &after, 1)
	if n := len(t.delivered); n == 0 || t.delivered[n-1].count == runLength {
		t.delivered = append(t.delivered, history{})
	}
	t.delivered[len(t.delivered)-1].add(&record{row: after, last: last})
	t.after = append(t.after, func() {
		t.s.unlog(it)
		t.s.dropItem(it)
	})
}

// runLength is how many messages a run has at most: to look one up is to read all.
const runLength = 64

// history is a run with its records.
type history struct {
	run
	records []byte
}

func (h *history) add(r *record) {
	h.include(r.seq)
	h.records = appendRecord(h.records, r)
}

func (r *run) include(seq int64) {
	if r.count == 0 {
		r.low, r.high = seq, seq
	}
	r.low, r.high = min(r.low, seq), max(r.high, seq)
	r.count++
}

// writeDelivered writes what the transaction has delivered into the history.
func (t *tx) writeDelivered() error {
	for i := range t.delivered {
		h := &t.delivered[i]
		if _, err := t.c.exec("INSERT INTO delivered (at, records) VALUES (?, ?)", t.now.wall, h.records); err != nil {
			return err
		}
		n, err := t.c.number("SELECT last_insert_rowid()")
		if err != nil {
			return err
		}
		h.n, h.at = n, t.now.wall
		t.after = append(t.after, func() { t.s.runs = append(t.s.runs, h.run) })
	}
	return nil
}

func (s *Store) restoreRuns() error {
	return s.writer.query("SELECT n, at, records FROM delivered ORDER BY n", func(v []driver.Value) error {
		r := run{n: integer(v[0]), at: integer(v[1])}
		err := readRecords(blob(v[2]), func(one *record) error {
			r.include(one.seq)
			return nil
		})
		s.runs = append(s.runs, r)
		return err
	})
}

// records reads a run. It has none when it is gone.
func (c *conn) records(n int64) (all []record, err error) {
	err = c.query("SELECT records FROM delivered WHERE n = ?", func(v []driver.Value) error {
		return readRecords(blob(v[0]), func(r *record) error {
			r.status = delivered
			all = append(all, *r)
			return nil
		})
	}, n)
	return all, err
}

// allRuns returns the runs there are now. The slice is not changed any more.
func (s *Store) allRuns() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[:len(s.runs):len(s.runs)]
}

// deliveredRecord looks for a message in the history, the latest first.
func (s *Store) deliveredRecord(c *conn, seq int64) (record, bool, error) {
	for _, r := range slices.Backward(s.allRuns()) {
		if seq < r.low || seq > r.high {
			continue
		}
		all, err := c.records(r.n)
		if err != nil {
			return record{}, false, err
		}
		for i := range all {
			if all[i].seq == seq {
				return all[i], true, nil
			}
		}
	}
	return record{}, false, nil
}

// purgeRun removes messages from the first run of the history.
func (t *tx) purgeRun(r run, most int) (removed int, err error) {
	all, err := t.c.records(r.n)
	if err != nil {
		return 0, err
	}
	removed = min(len(all), most)
	for i := range all[:removed] {
		l := t.s.laneByID(all[i].lane)
		t.count(l, &all[i].row, -1)
		if err := t.removeEmpty(l); err != nil {
			return 0, err
		}
	}
	rest := all[removed:]
	if len(rest) == 0 {
		t.after = append(t.after, func() { t.s.runs = t.s.runs[1:] })
		_, err = t.c.exec("DELETE FROM delivered WHERE n = ?", r.n)
		return removed, err
	}
	left := history{run: run{n: r.n, at: r.at}}
	for i := range rest {
		left.add(&rest[i])
	}
	t.after = append(t.after, func() { t.s.runs = append([]run{left.run}, t.s.runs[1:]...) })
	_, err = t.c.exec("UPDATE delivered SET records = ? WHERE n = ?", left.records, r.n)
	return removed, err
}

// historyOf reads the history, of some lanes, or nil, of all.
func (s *Store) historyOf(q *queue.Query, lanes []*lane) source {
	runs := slices.Clone(s.allRuns())
	slices.SortFunc(runs, func(a, b run) int {
		if q.Descending {
			return cmp.Compare(b.high, a.high)
		}
		return cmp.Compare(a.low, b.low)
	})
	return func(c *conn, after int64) ([]row, error) { return readHistory(c, runs, lanes, after, q.Descending) }
}

// readHistory returns the next rows of runs that are sorted by where they begin.
func readHistory(c *conn, runs []run, lanes []*lane, after int64, descending bool) ([]row, error) {
	var rows []row
	behind := func(a, b int64) bool { return a != b && (a > b) != descending }
	cut := func() {
		slices.SortFunc(rows, func(a, b row) int {
			if behind(b.seq, a.seq) {
				return -1
			}
			return 1
		})
		rows = rows[:min(len(rows), scanStep)]
	}
	for _, r := range runs {
		begins, ends := r.low, r.high
		if descending {
			begins, ends = ends, begins
		}
		if !behind(ends, after) {
			continue
		}
		if len(rows) >= scanStep {
			if cut(); behind(begins, rows[scanStep-1].seq) {
				return rows, nil
			}
		}
		all, err := c.records(r.n)
		if err != nil {
			return nil, err
		}
		for i := range all {
			one := &all[i]
			if behind(one.seq, after) && (lanes == nil || slices.ContainsFunc(lanes, func(l *lane) bool { return l.id == one.lane })) {
				rows = append(rows, one.row)
			}
		}
	}
	cut()
	return rows, nil
}

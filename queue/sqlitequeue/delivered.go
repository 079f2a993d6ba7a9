package sqlitequeue

import (
	"cmp"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// What is delivered at once never gets into the tables: one row has all that a
// commit has delivered of the log, as it is kept for whoever asks.

// run is a row of the history: messages in the order in which they were delivered.
// Memory has no more of it than when the first was, and which ids it may have.
type run struct {
	n, at     int64
	low, high int64 // seqs
	count     int
}

// deliver adds a message of the log to the history.
func (t *tx) deliver(it *item, after row, last []byte) error {
	if err := t.leave(&it.row); err != nil {
		return err
	}
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
	return nil
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
		if err := t.c.exec("INSERT INTO delivered (at, records) VALUES (?, ?)", t.now.wall, h.records); err != nil {
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
		err := readRecords(blob(v[2]), func(seq, _ int64) bool {
			if seq > 0 {
				r.include(seq)
			}
			return false
		}, nil)
		if err != nil { // it stays until the history is written anew there
			s.options.OnFault(fmt.Errorf("the history of what is delivered, row %d: %w", r.n, err))
		}
		if r.count > 0 {
			s.runs = append(s.runs, r)
		}
		return nil
	})
}

// records reads those of a run that are wanted, and not damaged. It has none when it
// is gone.
func (c *conn) records(n int64, wanted func(seq, lane int64) bool) (all []record, err error) {
	all, _, err = c.readRun(n, wanted)
	return all, err
}

// readRun is records, and says whether some are damaged.
func (c *conn) readRun(n int64, wanted func(seq, lane int64) bool) (all []record, damaged bool, err error) {
	err = c.query("SELECT records FROM delivered WHERE n = ?", func(v []driver.Value) error {
		return readRecords(blob(v[0]), wanted, func(r *record) error {
			if r.damage != nil {
				damaged = true
				return nil
			}
			r.status = delivered
			all = append(all, *r)
			return nil
		})
	}, n)
	if isDamaged(err) {
		damaged, err = true, nil
	}
	return all, damaged, err
}

// allRuns returns the runs there are now. The slice is not changed any more.
func (s *Store) allRuns() []run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clip(s.runs)
}

// deliveredRecord looks for a message in the history, the latest first.
func (s *Store) deliveredRecord(c *conn, seq int64) (record, bool, error) {
	s.merging.RLock()
	defer s.merging.RUnlock()
	for _, r := range slices.Backward(s.allRuns()) {
		if seq < r.low || seq > r.high {
			continue
		}
		all, err := c.records(r.n, func(at, _ int64) bool { return at == seq })
		if err != nil {
			return record{}, false, err
		}
		if len(all) > 0 {
			return all[0], true, nil
		}
	}
	return record{}, false, nil
}

// rewrite leaves the first run of the history with some records.
func (t *tx) rewrite(r run, rest []record) error {
	s := t.s
	if len(rest) == 0 {
		t.after = append(t.after, func() {
			s.runs = s.runs[1:]
			s.keep.merged = max(0, s.keep.merged-1)
		})
		err := t.c.exec("DELETE FROM delivered WHERE n = ?", r.n)
		return err
	}
	left := history{run: run{n: r.n, at: rest[0].updated}}
	for i := range rest {
		left.add(&rest[i])
	}
	t.after = append(t.after, func() { s.runs = append([]run{left.run}, s.runs[1:]...) })
	err := t.c.exec("UPDATE delivered SET at = ?, records = ? WHERE n = ?", left.at, left.records, r.n)
	return err
}

// mergesAtOnce is how many runs are made of shorter ones in one transaction.
const mergesAtOnce = 32

// mergeRuns makes one of neighbours that are short: a run begins as what one commit
// has delivered, which is little where little goes on.
func (t *tx) mergeRuns() error {
	s, k := t.s, &t.s.keep
	if !k.merges {
		return nil
	}
	runs := s.allRuns()
	merged := slices.Clone(runs[:k.merged])
	at := k.merged
	for made := 0; made < mergesAtOnce; {
		first, count := at, 0
		for at < len(runs) && count+runs[at].count <= runLength {
			count += runs[at].count
			at++
		}
		if at == len(runs) { // more may come to these
			at = first
			break
		}
		at = max(at, first+1)
		if at-first == 1 {
			merged = append(merged, runs[first])
			continue
		}
		one, err := t.merge(runs[first:at])
		if err != nil {
			return err
		}
		merged = append(merged, one)
		made++
	}
	if at == k.merged {
		return nil
	}
	t.after = append(t.after, func() {
		k.merged = len(merged)
		s.runs = append(merged, s.runs[at:]...)
	})
	return nil
}

// merge writes several runs into the first of them.
func (t *tx) merge(runs []run) (run, error) {
	into := history{run: run{n: runs[0].n, at: runs[0].at}}
	for _, r := range runs {
		all, err := t.c.records(r.n, nil)
		if err != nil {
			return run{}, err
		}
		for i := range all {
			into.add(&all[i])
		}
	}
	if err := t.c.exec("UPDATE delivered SET records = ? WHERE n = ?", into.records, into.n); err != nil {
		return run{}, err
	}
	err := t.c.exec("DELETE FROM delivered WHERE n > ? AND n <= ?", into.n, runs[len(runs)-1].n)
	return into.run, err
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
	var ids []int64
	for _, l := range lanes {
		ids = append(ids, l.id)
	}
	return func(c *conn, after int64, most int) ([]row, error) {
		return readHistory(c, runs, ids, after, most, q.Descending)
	}
}

// readHistory returns the next rows of runs that are sorted by where they begin.
func readHistory(c *conn, runs []run, ids []int64, after int64, most int, descending bool) ([]row, error) {
	var rows []row
	behind := func(a, b int64) bool { return a != b && (a > b) != descending }
	cut := func() {
		slices.SortFunc(rows, func(a, b row) int {
			if behind(b.seq, a.seq) {
				return -1
			}
			return 1
		})
		rows = rows[:min(len(rows), most)]
	}
	for _, r := range runs {
		begins, ends := r.low, r.high
		if descending {
			begins, ends = ends, begins
		}
		if !behind(ends, after) {
			continue
		}
		if len(rows) >= most {
			if cut(); behind(begins, rows[most-1].seq) {
				return rows, nil
			}
		}
		all, err := c.records(r.n, func(seq, lane int64) bool { return behind(seq, after) && (ids == nil || slices.Contains(ids, lane)) })
		if err != nil {
			return nil, err
		}
		for i := range all {
			rows = append(rows, all[i].row)
		}
	}
	cut()
	return rows, nil
}

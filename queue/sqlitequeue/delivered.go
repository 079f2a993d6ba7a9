package sqlitequeue

import (
	"cmp"
	"database/sql/driver"
	"encoding/binary"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// Most messages are delivered at once. To have them in an index would cost more
// than all else that is done for them, so there is one row for all that a commit
// delivers: which messages, of which lanes. It says what to remove first, and
// where to look for those that are listed.

// run is what one commit has delivered. Memory has no more of it than where it
// begins and ends.
type run struct {
	n, at     int64
	low, high int64 // seqs
}

// endedRow is a message of a run.
type endedRow struct {
	seq, lane int64
	logged    bool // it has attempts beyond the one in its row
}

// runBuffer gathers a run.
type runBuffer struct {
	rows      []byte
	last      int64
	low, high int64
}

func (b *runBuffer) add(seq, lane int64, logged bool) {
	if len(b.rows) == 0 {
		b.low, b.high = seq, seq
	}
	b.low, b.high = min(b.low, seq), max(b.high, seq)
	b.rows = binary.AppendVarint(b.rows, seq-b.last)
	b.last = seq
	kind := lane << 1
	if logged {
		kind |= 1
	}
	b.rows = binary.AppendVarint(b.rows, kind)
}

// readRun reads what a runBuffer has gathered.
func readRun(from []byte) (rows []endedRow, err error) {
	var last int64
	for len(from) > 0 {
		delta, n := binary.Varint(from)
		if n <= 0 {
			return nil, errDamaged
		}
		kind, m := binary.Varint(from[n:])
		if m <= 0 {
			return nil, errDamaged
		}
		from = from[n+m:]
		last += delta
		rows = append(rows, endedRow{seq: last, lane: kind >> 1, logged: kind&1 != 0})
	}
	return rows, nil
}

// writeDelivered writes the run of the transaction.
func (t *tx) writeDelivered() error {
	b := &t.delivered
	if len(b.rows) == 0 {
		return nil
	}
	if _, err := t.c.exec("INSERT INTO delivered (at, rows) VALUES (?, ?)", t.now.wall, b.rows); err != nil {
		return err
	}
	n, err := t.c.number("SELECT last_insert_rowid()")
	t.after = append(t.after, func() {
		t.s.runs = append(t.s.runs, run{n: n, at: t.now.wall, low: b.low, high: b.high})
	})
	return err
}

func (s *Store) restoreRuns() error {
	return s.writer.query("SELECT n, at, rows FROM delivered ORDER BY n", func(v []driver.Value) error {
		rows, err := readRun(blob(v[2]))
		if err != nil || len(rows) == 0 {
			return err
		}
		r := run{n: integer(v[0]), at: integer(v[1]), low: rows[0].seq, high: rows[0].seq}
		for _, row := range rows {
			r.low, r.high = min(r.low, row.seq), max(r.high, row.seq)
		}
		s.runs = append(s.runs, r)
		return nil
	})
}

// rowsOf reads a run; it has none when it is gone.
func (c *conn) rowsOf(n int64) (rows []endedRow, err error) {
	err = c.query("SELECT rows FROM delivered WHERE n = ?", func(v []driver.Value) error {
		rows, err = readRun(blob(v[0]))
		return err
	}, n)
	return rows, err
}

// purgeDelivered removes delivered records, those that ended first.
func (t *tx) purgeDelivered(r queue.Retention, limit int) (removed int, more bool, err error) {
	s := t.s
	s.mu.Lock()
	runs, count := s.runs, s.total.done[0]
	s.mu.Unlock()
	unwanted := func(at run) bool { return at.at < toWall(r.Before) || r.Keep > 0 && count > int64(r.Keep) }
	gone := 0
	for ; gone < len(runs) && unwanted(runs[gone]) && removed < limit; gone++ {
		rows, err := t.c.rowsOf(runs[gone].n)
		if err != nil {
			return removed, false, err
		}
		part := rows[:min(len(rows), limit-removed)]
		if runs[gone].at >= toWall(r.Before) {
			part = part[:min(int64(len(part)), count-int64(r.Keep))]
		}
		if err := t.removeDelivered(runs[gone].n, part, rows[len(part):]); err != nil {
			return removed, false, err
		}
		removed += len(part)
		count -= int64(len(part))
		if len(part) < len(rows) {
			break
		}
	}
	t.after = append(t.after, func() { s.runs = slices.Clone(s.runs[gone:]) })
	return removed, gone < len(runs) && unwanted(runs[gone]), nil
}

// removeDelivered removes a part of a run, and leaves the rest.
func (t *tx) removeDelivered(n int64, rows, rest []endedRow) error {
	var lanes []*lane
	seqs := make([]int64, len(rows))
	for i, row := range rows {
		seqs[i] = row.seq
		l := t.s.laneByID(row.lane)
		t.countDelivered(l, -1)
		if !slices.Contains(lanes, l) {
			lanes = append(lanes, l)
		}
		if row.logged {
			if _, err := t.c.exec("DELETE FROM attempt WHERE seq = ?", row.seq); err != nil {
				return err
			}
		}
	}
	for _, query := range []string{"DELETE FROM message WHERE seq BETWEEN ? AND ?", "DELETE FROM content WHERE seq BETWEEN ? AND ?"} {
		if err := t.inRanges(seqs, query); err != nil {
			return err
		}
	}
	if err := t.keepRest(n, rest); err != nil {
		return err
	}
	for _, l := range lanes {
		if err := t.removeEmpty(l); err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) keepRest(n int64, rest []endedRow) error {
	if len(rest) == 0 {
		_, err := t.c.exec("DELETE FROM delivered WHERE n = ?", n)
		return err
	}
	var b runBuffer
	for _, row := range rest {
		b.add(row.seq, row.lane, row.logged)
	}
	_, err := t.c.exec("UPDATE delivered SET rows = ? WHERE n = ?", b.rows, n)
	return err
}

// inRanges runs a query for rows, neighbours together.
func (t *tx) inRanges(seqs []int64, query string) error {
	slices.Sort(seqs)
	for i := 0; i < len(seqs); {
		first := i
		for i++; i < len(seqs) && seqs[i] == seqs[i-1]+1; i++ {
		}
		if _, err := t.c.exec(query, seqs[first], seqs[i-1]); err != nil {
			return err
		}
	}
	return nil
}

// deliveredOnes reads delivered rows, of some lanes, or nil, of all.
func (s *Store) deliveredOnes(q *queue.Query, lanes []*lane) source {
	s.mu.Lock()
	runs := slices.Clone(s.runs)
	s.mu.Unlock()
	slices.SortFunc(runs, func(a, b run) int {
		if q.Descending {
			return cmp.Compare(b.high, a.high)
		}
		return cmp.Compare(a.low, b.low)
	})
	return func(c *conn, after int64) ([]row, error) {
		seqs, err := deliveredSeqs(c, runs, lanes, after, q.Descending)
		if err != nil {
			return nil, err
		}
		rows := make([]row, 0, len(seqs))
		for _, seq := range seqs {
			r, found, err := c.row(seq)
			if err != nil {
				return nil, err
			}
			if found {
				rows = append(rows, r)
			}
		}
		return rows, nil
	}
}

// deliveredSeqs returns the next seqs of runs that are sorted by where they begin.
func deliveredSeqs(c *conn, runs []run, lanes []*lane, after int64, descending bool) ([]int64, error) {
	var seqs []int64
	behind := func(a, b int64) bool { return a != b && (a > b) != descending }
	sorted := func() {
		slices.Sort(seqs)
		if descending {
			slices.Reverse(seqs)
		}
		seqs = seqs[:min(len(seqs), scanStep)]
	}
	for _, r := range runs {
		begins, ends := r.low, r.high
		if descending {
			begins, ends = ends, begins
		}
		if !behind(ends, after) {
			continue
		}
		if len(seqs) >= scanStep {
			if sorted(); behind(begins, seqs[scanStep-1]) {
				return seqs, nil
			}
		}
		rows, err := c.rowsOf(r.n)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if behind(row.seq, after) && (lanes == nil || slices.ContainsFunc(lanes, func(l *lane) bool { return l.id == row.lane })) {
				seqs = append(seqs, row.seq)
			}
		}
	}
	sorted()
	return seqs, nil
}

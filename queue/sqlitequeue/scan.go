package sqlitequeue

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

const (
	leastStep = 32 // rows read from a source at once, or as many as a page has
	laneScans = 16 // lanes that are scanned one by one; more are scanned together
)

// scan visits the rows that a query may select, in its order, until visit returns
// false. It chooses the indexes that leave the least to look at.
func (s *Store) scan(ctx context.Context, c *conn, q *queue.Query, visit func(row) (bool, error)) error {
	step := max(leastStep, q.PageLimit()+1)
	sources := s.sources(q)
	after := int64(-1)
	if q.Descending {
		after = math.MaxInt64
	}
	if !q.After.IsZero() {
		after = seqOf(q.After)
	}
	for {
		page, ends, more, err := readPage(ctx, c, sources, after, step, q.Descending)
		if err != nil {
			return err
		}
		for i := range page {
			if i > 0 && page[i].seq == page[i-1].seq {
				continue // it moved from one source to another meanwhile
			}
			if again, err := visit(page[i]); err != nil || !again {
				return err
			}
		}
		if !more {
			return nil
		}
		after = ends
	}
}

// readPage reads some rows from each source, and returns those up to where all have
// been read, in order.
func readPage(ctx context.Context, c *conn, sources []source, after int64, step int, descending bool) (page []row, ends int64, more bool, err error) {
	order := func(a, b int64) int {
		if descending {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	}
	for _, source := range sources {
		rows, err := source(c, after, step)
		if err := firstOf(err, ctx.Err()); err != nil {
			return nil, 0, false, err
		}
		page = append(page, rows...)
		if len(rows) < step {
			continue
		}
		if last := rows[step-1].seq; !more || order(last, ends) < 0 {
			ends = last
		}
		more = true
	}
	slices.SortStableFunc(page, func(a, b row) int { return order(a.seq, b.seq) })
	if more {
		page = slices.DeleteFunc(page, func(r row) bool { return order(r.seq, ends) > 0 })
	}
	return page, ends, more, nil
}

// source returns the next rows behind a seq, in the order of the query.
type source func(c *conn, after int64, most int) ([]row, error)

// sources are the places in which the query has to look.
func (s *Store) sources(q *queue.Query) []source {
	live, done := wants(q)
	var all []source
	lanes, some := s.lanesOf(q)
	if live {
		all = append(all, s.freshOnes(q))
	}
	if slices.Contains(done, delivered) && (!some || lanes != nil) {
		all = append(all, s.historyOf(q, lanes))
	}
	if some {
		for _, l := range lanes {
			if live {
				all = append(all, indexed(q, "INDEXED BY listed WHERE lane = ? AND (status > 3) = 0", l.id))
			}
			if len(done) > 0 {
				all = append(all, indexed(q, "INDEXED BY listed WHERE lane = ? AND (status > 3) = 1", l.id))
			}
		}
		return all
	}
	if live && len(done) == 4 {
		return append(all, indexed(q, "WHERE true"))
	}
	if live {
		all = append(all, indexed(q, "INDEXED BY live WHERE status < 4"))
	}
	for _, end := range done {
		all = append(all, indexed(q, "INDEXED BY result WHERE status = ? AND status > 3", int64(end)))
	}
	return all
}

// wants says whether the query may select what is not done, and which of what is.
func wants(q *queue.Query) (live bool, done []status) {
	live = len(q.Results) == 0 || slices.Contains(q.Results, "")
	for end := delivered; end <= expired; end++ {
		if len(q.Results) == 0 || slices.Contains(q.Results, end.result()) {
			done = append(done, end)
		}
	}
	if len(q.States) > 0 {
		if !slices.Contains(q.States, queue.StateDone) {
			done = nil
		}
		if !slices.ContainsFunc(q.States, func(state queue.State) bool { return state != queue.StateDone }) {
			live = false
		}
	}
	return live, done
}

// lanesOf are the lanes a query is about; false: all, or too many of them.
func (s *Store) lanesOf(q *queue.Query) ([]*lane, bool) {
	if q.Profile == "" && q.Destination == "" {
		return nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.Profile != "" && q.Destination != "" {
		if l := s.lanes[queue.Lane{Profile: q.Profile, Destination: q.Destination}]; l != nil {
			return []*lane{l}, true
		}
		return nil, true
	}
	var lanes []*lane
	for _, l := range s.byName() {
		if (q.Profile == "" || q.Profile == l.key.Profile) && (q.Destination == "" || q.Destination == l.key.Destination) {
			if lanes = append(lanes, l); len(lanes) > laneScans {
				return nil, false
			}
		}
	}
	return lanes, true
}

// indexed reads rows by an index.
func indexed(q *queue.Query, where string, args ...any) source {
	order := " AND seq > ? ORDER BY seq LIMIT ?"
	if q.Descending {
		order = " AND seq < ? ORDER BY seq DESC LIMIT ?"
	}
	return func(c *conn, after int64, most int) ([]row, error) {
		rows := make([]row, 0, most)
		err := c.rows(where+order, func(r row) error {
			rows = append(rows, r)
			return nil
		}, append(slices.Clone(args), after, most)...)
		return rows, err
	}
}

// freshOnes reads the rows of the log, which memory has.
func (s *Store) freshOnes(q *queue.Query) source {
	s.mu.Lock()
	defer s.mu.Unlock()
	rows := make([]row, 0, len(s.fresh))
	for _, it := range s.fresh {
		if (q.Profile == "" || q.Profile == it.lane.key.Profile) && (q.Destination == "" || q.Destination == it.lane.key.Destination) {
			rows = append(rows, it.row)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		if q.Descending {
			return cmp.Compare(b.seq, a.seq)
		}
		return cmp.Compare(a.seq, b.seq)
	})
	return func(_ *conn, after int64, most int) ([]row, error) {
		for len(rows) > 0 && (rows[0].seq == after || (rows[0].seq < after) != q.Descending) {
			rows = rows[1:]
		}
		return rows[:min(len(rows), most)], nil
	}
}

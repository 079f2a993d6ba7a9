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
	sparse    = 16 // of so many rows at least one is of the lanes in question, or they are read one by one
)

// reading runs a function on a connection.
type reading func(func(*conn) error) error

// on always takes the same connection.
func on(c *conn) reading { return func(do func(*conn) error) error { return do(c) } }

// scan visits the rows that a query may select, in its order, until visit returns
// false. It chooses the indexes that leave the least to look at. Between two pages
// others can have the connection.
func (s *Store) scan(ctx context.Context, read reading, q *queue.Query, visit func(row) (bool, error)) error {
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
		var page []row
		var ends int64
		var more bool
		if err := read(func(c *conn) (err error) {
			page, ends, more, err = readPage(ctx, c, sources, after, step, q.Descending)
			return err
		}); err != nil {
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

// sources are the places in which the query has to look. What moves meanwhile, moves
// from one of them to a later one.
func (s *Store) sources(q *queue.Query) []source {
	w := wants(q)
	var all []source
	lanes, some := s.lanesOf(q)
	if w.fresh || w.leased {
		all = append(all, s.memoryRows(q, func(it *item) bool {
			return w.fresh && it.status == fresh || w.leased && !it.unleased()
		}))
	}
	if slices.Contains(w.classes, class(delivered)) && (!some || lanes != nil) {
		all = append(all, s.historyOf(q, lanes))
	}
	if some {
		for _, l := range lanes {
			for _, class := range w.classes {
				all = append(all, indexed(q, "INDEXED BY listed WHERE lane = ? AND "+classText+" = ?", l.id, int64(class)))
			}
		}
		return all
	}
	return append(all, inTablesOf(q, &w)...)
}

// inTablesOf are the places of the tables in which to look, whatever the lane.
func inTablesOf(q *queue.Query, w *wanted) (all []source) {
	if w.everything() {
		return []source{indexed(q, "WHERE true")}
	}
	for _, class := range w.classes {
		if class > classRetry {
			all = append(all, indexed(q, "INDEXED BY result WHERE status = ? AND status > 3", int64(class)))
		} else {
			all = append(all, indexed(q, "INDEXED BY live WHERE "+classText+" = ? AND status < 4", int64(class)))
		}
	}
	return all
}

// lanesOf are the lanes a query is about; false: all, or so large a part of all that
// is there that the lanes are not worth being looked at one by one.
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
	var theirs int64
	for _, l := range s.byName() {
		if (q.Profile == "" || q.Profile == l.key.Profile) && (q.Destination == "" || q.Destination == l.key.Destination) {
			lanes = append(lanes, l)
			theirs += l.tally.records()
		}
	}
	return lanes, len(lanes) <= sparse || theirs*sparse < s.total.records()
}

// indexed reads rows by an index.
func indexed(q *queue.Query, where string, args ...any) source {
	order := " AND seq > ? ORDER BY seq LIMIT ?"
	if q.Descending {
		order = " AND seq < ? ORDER BY seq DESC LIMIT ?"
	}
	return func(c *conn, after int64, most int) ([]row, error) {
		var rows []row
		err := c.rows(where+order, func(r row) error {
			rows = append(rows, r)
			return nil
		}, append(slices.Clone(args), after, most)...)
		return rows, err
	}
}

// memoryRows reads rows that memory has, as they are then.
func (s *Store) memoryRows(q *queue.Query, which func(*item) bool) source {
	var items []*item
	s.mu.Lock()
	for _, it := range s.items {
		if (q.Profile == "" || q.Profile == it.lane.key.Profile) && (q.Destination == "" || q.Destination == it.lane.key.Destination) && which(it) {
			items = append(items, it)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(items, func(a, b *item) int {
		if q.Descending {
			return cmp.Compare(b.seq, a.seq)
		}
		return cmp.Compare(a.seq, b.seq)
	})
	return func(_ *conn, after int64, most int) (rows []row, _ error) {
		for len(items) > 0 && (items[0].seq == after || (items[0].seq < after) != q.Descending) {
			items = items[1:]
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, it := range items[:min(len(items), most)] {
			rows = append(rows, it.row)
		}
		return rows, nil
	}
}

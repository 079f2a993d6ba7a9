package sqlitequeue

import (
	"bytes"
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Get implements queue.Store.
func (s *Store) Get(ctx context.Context, ids []transport.ID, withPayload bool) ([]queue.Record, error) {
	now, err := s.use(ctx)
	if err != nil {
		return nil, err
	}
	defer s.users.Done()
	records := make([]queue.Record, 0, len(ids))
	err = s.read(func(c *conn) error {
		for _, id := range ids {
			record, found, err := s.get(c, id, withPayload, now)
			if err != nil {
				return err
			}
			if found {
				records = append(records, record)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("get: %w", err)
	}
	return records, nil
}

// get reads one record. Its content may go while that is read: then it is delivered by
// now, or purged, and read again.
func (s *Store) get(c *conn, id transport.ID, withPayload bool, now instant) (queue.Record, bool, error) {
	for was := fresh; ; {
		r, found, err := s.lookUp(c, seqOf(id))
		if err != nil || !found || r.prefix != prefixOf(id) {
			return queue.Record{}, false, err
		}
		record, err := s.record(&r, now)
		if err != nil || !withPayload || r.status == delivered {
			return record, err == nil, err
		}
		err = s.addContent(c, &record.Message, r.head)
		if err == nil || !isDamaged(err) || r.status == was && was != fresh {
			return record, err == nil, err
		}
		was = r.status
	}
}

// addContent reads what only an attempt needs, from memory or the database.
func (s *Store) addContent(c *conn, m *queue.Message, head []byte) error {
	s.mu.Lock()
	if it := s.fresh[seqOf(m.ID)]; it != nil {
		defer s.mu.Unlock()
		m.URI, m.Targets = it.message.URI, slices.Clone(it.message.Targets)
		m.Payload, m.Metadata = bytes.Clone(it.message.Payload), it.message.Metadata.Clone()
		return nil
	}
	s.mu.Unlock()
	return c.addContent(m, head)
}

// record returns the record of a row, as it is in memory now.
func (s *Store) record(r *row, now instant) (queue.Record, error) {
	l := s.laneByID(r.lane)
	if l == nil {
		return queue.Record{}, fmt.Errorf("message %s: %w: its lane %d is not there", r.id(), errDamaged, r.lane)
	}
	record := r.record(l.key, now)
	if r.status.done() {
		return record, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if it := s.items[r.seq]; it != nil {
		it.overlay(&record)
	}
	return record, nil
}

// Attempts implements queue.Store. It keeps the first 10 and the latest 40.
func (s *Store) Attempts(ctx context.Context, id transport.ID) ([]queue.Attempt, error) {
	if _, err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.users.Done()
	log, found, err := s.attempts(id)
	if err != nil {
		return nil, fmt.Errorf("attempts: %w", err)
	}
	if !found {
		return nil, fmt.Errorf("%w: %s", queue.ErrNotFound, id)
	}
	return log, nil
}

// attempts reads the log of a message in the tables, in two queries; found says
// whether there is one.
func (c *conn) attempts(id transport.ID) (log []queue.Attempt, found bool, err error) {
	add := func(n, entry driver.Value) error {
		log, err = addAttempt(log, integer(n), blob(entry))
		return err
	}
	if err := c.query("SELECT n, entry FROM attempt WHERE seq = ? ORDER BY n", func(v []driver.Value) error {
		return add(v[0], v[1])
	}, seqOf(id)); err != nil {
		return log, false, err
	}
	err = c.query("SELECT prefix, logged, last FROM message WHERE seq = ?", func(v []driver.Value) error {
		if found = integer(v[0]) == prefixOf(id); found && integer(v[1]) > 0 {
			return add(v[1], v[2])
		}
		return nil
	}, seqOf(id))
	return log, found, err
}

func addAttempt(log []queue.Attempt, n int64, entry []byte) ([]queue.Attempt, error) {
	a := queue.Attempt{N: int(n)}
	err := readAttempt(entry, &a)
	return append(log, a), err
}

// attempts reads the attempts at a message wherever it is, in the order of lookUp.
// There are none at one in the log of what was accepted.
func (s *Store) attempts(id transport.ID) (log []queue.Attempt, found bool, err error) {
	if r, found := s.logRow(seqOf(id)); found {
		return nil, r.prefix == prefixOf(id), nil
	}
	err = s.read(func(c *conn) error {
		err := c.atOnce(func() (err error) {
			log, found, err = c.attempts(id)
			return err
		})
		if err != nil || found {
			return err
		}
		r, known, err := s.deliveredRecord(c, seqOf(id))
		if err != nil || !known || r.prefix != prefixOf(id) {
			return err
		}
		if found = true; r.logged > 0 {
			log, err = addAttempt(nil, r.logged, r.last)
		}
		return err
	})
	return log, found, err
}

// atOnce runs several queries that see the database at one moment.
func (c *conn) atOnce(do func() error) error {
	if err := c.exec("BEGIN"); err != nil {
		return err
	}
	err := do()
	if end := c.exec("COMMIT"); err == nil {
		err = end
	}
	return err
}

// List implements queue.Store.
func (s *Store) List(ctx context.Context, q queue.Query) (queue.Page, error) {
	now, err := s.use(ctx)
	if err != nil {
		return queue.Page{}, err
	}
	defer s.users.Done()
	if len(q.IDs) == 0 {
		s.merging.RLock()
		defer s.merging.RUnlock()
	}
	rows, next, err := s.selectRows(ctx, s.read, &q, selection{}, now)
	if err != nil {
		return queue.Page{}, fmt.Errorf("list: %w", err)
	}
	page := queue.Page{Next: next}
	for i := range rows {
		record, err := s.record(&rows[i], now)
		if err != nil {
			return queue.Page{}, fmt.Errorf("list: %w", err)
		}
		page.Records = append(page.Records, record)
	}
	return page, nil
}

// selection narrows what selectRows returns.
type selection struct {
	which func(*row) bool // nil: all
	looks int             // rows that are looked at, at most; 0: as many as it takes
}

// selectRows returns a page of the rows that a query and a selection select, and
// the id behind which there may be more; zero: there are no more.
func (s *Store) selectRows(ctx context.Context, read reading, q *queue.Query, of selection, now instant) (rows []row, next transport.ID, err error) {
	limit, looked := q.PageLimit(), 0
	var last transport.ID // that was looked at
	visit := func(r row) (bool, error) {
		if of.looks > 0 && looked == of.looks {
			next = last
			return false, nil
		}
		last = r.id()
		looked++
		if of.which != nil && !of.which(&r) {
			return true, nil
		}
		matches, err := s.matches(q, &r, now)
		if err != nil || !matches {
			return err == nil, err
		}
		if len(rows) == limit {
			next = rows[limit-1].id()
			return false, nil
		}
		rows = append(rows, r)
		return true, nil
	}
	if len(q.IDs) > 0 {
		err = read(func(c *conn) error { return s.selectIDs(ctx, c, q, visit) })
	} else {
		err = s.scan(ctx, read, q, visit)
	}
	return rows, next, err
}

// matches looks at what the choice of an index leaves open.
func (s *Store) matches(q *queue.Query, r *row, now instant) (bool, error) {
	record, err := s.record(r, now)
	if err != nil {
		return false, err
	}
	switch {
	case q.Profile != "" && q.Profile != record.Lane.Profile,
		q.Destination != "" && q.Destination != record.Lane.Destination,
		q.Endpoint != "" && q.Endpoint != record.Endpoint,
		len(q.States) > 0 && !slices.Contains(q.States, record.State),
		len(q.Results) > 0 && !slices.Contains(q.Results, record.Result),
		!q.Since.IsZero() && record.UpdatedAt.Before(q.Since),
		!q.Until.IsZero() && !record.UpdatedAt.Before(q.Until):
		return false, nil
	}
	return true, nil
}

func (s *Store) selectIDs(ctx context.Context, c *conn, q *queue.Query, visit func(row) (bool, error)) error {
	ids := slices.Clone(q.IDs)
	slices.SortFunc(ids, compareIDs)
	ids = slices.Compact(ids)
	behind := 1
	if q.Descending {
		slices.Reverse(ids)
		behind = -1
	}
	for _, id := range ids {
		if !q.After.IsZero() && compareIDs(id, q.After) != behind {
			continue
		}
		r, found, err := s.lookUp(c, seqOf(id))
		if err := firstOf(err, ctx.Err()); err != nil {
			return err
		}
		if !found || r.id() != id {
			continue
		}
		if again, err := visit(r); err != nil || !again {
			return err
		}
	}
	return nil
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func compareIDs(a, b transport.ID) int { return bytes.Compare(a[:], b[:]) }

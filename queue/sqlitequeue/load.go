package sqlitequeue

import (
	"database/sql/driver"
	"fmt"
	"math"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// loadPage is how many messages are read from the database at once, where there is
// room for them in memory.
const loadPage = 128

// pageFor is how many messages of a level to read where some are wanted at once. It
// needs the store's lock.
func (s *Store) pageFor(l *lane, n, wanted int) int {
	each := itemBytes + l.tally.bytes/max(1, l.tally.pending+l.tally.retry)
	room := s.options.Window - l.levels[n].ready.count
	return max(1, min(loadPage, room, max(wanted, int((s.options.WindowBytes-s.bytes)/each))))
}

// load reads a page of the messages of a level that are due longest into memory,
// and learns when the next one is due. It is called with the store's lock, and gives it back
// meanwhile; when another load of the level is under way it waits for that one
// instead.
func (s *Store) load(l *lane, n, page int) error {
	level := &l.levels[n]
	if done := level.loading; done != nil {
		s.mu.Unlock()
		<-done
		s.mu.Lock()
		return nil
	}
	done := make(chan struct{})
	level.loading = done
	skip := level.residents
	level.spills, level.stale = nextRow{}, false
	since := s.changes
	now := s.clock.now()
	s.loads++
	s.mu.Unlock()

	var found []loaded
	var next nextRow
	err := s.read(func(c *conn) error {
		var err error
		found, next, err = s.readDue(c, l, n, skip, page, now)
		return err
	})

	s.mu.Lock()
	level.next = level.spills
	level.next.consider(next)
	for i := range found {
		s.admit(l, &found[i], since)
	}
	switch {
	case isCorrupt(err): // what is behind waits, and the others go on
		err = nil
	case err != nil:
		level.next.consider(nextRow{due: now.tick})
		level.stale = true
	}
	level.loading = nil
	close(done)
	s.loads--
	s.unbar()
	return err
}

// loaded is a message that was read, and what is wrong with it.
type loaded struct {
	row
	message queue.Message
	fault   error
}

// readDue reads a page of what is due, and when the first is due that is not in
// it. What has expired is Expire's. It leaves out rows that cannot be read.
func (s *Store) readDue(c *conn, l *lane, n, skip, page int, now instant) (found []loaded, next nextRow, err error) {
	due, seq := int64(-1), int64(0)
	for limit := skip + page + 1; ; {
		seqs, last, read, cut := s.strangers(c, l, n, due, seq, limit)
		if cut != nil && !isCorrupt(cut) {
			return found, next, cut
		}
		for _, at := range seqs {
			r, known, err := c.row(at.seq)
			switch {
			case isCorrupt(err):
				s.foundDamage(err)
				continue
			case err != nil:
				return found, next, err
			case !known || r.status != waiting || r.hasExpired(now):
				continue // changed meanwhile, or expired
			case at.due > now.tick || len(found) == page:
				return found, nextRow{at.due, r.expires}, nil
			}
			one, err := c.content(r, l.key)
			if err != nil {
				return found, next, err
			}
			s.foundDamage(one.fault)
			found = append(found, one)
		}
		if cut != nil || read < limit {
			return found, next, cut
		}
		due, seq = last.due, last.seq // memory may have all of them
	}
}

// content reads what belongs to a row. A message is not given up over one read: where
// the disk gave an error, SQLite says that the file is damaged, too.
func (c *conn) content(r row, key queue.Lane) (one loaded, err error) {
	one.row = r
	if one.message, err = r.message(key); err == nil {
		err = c.addContent(&one.message, r.head)
	}
	if isCorrupt(err) {
		err = c.addContent(&one.message, r.head)
	}
	if isCorrupt(err) {
		err = fmt.Errorf("message %s: %w: %w", r.id(), errUnreadable, err)
	}
	if isDamaged(err) || isCorrupt(err) {
		one.fault, err = err, nil
	}
	return one, err
}

// place of a row in the index wait.
type dueRow struct{ due, seq int64 }

// strangers reads a part of the index wait, behind a place, without the rows that
// memory has. It says which it has read last, and how many.
func (s *Store) strangers(c *conn, l *lane, n int, due, seq int64, limit int) (rows []dueRow, last dueRow, read int, err error) {
	err = c.query("SELECT due, seq FROM message INDEXED BY wait WHERE lane = ? AND level = ? AND status = 1 AND (due, seq) > (?, ?) "+
		"ORDER BY due, seq LIMIT ?", func(v []driver.Value) error {
		last = dueRow{integer(v[0]), integer(v[1])}
		rows = append(rows, last)
		return nil
	}, l.id, n, due, seq, limit)
	read = len(rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(rows, func(r dueRow) bool { return s.items[r.seq] != nil }), last, read, err
}

// admit brings a message into memory, unless it has changed since it was read.
func (s *Store) admit(l *lane, from *loaded, since uint64) {
	if s.items[from.seq] != nil {
		return
	}
	if s.barred[from.seq] > since { // the next load looks again
		level := &l.levels[from.level]
		level.next.consider(nextRow{from.due, from.expires})
		level.stale = true
		return
	}
	it := &item{row: from.row, message: from.message, lane: l}
	s.keepItem(it)
	l.levels[it.level].residents++
	switch {
	case from.fault != nil:
		it.fault = from.fault.Error()
		l.damaged++
		s.putOverdue(it)
		s.options.OnFault(from.fault)
	default:
		s.putReady(it)
	}
}

// itemBytes is what a message takes in memory beside its content, about.
const itemBytes = 1 << 10

// keepItem and dropItem keep count of what is in memory.
func (s *Store) keepItem(it *item) {
	s.items[it.seq] = it
	s.bytes += it.bytes + itemBytes
}

func (s *Store) dropItem(it *item) {
	delete(s.items, it.seq)
	s.bytes -= it.bytes + itemBytes
	s.bar(it.seq)
}

// bar keeps a load under way from a message that has changed since it began.
func (s *Store) bar(seq int64) {
	if s.loads > 0 || s.stirring {
		s.changes++
		s.barred[seq] = s.changes
	}
	if s.stirring {
		s.barred[seq] = math.MaxUint64
		s.stirred = append(s.stirred, seq)
	}
}

// settled ends a transaction: loads that begin from now on see what it did.
func (s *Store) settled() {
	s.changes++
	for _, seq := range s.stirred {
		s.barred[seq] = s.changes
	}
	s.stirred, s.stirring = s.stirred[:0], false
	s.unbar()
}

// unbar forgets what is barred once no load can have read it before.
func (s *Store) unbar() {
	if s.loads == 0 && !s.stirring {
		clear(s.barred)
	}
}

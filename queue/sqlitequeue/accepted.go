package sqlitequeue

import (
	"database/sql/driver"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Most messages are delivered soon after they were accepted. To have them in
// tables and indexes would cost more than all else that is done for them, so
// there is one row for all that a commit accepts: a log. Memory has these
// messages, too; the log is read after a crash alone.

// batch is what one commit has accepted.
type batch struct {
	n         int64
	low, high int64   // seqs
	seqs      []int64 // all of them
	left      int     // messages that are not elsewhere yet; the row goes with the last
	dropped   bool    // its row is gone already
}

// accept adds a message to the log.
func (t *tx) accept(it *item) {
	r := record{row: it.row, body: it.message.Payload}
	r.secret = appendSecret(t.scratch[:0], &it.message)
	r.sum = sumOf(it.message.ID, r.head, r.secret, r.body)
	r.updated = 0 // as created
	t.accepted = appendRecord(t.accepted, &r)
	t.scratch = r.secret
	t.fresh = append(t.fresh, it)
}

// writeAccepted writes what the transaction has accepted into the log.
func (t *tx) writeAccepted() error {
	if len(t.fresh) == 0 {
		return nil
	}
	if err := t.c.exec("INSERT INTO accepted (records) VALUES (?)", t.accepted); err != nil {
		return err
	}
	n, err := t.c.number("SELECT last_insert_rowid()")
	if err != nil {
		return err
	}
	b := &batch{n: n, seqs: make([]int64, 0, len(t.fresh)), left: len(t.fresh)}
	for _, it := range t.fresh {
		b.seqs = append(b.seqs, it.seq)
	}
	b.low, b.high = slices.Min(b.seqs), slices.Max(b.seqs)
	s := t.s
	t.after = append(t.after, func() {
		s.keep.batches[b] = struct{}{}
		for _, it := range t.fresh {
			it.batch = b
			s.fresh[it.seq] = it
			s.keepItem(it)
			s.putReady(it)
		}
	})
	return nil
}

// unlog counts a message of the log that is elsewhere now. It needs the store's
// lock.
func (s *Store) unlog(it *item) {
	delete(s.fresh, it.seq)
	it.batch.left--
	if b := it.batch; b.left == 0 {
		if delete(s.keep.batches, b); !b.dropped {
			s.keep.spent = append(s.keep.spent, b.n)
		}
	}
	it.batch = nil
}

// dropSpent drops the rows of the log whose messages are all elsewhere.
func (t *tx) dropSpent() error {
	k := &t.s.keep
	if len(k.spent) == 0 {
		return nil
	}
	spent := k.spent
	t.after = append(t.after, func() { k.spent = k.spent[len(spent):] })
	return t.inRanges(slices.Clone(spent), "DELETE FROM accepted WHERE n BETWEEN ? AND ?")
}

// dropLogOf drops the rows of the log that may have a message which is about to be
// forgotten: a restart would take it for accepted. What else is in those rows goes
// into the tables.
func (t *tx) dropLogOf(seq int64) error {
	for b := range t.s.keep.batches {
		if seq < b.low || seq > b.high || slices.Contains(t.dropped, b) {
			continue
		}
		t.dropped = append(t.dropped, b)
		t.after = append(t.after, func() { b.dropped = true })
		for _, it := range t.s.freshOf(b) {
			if err := t.settleDown(it); err != nil {
				return err
			}
		}
		if err := t.c.exec("DELETE FROM accepted WHERE n = ?", b.n); err != nil {
			return err
		}
	}
	return nil
}

// freshOf are the messages of a row of the log that are nowhere else.
func (s *Store) freshOf(b *batch) (items []*item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, seq := range b.seqs {
		if it := s.fresh[seq]; it != nil && it.batch == b {
			items = append(items, it)
		}
	}
	return items
}

// logRow returns the row of a message that is in the log.
func (s *Store) logRow(seq int64) (r row, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it := s.fresh[seq]
	if it == nil {
		return row{}, false
	}
	return it.row, true
}

// settleDown writes a message of the log into the tables, where it waits.
func (t *tx) settleDown(it *item) error {
	s := t.s
	become := func(is status) { // look-ups read it meanwhile
		s.mu.Lock()
		defer s.mu.Unlock()
		it.status = is
	}
	become(waiting)
	if err := t.insert([]*item{it}); err != nil {
		become(fresh)
		return err
	}
	t.undo = append(t.undo, func() { it.status = fresh })
	t.after = append(t.after, func() {
		s.unlog(it)
		level := &it.lane.levels[it.level]
		level.waiting++
		level.residents++
	})
	return nil
}

// restoreStep is how many bytes of the log go into the tables in one transaction: it
// takes as much room, before that of the log is free.
const restoreStep = 1 << 20

// restoreAccepted writes the messages of the log that have not been delivered into
// the tables: memory has lost them.
func (s *Store) restoreAccepted() error {
	var parts [][]int64
	size := int64(restoreStep)
	if err := s.writer.query("SELECT n, length(records) FROM accepted ORDER BY n", func(v []driver.Value) error {
		if size >= restoreStep {
			parts, size = append(parts, nil), 0
		}
		size += integer(v[1])
		last := len(parts) - 1
		parts[last] = append(parts[last], integer(v[0]))
		return nil
	}); err != nil {
		return err
	}
	for _, part := range parts {
		s.keepRoom(2 * restoreStep)
		if err := s.transactInRoom(func(t *tx) error {
			for _, n := range part {
				if err := t.restoreBatch(n); err != nil {
					return err
				}
			}
			if t.torn { // who had the turn of a key may be lost
				_, err := t.c.giveTurns(t.now.tick)
				return err
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// restoreBatch writes a row of the log into the tables. What cannot be read of it
// is put aside for whoever wants to look.
func (t *tx) restoreBatch(n int64) error {
	var records []byte
	if err := t.c.query("SELECT records FROM accepted WHERE n = ?", func(v []driver.Value) error {
		records = blob(v[0])
		return nil
	}, n); err != nil {
		return err
	}
	err := readRecords(records, nil, t.restoreRecord)
	if isDamaged(err) {
		path := filepath.Join(t.s.dir, fmt.Sprintf("damaged-log-%d", n))
		t.s.options.OnFault(fmt.Errorf("the log of accepted messages, row %d: %w; it has been put into %s", n, err, path))
		t.torn = true
		err = os.WriteFile(path, records, 0o600)
	}
	if err != nil {
		return err
	}
	return t.c.exec("DELETE FROM accepted WHERE n = ?", n)
}

// restoreRecord writes a message of the log into the tables, unless it is
// elsewhere.
func (t *tx) restoreRecord(r *record) error {
	if _, known, err := t.c.row(r.seq); err != nil || known {
		return err
	}
	if _, done, err := t.s.deliveredRecord(t.c, r.seq); err != nil || done {
		return err
	}
	r.status, r.due = waiting, min(r.created, t.now.tick) // the wall clock may have been set back
	if err := t.c.exec(insertOne.message, r.values()...); err != nil {
		return err
	}
	err := t.c.exec(insertOne.content, r.seq, r.sum, r.secret, r.body)
	return err
}

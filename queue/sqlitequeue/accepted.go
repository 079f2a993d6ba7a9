package sqlitequeue

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/internal/privatefile"
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
	return inRanges(slices.Clone(spent), func(first, last int64) error {
		return t.c.exec("DELETE FROM accepted WHERE n BETWEEN ? AND ?", first, last)
	})
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

// readAccepted reads a row of the log. Of a record that is not what was written each
// gets what says which message it is, where that can be read.
func readAccepted(records []byte, each func(r *record) error) error {
	if len(records) == 0 { // no commit writes that
		return each(&record{damage: []byte{}})
	}
	err := readRecords(records, nil, func(r *record) error {
		if r.damage == nil && r.sum != sumOf(r.id(), r.head, r.secret, r.body) {
			r.damage = appendRecord([]byte{}, r)
		}
		if r.damage != nil {
			r.keepName(len(records))
		}
		return each(r)
	})
	if isDamaged(err) { // each knows
		return nil
	}
	return err
}

// keepName leaves of a damaged record what is needed to list it, and to end it.
func (r *record) keepName(most int) {
	kept := record{row: row{
		seq: r.seq, prefix: r.prefix, lane: r.lane, level: knownLevel(r.level), created: r.created, bytes: r.bytes, turn: r.turn, head: r.head,
	}, secret: []byte{}, damage: r.damage}
	if now := nowWall(); kept.created <= 0 || kept.created > now {
		kept.created = now
	}
	if kept.bytes < 0 || kept.bytes > int64(most) {
		kept.bytes = 0
	}
	kept.setDefaults()
	*r = kept
}

// isNamed reports whether a damaged record says which message it is: no later one
// than there can be.
func (r *record) isNamed(latest int64) bool {
	id := r.id()
	return r.lane > 0 && r.seq > 0 && r.seq <= latest+2*idMargin && id[6]>>4 == 7 // a UUID's version
}

// latestSeq is the seq of about the latest id that was made.
func (c *conn) latestSeq() (int64, error) {
	return c.number("SELECT value FROM setting WHERE name = 'latest'")
}

// restoreStep is how many bytes of the log go into the tables in one transaction: it
// takes as much room, before that of the log is free.
const restoreStep = 1 << 20

// restoreAccepted writes the messages of the log that have not been delivered into
// the tables: memory has lost them.
func (s *Store) restoreAccepted() error {
	var parts [][]int64
	size := int64(restoreStep)
	if err := s.writer.query("SELECT n, coalesce(length(records), 0) FROM accepted ORDER BY n", func(v []driver.Value) error {
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
	var damaged []damagedRecord
	for _, part := range parts {
		s.keepRoom(2 * restoreStep)
		var some []damagedRecord
		if err := s.transactInRoom(func(t *tx) (err error) {
			some, err = t.restoreBatches(part)
			return err
		}); err != nil {
			return err
		}
		damaged = append(damaged, some...)
	}
	if len(damaged) == 0 {
		return nil
	}
	aside, err := s.putAside(damaged)
	if err != nil {
		return err
	}
	var lost int64
	if err := s.transactInRoom(func(t *tx) (err error) {
		lost, err = t.restoreDamaged(damaged)
		return err
	}); err != nil {
		return err
	}
	fault := fmt.Errorf("the log of accepted messages: %w (%d of its records, see %s); %d messages are lost", errDamaged, len(damaged), strings.Join(aside, ", "), lost)
	s.options.OnFault(fault)
	return nil
}

// damagedRecord is one of a row of the log.
type damagedRecord struct {
	record
	batch int64
}

// restoreBatches writes rows of the log into the tables, but for what is damaged.
func (t *tx) restoreBatches(ns []int64) (damaged []damagedRecord, err error) {
	for _, n := range ns {
		some, err := t.restoreBatch(n)
		if err != nil {
			return nil, err
		}
		damaged = append(damaged, some...)
	}
	return damaged, nil
}

// restoreBatch writes a row of the log into the tables. One in which something is
// damaged stays until restoreDamaged.
func (t *tx) restoreBatch(n int64) (damaged []damagedRecord, err error) {
	var records []byte
	if err := t.c.query("SELECT records FROM accepted WHERE n = ?", func(v []driver.Value) error {
		records = blob(v[0])
		return nil
	}, n); err != nil {
		return nil, err
	}
	if err := readAccepted(records, func(r *record) error {
		if r.damage == nil && t.s.byID[r.lane] == nil {
			r.damage = appendRecord([]byte{}, r)
		}
		if r.damage == nil {
			return t.restoreRecord(r)
		}
		damaged = append(damaged, damagedRecord{*r, n})
		return nil
	}); err != nil {
		return nil, err
	}
	if len(damaged) > 0 {
		return damaged, nil
	}
	return nil, t.c.exec("DELETE FROM accepted WHERE n = ?", n)
}

// restoreRecord writes a message of the log into the tables, unless it is
// elsewhere. A damaged one has no content there: it ends as dead once it is its turn.
func (t *tx) restoreRecord(r *record) error {
	if _, known, err := t.c.row(r.seq); err != nil || known {
		return err
	}
	if _, done, err := t.s.deliveredRecord(t.c, r.seq); err != nil || done {
		return err
	}
	r.status, r.due = waiting, min(r.created, t.now.tick) // the wall clock may have been set back
	err := t.c.exec(insertOne.message, r.values()...)
	if err == nil && r.damage == nil {
		err = t.c.exec(insertOne.content, r.seq, r.sum, r.secret, r.body)
	}
	return err
}

// putAside writes what is damaged in the log into files of the store's directory, for
// whoever wants to look, and returns their paths.
func (s *Store) putAside(damaged []damagedRecord) (paths []string, err error) {
	parts := map[int64][]byte{}
	for i := range damaged {
		parts[damaged[i].batch] = append(parts[damaged[i].batch], damaged[i].damage...)
	}
	for _, n := range slices.Sorted(maps.Keys(parts)) {
		path, err := putAside(filepath.Join(s.dir, fmt.Sprintf("damaged-log-%d", n)), parts[n])
		if err != nil {
			return nil, fmt.Errorf("put aside what is damaged in the log: %w", err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}

// putAside writes a file, under another name where there is one of other damage: rows
// of the log are counted anew once it is empty.
func putAside(name string, content []byte) (path string, err error) {
	path = name
	for again := 2; ; again++ {
		if err := privatefile.Create(path, content); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
		there, err := os.ReadFile(path)                //nolint:gosec // of the store's directory
		if err != nil || bytes.Equal(there, content) { // of a start that did not end
			return path, err
		}
		path = fmt.Sprintf("%s-%d", name, again)
	}
}

// restoreDamaged keeps what is damaged in the log, where it says which message it is,
// counts again, and gives the turns of ordering keys again: some of it may be lost. It
// returns how many messages are.
func (t *tx) restoreDamaged(damaged []damagedRecord) (lost int64, err error) {
	latest, err := t.c.latestSeq()
	if err != nil {
		return 0, err
	}
	for i := range damaged {
		d := &damaged[i]
		if err := t.c.exec("DELETE FROM accepted WHERE n = ?", d.batch); err != nil {
			return 0, err
		}
		if !d.isNamed(latest) || t.s.byID[d.lane] == nil {
			continue
		}
		if err := t.restoreRecord(&d.record); err != nil {
			return 0, err
		}
	}
	if _, err := t.c.giveTurns(t.now.tick); err != nil {
		return 0, err
	}
	return t.countAgain()
}

// countAgain has the lanes count what they have, and returns how many messages fewer
// wait than they counted.
func (t *tx) countAgain() (fewer int64, err error) {
	counted, err := t.c.count(context.Background())
	if err != nil {
		return 0, err
	}
	for id, is := range counted {
		l := t.s.byID[id]
		if l == nil || *is == l.tally {
			continue
		}
		fewer += max(0, l.tally.waiting()-is.waiting())
		l.dirty, l.work = true, *is
		t.dirty = append(t.dirty, l)
	}
	return fewer, nil
}

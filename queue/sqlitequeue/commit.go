package sqlitequeue

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

const (
	maxOps     = 2048    // in one transaction
	maxOpBytes = 4 << 20 // of their messages
)

// op is what a call asks of the committer. Enqueues and settlements of many calls
// share a transaction, and its fsync; everything else has one of its own.
type op struct {
	batch    []queue.Message // an enqueue
	enqueued []queue.Enqueued
	bytes    int64

	outcomes []queue.Outcome // a settlement
	items    []*item         // of the outcomes; nil where the lease is lost

	run func(*tx) error // anything else

	stuck bool // an enqueue that a transaction has failed at
	err   error
	done  chan struct{} // has room for one
}

func (s *Store) newOp() *op {
	o := s.pool.Get().(*op) //nolint:forcetypeassert // the pool holds nothing else
	*o = op{done: o.done, items: o.items[:0]}
	return o
}

// submit has the committer run an op, and waits for it. It is not left while it
// is waited for: what is committed must be known to be.
func (s *Store) submit(o *op) error {
	s.ops <- o
	<-o.done
	return o.err
}

// exclusively runs a function in a transaction of its own.
func (s *Store) exclusively(ctx context.Context, run func(*tx) error) error {
	if _, err := s.use(ctx); err != nil {
		return err
	}
	defer s.users.Done()
	o := s.newOp()
	defer s.pool.Put(o)
	o.run = run
	return s.submit(o)
}

// commit is the committer: it alone writes. It sleeps while there is nothing to
// write, and for some time after a write there is something to keep in order.
func (s *Store) commit() {
	defer close(s.ended)
	timer := time.NewTimer(0)
	defer timer.Stop()
	armed := true
	var round []*op
	for {
		select {
		case o := <-s.ops:
			round = s.gather(append(round[:0], o))
			if s.keep.written >= lookEvery {
				s.checkpoint()
			}
			if !armed {
				timer.Reset(keepEvery)
				armed = true
			}
		case <-timer.C:
			if armed = s.maintain(); armed {
				timer.Reset(keepEvery)
			}
		case <-s.quit:
			s.maintain()
			return
		}
		clear(round)
	}
}

// convoy is what the committer knows of the callers that may be on their way: those
// it has just answered often come back at once. Where they go along with those that
// have come meanwhile, an fsync is saved; else they take turns, and every
// transaction has a part of them.
type convoy struct {
	expected int           // ops of those that were answered, and of those that were waiting then
	took     time.Duration // by the latest transactions
}

// waitShare bounds the wait for callers: to what a transaction takes, divided by it.
const waitShare = 8

// complete reports whether nobody is worth waiting for any more.
func (c *convoy) complete(ops int, since time.Time) bool {
	return ops >= c.expected || time.Since(since) >= c.took/waitShare
}

// gather takes what else waits and soon comes, as much as one transaction may have,
// and runs it.
func (s *Store) gather(round []*op) []*op {
	began := time.Now()
	bytes := round[0].bytes
	for round[len(round)-1].run == nil && len(round) < maxOps && bytes < maxOpBytes {
		select {
		case o := <-s.ops:
			round = append(round, o)
			bytes += o.bytes
			continue
		default:
		}
		if s.convoy.complete(len(round), began) {
			break
		}
		runtime.Gosched()
	}
	s.keepRoomFor(round, bytes)
	began = time.Now()
	defer func() { s.convoy.took = time.Since(began) }()
	s.keep.written += bytes + commitBytes
	shared := round
	if last := round[len(round)-1]; last.run != nil {
		shared = round[:len(round)-1]
		defer s.finish(func(t *tx) error { return last.run(t) }, round[len(round)-1:])
	}
	if len(shared) > 0 {
		s.finish(func(t *tx) error { return t.share(shared) }, shared)
	}
	return round
}

// finish runs a transaction and tells the ops of it.
func (s *Store) finish(run func(*tx) error, ops []*op) {
	again := !s.isDamaged() // what can be left undone in a damaged file will be
	s.keep.learned = false
	err := s.transactInRoom(run)
	for isCorrupt(err) && (again || s.keep.learned || refuse(ops, err)) {
		again, s.keep.learned = false, false
		err = s.transactInRoom(run)
	}
	if isCorrupt(err) && s.failure() == nil && ops[0].run == nil { // an outcome that cannot be recorded would be attempted for ever
		err = s.fail(err)
	}
	s.convoy.expected = len(s.ops) + len(ops)
	for _, o := range ops {
		if o.err == nil {
			o.err = err
		}
		o.done <- struct{}{}
	}
}

// refusedAlone is how many enqueues of a round are refused one by one.
const refusedAlone = 8

// refuse answers the enqueue that came to what cannot be read, so that the others go
// on without it. Where that was none, or these are too many, it answers all. False:
// there are none any more.
func refuse(ops []*op, err error) (some bool) {
	var at *op
	before := 0
	for _, o := range ops {
		switch {
		case !o.stuck:
		case o.err == nil:
			at = o
		default:
			before++
		}
	}
	for _, o := range ops {
		if o.batch != nil && o.err == nil && (o == at || at == nil || before >= refusedAlone) {
			o.err, some = fmt.Errorf("%w: %w", queue.ErrStoreDamaged, err), true
		}
	}
	return some
}

// transactInRoom is transact, and once more where the disk was found to be full, in
// the room that was kept for that: without what is to be enqueued, but deliveries and
// deletions go on.
func (s *Store) transactInRoom(run func(*tx) error) error {
	err := s.transact(run)
	if isFull(err) {
		s.makeRoom()
		err = s.transact(run)
	}
	if isFull(err) {
		err = fmt.Errorf("%w: %w", queue.ErrStoreFull, err)
	}
	return err
}

// transact runs a function in a transaction. A fault while it is written ends the
// store: after a failed write or fsync nobody knows what is on the disk, and to
// try again would only hide it. Where a part of the file cannot be read nothing was
// written.
func (s *Store) transact(run func(*tx) error) error {
	if err := s.failure(); err != nil {
		return err
	}
	t := &tx{s: s, c: s.writer, now: s.clock.now()}
	if err := t.c.exec("BEGIN IMMEDIATE"); err != nil {
		return s.fail(err)
	}
	err := run(t)
	if err == nil {
		err = t.writeTallies()
	}
	if err == nil && !s.keep.begun {
		err = t.saveLatest()
	}
	if err == nil {
		if err = t.c.exec("COMMIT"); err == nil {
			t.apply()
			return nil
		}
	}
	t.rollback()
	if rollback := t.c.exec("ROLLBACK"); rollback != nil && !isFull(err) {
		err = errors.Join(err, rollback)
	}
	if isFull(err) || isDamaged(err) || isCorrupt(err) {
		s.foundDamage(err)
		return err
	}
	return s.fail(err)
}

// failure is why the store takes nothing any more; nil: it does.
func (s *Store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fail has the store take nothing any more.
func (s *Store) fail(err error) error {
	err = fmt.Errorf("%w: %w", queue.ErrStoreFailed, err)
	s.mu.Lock()
	s.failed = err
	s.mu.Unlock()
	s.options.OnFault(err)
	return err
}

// tx is a transaction: what it writes, and what memory learns once that is on
// disk.
type tx struct {
	s         *Store
	c         *conn
	now       instant
	dirty     []*lane
	undo      []func()
	after     []func() // run with the store's lock
	rows      rowBuffer
	keys      []byte
	fresh     []*item // that were accepted into the log
	accepted  []byte  // their records
	delivered []history
	scratch   []byte
	dropped   []*batch // rows of the log
	skipped   []int64  // seqs that have given up their turn
}

// count counts a row in its lane, n times.
func (t *tx) count(l *lane, r *row, n int64) {
	if !l.dirty {
		l.dirty, l.work = true, l.tally
		t.dirty = append(t.dirty, l)
	}
	l.work.add(r, n)
}

// writeTallies writes what the lanes count now.
func (t *tx) writeTallies() error {
	if len(t.dirty) == 0 {
		return nil
	}
	var tallies []byte
	for _, l := range t.dirty {
		tallies = appendTally(tallies, l.id, &l.work)
	}
	err := t.c.exec("INSERT INTO journal (tallies) VALUES (?)", tallies)
	return err
}

// apply has memory follow what is on disk now.
func (t *tx) apply() {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range t.dirty {
		s.total.plus(&l.tally, -1)
		s.total.plus(&l.work, 1)
		l.tally, l.dirty = l.work, false
		s.keep.unfolded[l] = struct{}{}
	}
	for _, do := range t.after {
		do()
	}
	s.settled()
}

// rollback forgets what the transaction has changed outside the database.
func (t *tx) rollback() {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	for _, l := range t.dirty {
		l.dirty = false
	}
	for _, undo := range slices.Backward(t.undo) {
		undo()
	}
	t.s.settled()
}

// share runs the settlements and then the enqueues of a round.
func (t *tx) share(ops []*op) error {
	for _, o := range ops {
		if o.outcomes != nil {
			if err := t.settle(o); err != nil {
				return err
			}
		}
	}
	full := t.s.full.Load()
	for _, o := range ops {
		switch {
		case o.batch == nil || o.err != nil:
		case full:
			o.err = fmt.Errorf("%w: no room on the disk of %s", queue.ErrStoreFull, t.s.dir)
		default:
			err := t.enqueue(o)
			if o.stuck = err != nil; err != nil {
				return err
			}
		}
	}
	if err := t.flush(); err != nil {
		return err
	}
	for _, write := range []func() error{t.writeAccepted, t.writeKeys, t.writeDelivered, t.dropSpent} {
		if err := write(); err != nil {
			return err
		}
	}
	return t.dropContents(contentsInRound)
}

package sqlitequeue

import (
	"context"

	"github.com/outrider-go/outrider/queue"
)

// Cancel implements queue.Store.
func (s *Store) Cancel(ctx context.Context, q queue.Query) (queue.Page, error) {
	if len(q.States) == 0 {
		q.States = []queue.State{queue.StatePending, queue.StateDeliver, queue.StateRetry}
	}
	return s.changeAll(ctx, q, func(r *row) bool { return !r.status.done() }, (*tx).cancel)
}

// Replay implements queue.Store.
func (s *Store) Replay(ctx context.Context, q queue.Query) (queue.Page, error) {
	if len(q.Results) == 0 {
		q.Results = []queue.Result{queue.Dead, queue.Cancelled, queue.Expired}
	}
	return s.changeAll(ctx, q, func(r *row) bool { return r.status > delivered }, (*tx).replay)
}

// What one transaction does at most: others wait for it.
const (
	changeStep  = 100  // records changed
	changeLooks = 1000 // records looked at
)

// changeAll changes the records of a page, some at a time.
func (s *Store) changeAll(ctx context.Context, q queue.Query, which func(*row) bool, do func(*tx, *row) error) (page queue.Page, err error) {
	for left := q.PageLimit(); left > 0; left = q.PageLimit() - len(page.Records) {
		part := q
		part.Limit, part.After = min(left, changeStep), page.Next
		if page.Next.IsZero() {
			part.After = q.After
		}
		err := s.exclusively(ctx, func(t *tx) error {
			some, err := t.change(&part, which, func(r *row) error { return do(t, r) })
			if err != nil {
				return err
			}
			t.after = append(t.after, func() {
				page.Records, page.Next = append(page.Records, some.Records...), some.Next
			})
			return nil
		})
		switch {
		case err != nil && len(page.Records) > 0:
			return page, nil // whoever asks for the next page is told
		case err != nil || page.Next.IsZero():
			return page, err
		}
	}
	return page, nil
}

// change does something to the rows of a page, and returns them as they are then.
func (t *tx) change(q *queue.Query, which func(*row) bool, do func(r *row) error) (queue.Page, error) {
	t.s.stir()
	rows, next, err := t.s.selectRows(context.Background(), on(t.c), q, selection{which, changeLooks}, t.now)
	if err != nil {
		return queue.Page{}, err
	}
	page := queue.Page{Records: make([]queue.Record, 0, len(rows)), Next: next}
	for i := range rows {
		// It may be in the log, and one before it may have given it the turn.
		if rows[i], err = t.current(rows[i].seq); err != nil {
			return queue.Page{}, err
		}
		if rows[i].seq == 0 || !which(&rows[i]) {
			continue
		}
		if err := do(&rows[i]); err != nil {
			return queue.Page{}, err
		}
		record, err := t.s.record(&rows[i], t.now)
		if err != nil {
			return queue.Page{}, err
		}
		page.Records = append(page.Records, record)
	}
	return page, nil
}

// current returns a row of the tables as it is now. One in the log is brought there.
// It is empty when the row is gone.
func (t *tx) current(seq int64) (row, error) {
	s := t.s
	s.mu.Lock()
	it := s.fresh[seq]
	s.mu.Unlock()
	if it != nil && it.status == fresh {
		err := t.settleDown(it)
		return it.row, err
	}
	r, _, err := t.c.row(seq)
	return r, err
}

// stir keeps loads from bringing rows into memory that the committer is changing,
// until the transaction ends.
func (s *Store) stir() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stirring = true
}

// claimRow takes a row out of memory that is to be ended. False: it is leased, or
// about to be settled.
func (t *tx) claimRow(seq int64) bool {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bar(seq)
	it := s.items[seq]
	if it == nil {
		return true
	}
	if !it.unleased() {
		return false
	}
	t.claim(it)
	return true
}

// claim takes an item out of its place. It needs the store's lock.
func (t *tx) claim(it *item) {
	s, before := t.s, it.place
	s.take(it)
	it.place = ending
	t.undo = append(t.undo, func() {
		if before == overdue {
			s.putOverdue(it)
		} else {
			s.putReady(it)
		}
	})
}

// finish ends a row that is not leased.
func (t *tx) finish(r *row, end status) error {
	l := t.s.laneOf(r)
	before := *r
	r.status, r.flags, r.due, r.updated = end, 0, 0, t.now.wall
	t.count(l, &before, -1)
	t.count(l, r, 1)
	if err := t.updateRow(r, nil); err != nil {
		return err
	}
	if before.status < parked {
		if err := t.leave(&before); err != nil {
			return err
		}
	}
	t.after = append(t.after, func() { t.s.forget(&before, l) })
	return nil
}

// forget has memory follow a row that has ended unleased.
func (s *Store) forget(before *row, l *lane) {
	it := s.items[before.seq]
	level := &l.levels[before.level]
	if before.status == waiting {
		level.waiting--
		if it != nil {
			level.residents--
		} else {
			level.stale = true
		}
	}
	if it != nil {
		s.dropItem(it)
	}
}

func (s *Store) laneByID(id int64) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// laneOf returns the lane of a row. One whose number is damaged gets a lane that
// nobody else has: it can be counted out and removed like others.
func (s *Store) laneOf(r *row) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.laneAt(r.lane)
}

// laneAt is laneOf, with the store's lock.
func (s *Store) laneAt(id int64) *lane {
	if l := s.byID[id]; l != nil {
		return l
	}
	return &lane{id: id}
}

// cancel ends a row, or marks it where it is leased.
func (t *tx) cancel(r *row) error {
	if r.flags&flagCancelled != 0 {
		return nil
	}
	if t.claimRow(r.seq) {
		return t.finish(r, cancelled)
	}
	r.flags |= flagCancelled
	r.updated = t.now.wall
	s := t.s
	t.after = append(t.after, func() {
		if it := s.items[r.seq]; it != nil {
			s.mark(it, t.now)
		}
	})
	err := t.c.exec("UPDATE message SET flags = ?, updated = ? WHERE seq = ?", r.flags, r.updated, r.seq)
	return err
}

// mark has memory know that an item was cancelled while it was leased.
func (s *Store) mark(it *item, now instant) {
	it.marked, it.updated = true, now.wall
	switch it.place {
	case leased, settling, ending, overdue:
	default: // its lease has just run out
		s.take(it)
		s.putOverdue(it)
	}
}

// replay has a row wait again.
func (t *tx) replay(r *row) error {
	l := t.s.laneOf(r)
	before := *r
	m, _ := r.message(l.key) // one that is damaged is found to be when it is due
	r.status, r.flags, r.attempts, r.told = waiting, 0, 0, queue.StatusQueued
	r.queued, r.updated = t.now.wall, t.now.wall
	r.replays++
	if r.expires <= t.now.wall {
		r.expires = 0
	}
	r.due = t.now.tickOf(m.NotBefore)
	if err := t.join(r); err != nil {
		return err
	}
	t.count(l, &before, -1)
	t.count(l, r, 1)
	if err := t.c.exec("UPDATE message SET replays = ?, queued = ?, expires = ? WHERE seq = ?",
		r.replays, r.queued, orNull(r.expires), r.seq); err != nil {
		return err
	}
	if r.status == waiting {
		waits := *r
		t.after = append(t.after, func() { l.spill(&waits) })
	}
	return t.updateRow(r, nil)
}

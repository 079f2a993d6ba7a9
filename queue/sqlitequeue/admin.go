package sqlitequeue

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

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

// changeStep is how many records are changed in one transaction: others wait for it.
const changeStep = 100

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
	rows, next, err := t.s.selectRows(context.Background(), t.c, q, which, t.now)
	if err != nil {
		return queue.Page{}, err
	}
	page := queue.Page{Records: make([]queue.Record, 0, len(rows))}
	if next {
		page.Next = rows[len(rows)-1].id()
	}
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
		return it.row, t.settleDown(it)
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
	it.place = settling
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
	l := t.s.laneByID(r.lane)
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
	case leased, settling, overdue:
	default: // its lease has just run out
		s.take(it)
		s.putOverdue(it)
	}
}

// replay has a row wait again.
func (t *tx) replay(r *row) error {
	l := t.s.laneByID(r.lane)
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

// Expire implements queue.Store.
func (s *Store) Expire(ctx context.Context, limit int) (ended []queue.Record, next time.Time, err error) {
	err = s.exclusively(ctx, func(t *tx) error {
		ended, next, err = t.expire(limit)
		return err
	})
	return ended, next, err
}

func (t *tx) expire(limit int) (ended []queue.Record, next time.Time, err error) {
	t.s.stir()
	for _, it := range t.claimOverdue(limit) {
		if it.status == fresh {
			if err := t.settleDown(it); err != nil {
				return nil, time.Time{}, err
			}
		}
		record, err := t.endOverdue(&it.row, it.marked, it.fault)
		if err != nil {
			return nil, time.Time{}, err
		}
		ended = append(ended, record)
	}
	rows, err := t.expiring(limit - len(ended))
	if err != nil {
		return nil, time.Time{}, err
	}
	for i := range rows {
		if rows[i].expires > t.now.wall {
			return ended, t.s.nextExpiry(fromWall(rows[i].expires), t.now), nil
		}
		if len(ended) == limit {
			return ended, t.now.time, nil
		}
		if !t.claimRow(rows[i].seq) {
			continue
		}
		if rows[i], err = t.current(rows[i].seq); err != nil { // one before it may have given it the turn
			return nil, time.Time{}, err
		}
		record, err := t.endOverdue(&rows[i], false, "")
		if err != nil {
			return nil, time.Time{}, err
		}
		ended = append(ended, record)
	}
	return ended, t.s.nextExpiry(time.Time{}, t.now), nil
}

// expiring are the rows that expire first, as many as there may be ended, and one
// more. Those that are leased are not in it.
func (t *tx) expiring(limit int) ([]row, error) {
	s := t.s
	s.mu.Lock()
	skip := len(s.leases)
	s.mu.Unlock()
	var rows []row
	err := t.c.rows("INDEXED BY expiry WHERE expires > 0 AND status < 4 ORDER BY expires LIMIT ?", func(r row) error {
		s.mu.Lock()
		it := s.items[r.seq]
		free := it == nil || it.place != leased && it.place != settling
		s.mu.Unlock()
		if free && len(rows) <= limit {
			rows = append(rows, r)
		}
		return nil
	}, skip+limit+len(s.ops)+maxOps+1)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, it := range s.fresh {
		if it.expires != 0 && it.unleased() && it.place != overdue {
			rows = append(rows, it.row)
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return cmp.Compare(a.expires, b.expires) })
	return rows, err
}

// claimOverdue takes what has to end.
func (t *tx) claimOverdue(limit int) []*item {
	s := t.s
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*item
	for s.overdue.first != nil && len(all) < limit {
		all = append(all, s.overdue.first)
		t.claim(s.overdue.first)
	}
	return all
}

// endOverdue ends a row that was cancelled while it was leased, that has expired,
// or whose content is damaged.
func (t *tx) endOverdue(r *row, marked bool, fault string) (queue.Record, error) {
	after, end := *r, expired
	switch {
	case marked:
		end = cancelled
	case fault != "":
		end, after.lastError, after.told = dead, fault, queue.StatusUndeliverable
	default:
		after.told = queue.StatusUndeliverable
	}
	if err := t.finish(&after, end); err != nil {
		return queue.Record{}, err
	}
	return t.s.record(&after, t.now)
}

// nextExpiry is when Expire has something to end again: first is when the first
// message expires that is not leased; one that is counts with the end of its lease.
func (s *Store) nextExpiry(first time.Time, now instant) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.overdue.first != nil {
		return now.time
	}
	for _, it := range s.leases {
		if !it.marked && it.expires == 0 {
			continue
		}
		at := now.timeOf(it.until)
		if expires := fromWall(it.expires); !it.marked && expires.After(at) {
			at = expires
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}

// Purge implements queue.Store.
func (s *Store) Purge(ctx context.Context, r queue.Retention, limit int) (removed int, more bool, err error) {
	end := statusOf(r.Result)
	if end == fresh {
		return 0, false, fmt.Errorf("purge: unknown result %q", r.Result)
	}
	for {
		var n int
		part := min(limit-removed, purgeStep)
		err = s.exclusively(ctx, func(t *tx) error {
			if n, more, err = t.purge(end, r, part); err != nil {
				return err
			}
			return t.dropLogOf(t.purged)
		})
		removed += n
		if err != nil || !more || removed >= limit {
			return removed, more, err
		}
	}
}

// purgeStep is how many records are removed in one transaction: others wait for it.
const purgeStep = 200

func (t *tx) purge(end status, r queue.Retention, limit int) (removed int, more bool, err error) {
	p, err := t.newPurge(end, r, limit)
	if err != nil {
		return 0, false, err
	}
	for p.unwanted() {
		if p.removed == limit {
			return limit, true, nil
		}
		if err := p.step(limit); err != nil {
			return p.removed, false, err
		}
	}
	return p.removed, false, nil
}

// purge is what there is to remove: rows of the tables and runs of the history, of
// which the one that begins first is next.
type purge struct {
	*tx
	retention   queue.Retention
	before      int64
	count, held int64 // that are left
	removed     int
	rows        []row
	runs        []run
}

func (t *tx) newPurge(end status, r queue.Retention, limit int) (*purge, error) {
	s := t.s
	s.mu.Lock()
	p := &purge{tx: t, retention: r, before: toWall(r.Before), count: s.total.done[end-delivered], held: s.total.held[end-delivered]}
	s.mu.Unlock()
	if end == delivered {
		p.runs = slices.Clone(s.allRuns())
	}
	var err error
	p.rows, err = t.endedFirst(end, limit+1)
	return p, err
}

// ended is when the next one ended.
func (p *purge) ended() (at int64, inRun, some bool) {
	switch {
	case len(p.runs) > 0 && (len(p.rows) == 0 || p.runs[0].at <= p.rows[0].updated):
		return p.runs[0].at, true, true
	case len(p.rows) > 0:
		return p.rows[0].updated, false, true
	}
	return 0, false, false
}

// unwanted reports whether the next one is to be removed.
func (p *purge) unwanted() bool {
	at, _, some := p.ended()
	return some && p.isUnwanted(at)
}

func (p *purge) isUnwanted(at int64) bool {
	r := &p.retention
	return at < p.before || r.Keep > 0 && p.count > int64(r.Keep) || r.Bytes > 0 && p.held > r.Bytes
}

// step removes the next row, or what is unwanted of the next run.
func (p *purge) step(limit int) error {
	if _, inRun, _ := p.ended(); inRun {
		return p.stepRun(limit)
	}
	r := p.rows[0]
	p.rows = p.rows[1:]
	p.removed++
	p.count--
	p.held -= r.bytes
	return p.remove(&r)
}

func (p *purge) stepRun(limit int) error {
	all, err := p.c.records(p.runs[0].n, nil)
	if err != nil {
		return err
	}
	n := 0
	for ; n < len(all) && p.removed < limit && p.isUnwanted(all[n].updated); n++ {
		p.purged = append(p.purged, all[n].seq)
		l := p.s.laneByID(all[n].lane)
		p.tx.count(l, &all[n].row, -1)
		if err := p.removeEmpty(l); err != nil {
			return err
		}
		p.removed++
		p.count--
	}
	if err := p.rewrite(p.runs[0], all[n:]); err != nil {
		return err
	}
	if n < len(all) {
		p.runs[0].at = all[n].updated
		p.runs[0].count -= n
	} else {
		p.runs = p.runs[1:]
	}
	return nil
}

// endedFirst are the rows with a result that ended longest ago.
func (t *tx) endedFirst(end status, limit int) (rows []row, err error) {
	err = t.c.rows("INDEXED BY ended WHERE status = ? AND status > 3 ORDER BY updated, seq LIMIT ?", func(r row) error {
		rows = append(rows, r)
		return nil
	}, int64(end), limit)
	return rows, err
}

// remove forgets a record that is done.
func (t *tx) remove(r *row) error {
	t.purged = append(t.purged, r.seq)
	l := t.s.laneByID(r.lane)
	t.count(l, r, -1)
	queries := []string{"DELETE FROM message WHERE seq = ?", "DELETE FROM content WHERE seq = ?"}
	if r.logged > 1 {
		queries = append(queries, "DELETE FROM attempt WHERE seq = ?")
	}
	for _, query := range queries {
		if err := t.c.exec(query, r.seq); err != nil {
			return err
		}
	}
	return t.removeEmpty(l)
}

// removeEmpty forgets a lane if it has nothing.
func (t *tx) removeEmpty(l *lane) error {
	if l.work.records() > 0 || !l.state.IsZero() {
		return nil
	}
	return t.removeLane(l)
}

// removeLane forgets a lane that has nothing.
func (t *tx) removeLane(l *lane) error {
	s := t.s
	t.after = append(t.after, func() {
		if l.tally.records() == 0 {
			s.dropLane(l)
			delete(s.keep.unfolded, l)
			s.keep.fold = slices.DeleteFunc(s.keep.fold, func(other *lane) bool { return other == l })
		}
	})
	err := t.c.exec("DELETE FROM lane WHERE id = ?", l.id)
	return err
}

// SetLane implements queue.Store.
func (s *Store) SetLane(ctx context.Context, state queue.LaneState) error {
	return s.exclusively(ctx, func(t *tx) error {
		if isOver(&state, t.now) {
			state = queue.LaneState{Lane: state.Lane}
		}
		s.mu.Lock()
		known := s.lanes[state.Lane]
		s.mu.Unlock()
		if known == nil && state.IsZero() {
			return nil
		}
		l, err := t.lane(state.Lane)
		if err != nil {
			return err
		}
		text, err := encodeState(state)
		if err != nil {
			return err
		}
		t.after = append(t.after, func() { l.state = state })
		if err := t.c.exec("UPDATE lane SET state = ? WHERE id = ?", text, l.id); err != nil {
			return err
		}
		if state.IsZero() && l.tally.records() == 0 {
			return t.removeLane(l)
		}
		return nil
	})
}

// encodeState returns the text of a state, nil where it says nothing.
func encodeState(state queue.LaneState) (any, error) {
	if state.IsZero() {
		return nil, nil //nolint:nilnil // it is NULL in the database
	}
	encoded, err := json.Marshal(state)
	return string(encoded), err
}

// isOver reports whether a state is a pause that has ended, and nothing else.
func isOver(state *queue.LaneState, now instant) bool {
	return !state.PausedUntil.IsZero() && !state.PausedUntil.After(now.time) && state.FailingSince.IsZero()
}

// Lanes implements queue.Store. They are in the order of profile and destination.
func (s *Store) Lanes(ctx context.Context) ([]queue.LaneState, error) {
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	all := []queue.LaneState{}
	for _, l := range s.byName() {
		if isOver(&l.state, now) {
			l.state = queue.LaneState{}
		}
		if !l.state.IsZero() {
			all = append(all, l.state)
		}
	}
	return all, nil
}

package sqlitequeue

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// Expire implements queue.Store.
func (s *Store) Expire(ctx context.Context, limit int) (ended []queue.Record, next time.Time, err error) {
	err = s.exclusively(ctx, func(t *tx) error {
		ended, next, err = t.expire(limit)
		return err
	})
	if err != nil { // what it had ended has not
		return nil, time.Time{}, err
	}
	return ended, next, nil
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
		free := it == nil || it.unleased()
		s.mu.Unlock()
		if free && len(rows) <= limit {
			rows = append(rows, r)
		}
		return nil
	}, skip+limit+len(s.ops)+maxOps+1)
	if isCorrupt(err) { // the others can end
		s.foundDamage(err)
		err = nil
	}
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
	for _, it := range s.items {
		if it.place != leased && it.place != settling || !it.marked && it.expires == 0 {
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

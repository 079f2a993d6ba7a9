package memqueue

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// Expire implements queue.Store.
func (s *Store) Expire(ctx context.Context, limit int) (ended []queue.Record, next time.Time, err error) {
	now, err := s.enter(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer s.mu.Unlock()
	for len(ended) < limit && s.overdue.first != nil {
		it := s.overdue.first
		if it.cancelled {
			s.finish(it, placeCancelled, now)
		} else {
			it.status = queue.StatusUndeliverable
			s.finish(it, placeExpired, now)
		}
		ended = append(ended, it.record(now))
	}
	return ended, s.nextExpiry(now), nil
}

// nextExpiry returns when Expire has something to do again. For an item that is
// leased that is not before its lease has run out, and then if it is cancelled.
func (s *Store) nextExpiry(now instant) time.Time {
	var next time.Time
	switch {
	case s.overdue.first != nil:
		return now.time
	case len(s.expiring) > 0:
		next = fromWall(s.expiring[0].extra.expires)
	}
	if len(s.deadlines) > 0 {
		first := s.deadlines[0]
		at := now.timeOf(first.due)
		if expires := fromWall(first.extra.expires); !first.cancelled && expires.After(at) {
			at = expires
		}
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	return next
}

// Purge implements queue.Store. It costs by what is removed, not by what is kept.
func (s *Store) Purge(ctx context.Context, r queue.Retention, limit int) (removed int, more bool, err error) {
	end, err := placeOf(r.Result)
	if err != nil {
		return 0, false, err
	}
	before := toWall(r.Before)
	for {
		if _, err := s.enter(ctx); err != nil {
			return removed, false, err
		}
		list := &s.ended[end-placeDelivered]
		unwanted := func() bool {
			return list.first != nil && (list.first.updated < before ||
				r.Keep > 0 && list.count > r.Keep || r.Bytes > 0 && s.held[end] > r.Bytes)
		}
		for step := 0; step < scanStep && removed < limit && unwanted(); step++ {
			s.remove(list.first)
			removed++
		}
		more = unwanted()
		s.mu.Unlock()
		if !more || removed >= limit {
			return removed, more, nil
		}
	}
}

func placeOf(r queue.Result) (place, error) {
	for p := placeDelivered; p <= placeExpired; p++ {
		if p.result() == r {
			return p, nil
		}
	}
	return 0, fmt.Errorf("purge: unknown result %q", r)
}

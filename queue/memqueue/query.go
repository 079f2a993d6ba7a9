package memqueue

import (
	"context"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Get implements queue.Store.
func (s *Store) Get(ctx context.Context, ids []transport.ID, withPayload bool) ([]queue.Record, error) {
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	records := make([]queue.Record, 0, len(ids))
	for _, id := range ids {
		it, ok := s.index.get(id)
		if !ok {
			continue
		}
		record := it.record(now)
		if withPayload {
			record = it.withPayload(record)
		}
		records = append(records, record)
	}
	return records, nil
}

// Attempts implements queue.Store. It keeps the first 10 and the latest 40.
func (s *Store) Attempts(ctx context.Context, id transport.ID) ([]queue.Attempt, error) {
	if _, err := s.enter(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	it, ok := s.index.get(id)
	if !ok {
		return nil, fmt.Errorf("%w: %s", queue.ErrNotFound, id)
	}
	return it.history(), nil
}

// List implements queue.Store.
func (s *Store) List(ctx context.Context, q queue.Query) (queue.Page, error) {
	return s.page(ctx, &q, nil, nil)
}

// Cancel implements queue.Store.
func (s *Store) Cancel(ctx context.Context, q queue.Query) (queue.Page, error) {
	return s.page(ctx, &q, func(it *item) bool { return !it.place.done() }, s.cancel)
}

func (s *Store) cancel(it *item, now instant) {
	switch {
	case it.cancelled: // its lease may have run out: Expire ends it
	case it.place == placeLeased:
		s.take(it)
		it.more() // has its slot among the deadlines
		it.cancelled = true
		it.updated = now.wall
		s.put(it, placeLeased)
	default:
		s.finish(it, placeCancelled, now)
	}
}

// Replay implements queue.Store.
func (s *Store) Replay(ctx context.Context, q queue.Query) (queue.Page, error) {
	return s.page(ctx, &q, func(it *item) bool { return it.place > placeDelivered }, s.replay)
}

func (s *Store) replay(it *item, now instant) {
	s.take(it)
	s.waiting++
	it.attempts = 0
	it.status = queue.StatusQueued
	it.updated = now.wall
	most := it.most()
	most.replays++
	most.queued = now.wall
	more := it.more()
	if more.expires <= now.wall {
		more.expires = 0
	}
	s.schedule(it, now.tickOf(fromWall(more.notBefore)), now)
}

// page does something to the records of a page, and returns them.
func (s *Store) page(ctx context.Context, q *queue.Query, which func(*item) bool, do func(*item, instant)) (queue.Page, error) {
	var page queue.Page
	limit := q.PageLimit()
	err := s.scan(ctx, q, func(it *item, now instant) bool {
		if !matches(q, it) || which != nil && !which(it) {
			return true
		}
		if len(page.Records) == limit {
			page.Next = page.Records[limit-1].ID
			return false
		}
		if do != nil {
			do(it, now)
		}
		page.Records = append(page.Records, it.record(now))
		return true
	})
	return page, err
}

// scan visits the records that the query's ids, order and After leave, until
// visit returns false. It gives the lock back from time to time.
func (s *Store) scan(ctx context.Context, q *queue.Query, visit func(*item, instant) bool) error {
	var after *transport.ID
	if !q.After.IsZero() {
		after = &q.After
	}
	if len(q.IDs) > 0 {
		return s.scanIDs(ctx, q, after, visit)
	}
	for {
		now, err := s.enter(ctx)
		if err != nil {
			return err
		}
		seen, more := 0, true
		var last transport.ID
		step := func(it *item) bool {
			last = it.id
			seen++
			more = visit(it, now)
			return more && seen < scanStep
		}
		if q.Descending {
			s.index.descend(after, step)
		} else {
			s.index.ascend(after, step)
		}
		s.mu.Unlock()
		if !more || seen < scanStep {
			return nil
		}
		after = &last
	}
}

func (s *Store) scanIDs(ctx context.Context, q *queue.Query, after *transport.ID, visit func(*item, instant) bool) error {
	ids := slices.Clone(q.IDs)
	slices.SortFunc(ids, compareIDs)
	ids = slices.Compact(ids)
	behind := -1
	if q.Descending {
		slices.Reverse(ids)
		behind = 1
	}
	for chunk := range slices.Chunk(ids, scanStep) {
		now, err := s.enter(ctx)
		if err != nil {
			return err
		}
		more := true
		for _, id := range chunk {
			it, ok := s.index.get(id)
			if !ok || after != nil && compareIDs(*after, id) != behind {
				continue
			}
			if more = visit(it, now); !more {
				break
			}
		}
		s.mu.Unlock()
		if !more {
			return nil
		}
	}
	return nil
}

// matches looks at what scan does not.
func matches(q *queue.Query, it *item) bool {
	a := it.address
	switch {
	case q.Profile != "" && q.Profile != a.lane.key.Profile,
		q.Destination != "" && q.Destination != a.lane.key.Destination,
		q.Endpoint != "" && q.Endpoint != a.endpoint,
		len(q.States) > 0 && !slices.Contains(q.States, it.state()),
		len(q.Results) > 0 && !slices.Contains(q.Results, it.place.result()),
		!q.Since.IsZero() && it.updated < toWall(q.Since),
		!q.Until.IsZero() && it.updated >= toWall(q.Until):
		return false
	}
	return true
}

package memqueue

import (
	"context"
	"errors"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// Lease implements queue.Store. It allocates only where into has no room.
func (s *Store) Lease(ctx context.Context, req queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	if req.TTL <= 0 {
		return into, errors.New("lease: the TTL is not positive")
	}
	now, err := s.enter(ctx)
	if err != nil {
		return into, err
	}
	defer s.mu.Unlock()
	until := now.after(req.TTL)
	for i := range req.Budgets {
		budget := &req.Budgets[i]
		budget.NextAt, budget.Ended = time.Time{}, 0
		l := s.lanes.get(budget.Lane)
		if l == nil {
			continue
		}
		for range budget.Max {
			it := l.tiers.pick(now)
			if it == nil && budget.Early {
				it = l.tiers.soonest()
			}
			if it == nil {
				break
			}
			s.lease(it, until, now)
			into = append(into, queue.Leased{})
			it.lend(&into[len(into)-1])
		}
		if tick, ok := l.next(); ok {
			budget.NextAt = now.timeOf(tick)
		}
	}
	return into, nil
}

func (s *Store) lease(it *item, until int64, now instant) {
	s.take(it)
	if it.extra != nil && it.extra.seldom != nil {
		it.extra.seldom.skipped = false
	}
	it.due = until
	it.token++
	it.updated = now.wall
	s.put(it, placeLeased)
}

// find returns the item that the lease holds, nil where it is lost.
func (s *Store) find(ref queue.LeaseRef) *item {
	it := s.seats.of(ref.Token)
	if it == nil || it.id != ref.ID || it.ticket() != ref.Token {
		return nil
	}
	return it
}

// extend has a leased item's lease run out at another tick.
func (s *Store) extend(it *item, until int64) {
	lane := it.address.lane
	lane.leased.remove(it)
	it.due = until
	lane.leased.insert(it)
	s.watch(lane)
	if it.hasDeadline() {
		s.deadlines.fix(int(it.extra.slot))
	}
}

// Extend implements queue.Store.
func (s *Store) Extend(ctx context.Context, leases []queue.LeaseRef, ttl time.Duration) ([]error, error) {
	if ttl <= 0 {
		return nil, errors.New("extend: the TTL is not positive")
	}
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var lost lostLeases
	for i, ref := range leases {
		it := s.find(ref)
		if it == nil {
			lost.add(i, len(leases))
			continue
		}
		s.extend(it, now.after(ttl))
	}
	return lost, nil
}

// lostLeases has an error for each of a call's leases, once one is lost.
type lostLeases []error

func (l *lostLeases) add(i, count int) {
	if *l == nil {
		*l = make(lostLeases, count)
	}
	(*l)[i] = queue.ErrLeaseLost
}

// Due implements queue.Store.
func (s *Store) Due(ctx context.Context, after queue.Lane, limit int) ([]queue.LaneDue, error) {
	var due []queue.LaneDue
	for {
		now, err := s.enter(ctx)
		if err != nil {
			return nil, err
		}
		seen := 0
		var idle []*lane
		s.busy.ascend(&after, func(l *lane) bool {
			if len(due) >= limit || seen == scanStep {
				return false
			}
			after = l.key
			seen++
			if tick, ok := l.next(); ok {
				due = append(due, queue.LaneDue{Lane: l.key, NextAt: now.timeOf(tick)})
			} else {
				idle = append(idle, l)
			}
			return true
		})
		for _, l := range idle {
			s.busy.remove(l.key)
			l.listed = false
		}
		s.mu.Unlock()
		if seen < scanStep {
			return due, nil
		}
	}
}

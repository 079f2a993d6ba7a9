package sqlitequeue

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// Lease implements queue.Store. It touches the database only for a lane of which
// memory has nothing that is due.
func (s *Store) Lease(ctx context.Context, req queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	if req.TTL <= 0 {
		return into, errors.New("lease: the TTL is not positive")
	}
	if _, err := s.use(ctx); err != nil {
		return into, err
	}
	defer s.users.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed != nil {
		return into, s.failed
	}
	before := len(into)
	for i := range req.Budgets {
		budget := &req.Budgets[i]
		budget.NextAt, budget.Ended = time.Time{}, 0
		l := s.lanes[budget.Lane]
		if l == nil {
			continue
		}
		var err error
		had := len(into)
		into, err = s.leaseFrom(l, budget.Max, req.TTL, into)
		for early := budget.Early; err == nil && early && len(into)-had < budget.Max; {
			taken := len(into)
			into, err = s.leaseEarly(l, req.TTL, into)
			early = len(into) > taken
		}
		if err != nil {
			s.giveBack(into[before:])
			return into[:before], err
		}
		now := s.clock.now()
		if tick := l.nextAt(); tick != 0 {
			budget.NextAt = now.timeOf(tick)
		}
		budget.Ended, l.damaged = l.damaged, 0
	}
	return into, nil
}

// leaseFrom leases up to most messages of a lane. It gives the lock back while it
// reads from the database.
func (s *Store) leaseFrom(l *lane, most int, ttl time.Duration, into []queue.Leased) ([]queue.Leased, error) {
	for taken := 0; ; {
		now := s.clock.now()
		if err := s.settleLane(l, now, most-taken); err != nil || taken == most {
			return into, err
		}
		it := l.pick()
		if it == nil {
			return into, nil
		}
		into = append(into, s.lease(it, now.after(ttl), now))
		taken++
	}
}

// settleLane takes out what has expired, makes sure that it is known when the lane
// has its next message, and brings what is due into memory, where that is wanted.
func (s *Store) settleLane(l *lane, now instant, wanted int) error {
	for i := range l.levels {
		level := &l.levels[i]
		for {
			page := 1
			switch it := level.head(); {
			case it != nil && it.hasExpired(now):
				s.take(it)
				s.putOverdue(it)
				continue
			case wanted > 0 && level.hasDue(now):
				page = s.pageFor(l, i, wanted)
			case !level.isVague(now):
				page = 0
			}
			if page == 0 {
				break
			}
			if err := s.load(l, i, page); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) lease(it *item, until int64, now instant) queue.Leased {
	s.take(it)
	s.token++
	it.token, it.until, it.leased = s.token, until, now.wall
	s.putLeased(it)
	leased := queue.Leased{
		Message: it.message, Token: it.token, Attempt: int(it.attempts) + 1, Replays: int(it.replays), QueuedAt: time.Unix(0, it.queued),
	}
	return leased
}

// giveBack makes what was leased ready again.
func (s *Store) giveBack(messages []queue.Leased) {
	for i := range messages {
		if it := s.find(messages[i].Ref()); it != nil {
			s.take(it)
			s.putReady(it)
		}
	}
}

// find returns the item that a lease holds; nil where it is lost.
func (s *Store) find(ref queue.LeaseRef) *item {
	it := s.items[seqOf(ref.ID)]
	if it == nil || it.place != leased || it.token != ref.Token || it.prefix != prefixOf(ref.ID) {
		return nil
	}
	return it
}

// The places of an item. It is nowhere before it is put, and after it is taken.

func (s *Store) putReady(it *item) {
	it.place = ready
	it.lane.levels[it.level].ready.insertDue(it)
}

func (s *Store) putOverdue(it *item) {
	it.place = overdue
	s.overdue.push(it)
}

func (s *Store) putLeased(it *item) {
	it.place = leased
	heap.Push(&s.leases, it)
	it.lane.leased.insertLease(it)
}

func (s *Store) take(it *item) {
	level := &it.lane.levels[it.level]
	switch it.place {
	case ready:
		level.ready.remove(it)
	case returned:
		level.returned.remove(it)
	case leased:
		heap.Remove(&s.leases, it.slot)
		it.lane.leased.remove(it)
	case overdue:
		s.overdue.remove(it)
	case nowhere, settling, ending:
	}
	it.place = nowhere
}

// endLeases moves the items whose lease has run out. What expired meanwhile, or
// was cancelled, Expire has to end.
func (s *Store) endLeases(now instant) {
	for len(s.leases) > 0 && s.leases[0].until <= now.tick {
		it := s.leases[0]
		s.take(it)
		if it.marked || it.hasExpired(now) {
			s.putOverdue(it)
			continue
		}
		it.place = returned
		it.lane.levels[it.level].returned.push(it)
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
		s.take(it)
		it.until = now.after(ttl)
		s.putLeased(it)
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

// Due implements queue.Store. Lanes are in the order of profile and destination.
func (s *Store) Due(ctx context.Context, after queue.Lane, limit int) ([]queue.LaneDue, error) {
	if _, err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.users.Done()
	s.mu.Lock()
	defer s.mu.Unlock()
	lanes := s.byName()
	first, known := slices.BinarySearchFunc(lanes, after, func(l *lane, key queue.Lane) int { return compareLanes(l.key, key) })
	if known {
		first++
	}
	var due []queue.LaneDue
	for _, l := range lanes[first:] {
		if len(due) == limit {
			break
		}
		if err := s.settleLane(l, s.clock.now(), 0); err != nil {
			return nil, err
		}
		if tick := l.nextAt(); tick != 0 {
			due = append(due, queue.LaneDue{Lane: l.key, NextAt: s.clock.now().timeOf(tick)})
		}
	}
	return due, nil
}

// byName returns the lanes by profile and destination. The slice is not changed
// any more.
func (s *Store) byName() []*lane {
	if s.sorted == nil {
		s.sorted = make([]*lane, 0, len(s.lanes))
		for _, l := range s.lanes {
			s.sorted = append(s.sorted, l)
		}
		slices.SortFunc(s.sorted, func(a, b *lane) int { return compareLanes(a.key, b.key) })
	}
	return s.sorted
}

func compareLanes(a, b queue.Lane) int {
	return cmp.Or(cmp.Compare(a.Profile, b.Profile), cmp.Compare(a.Destination, b.Destination))
}

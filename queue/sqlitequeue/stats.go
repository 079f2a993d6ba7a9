package sqlitequeue

import (
	"context"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// exactAge is the number of a lane's messages up to which the oldest is looked for.
// Beyond it the one with the smallest id is taken to be the oldest: another can be,
// when that one was replayed.
const exactAge = 1000

// Stats implements queue.Store. What it counts is kept with each commit; nothing
// is looked through.
func (s *Store) Stats(ctx context.Context, by queue.Grouping) ([]queue.Backlog, error) {
	if _, err := s.use(ctx); err != nil {
		return nil, err
	}
	defer s.users.Done()
	groups := map[queue.Lane]*queue.Backlog{}
	if by == queue.ByTotal {
		groups[queue.Lane{}] = &queue.Backlog{}
	}
	for _, count := range s.counts() {
		key := count.Lane
		switch by {
		case queue.ByTotal:
			key = queue.Lane{}
		case queue.ByProfile:
			key.Destination = ""
		case queue.ByLane:
		}
		group := groups[key]
		if group == nil {
			group = &queue.Backlog{Lane: key}
			groups[key] = group
		}
		if err := s.addOldest(&count); err != nil {
			return nil, err
		}
		addBacklog(group, &count.Backlog)
	}
	all := make([]queue.Backlog, 0, len(groups))
	for _, group := range groups {
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b queue.Backlog) int { return compareLanes(a.Lane, b.Lane) })
	return all, nil
}

// laneCount is what a lane counts.
type laneCount struct {
	queue.Backlog
	id int64
}

// counts returns what each lane counts now. The oldest is that of memory.
func (s *Store) counts() []laneCount {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make([]laneCount, 0, len(s.lanes))
	at := make(map[int64]int, len(s.lanes))
	for _, l := range s.lanes {
		t := &l.tally
		if t.records() == 0 {
			continue
		}
		at[l.id] = len(counts)
		counts = append(counts, laneCount{id: l.id, Backlog: queue.Backlog{
			Lane: l.key, Pending: t.pending, Retry: t.retry, Bytes: t.bytes,
			Delivered: t.done[0], Dead: t.done[1], Cancelled: t.done[2], Expired: t.done[3],
		}})
	}
	for _, it := range s.items {
		n, ok := at[it.lane.id]
		if !ok {
			continue
		}
		c := &counts[n]
		if !it.unleased() {
			c.Deliver++
			if it.state() == queue.StateRetry {
				c.Retry--
			} else {
				c.Pending--
			}
		}
		c.Oldest = earlier(c.Oldest, fromWall(it.queued))
	}
	return counts
}

// addOldest looks for the oldest message of a lane in the database.
func (s *Store) addOldest(count *laneCount) error {
	waiting := count.Waiting()
	if waiting == 0 {
		count.Oldest = time.Time{}
		return nil
	}
	query := "SELECT min(COALESCE(queued, created)) FROM message INDEXED BY listed WHERE lane = ? AND " + classText + " = ?"
	if waiting > exactAge {
		query = "SELECT COALESCE(queued, created) FROM message INDEXED BY listed WHERE lane = ? AND " + classText + " = ? ORDER BY seq LIMIT 1"
		count.Estimate = true
	}
	return s.read(func(c *conn) error {
		for _, class := range []class{classPending, classRetry} {
			oldest, err := c.number(query, count.id, int64(class))
			if err != nil {
				return err
			}
			count.Oldest = earlier(count.Oldest, fromWall(oldest))
		}
		return nil
	})
}

func addBacklog(to, from *queue.Backlog) {
	to.Pending += from.Pending
	to.Deliver += from.Deliver
	to.Retry += from.Retry
	to.Delivered += from.Delivered
	to.Dead += from.Dead
	to.Cancelled += from.Cancelled
	to.Expired += from.Expired
	to.Bytes += from.Bytes
	to.Oldest = earlier(to.Oldest, from.Oldest)
	to.Estimate = to.Estimate || from.Estimate
}

// earlier returns the earlier of two instants, where zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

package memqueue

import (
	"context"
	"slices"

	"github.com/outrider-go/outrider/queue"
)

// Stats implements queue.Store. It looks at every record; with more than a
// thousand the counts are estimates, since records change meanwhile.
func (s *Store) Stats(ctx context.Context, by queue.Grouping) ([]queue.Backlog, error) {
	groups := map[queue.Lane]*queue.Backlog{}
	if by == queue.ByTotal {
		groups[queue.Lane{}] = &queue.Backlog{}
	}
	seen := 0
	var last *lane // consecutive records mostly share their lane
	var group *queue.Backlog
	err := s.scan(ctx, &queue.Query{}, func(it *item, _ instant) bool {
		if l := it.address.lane; l != last {
			last, group = l, groupOf(groups, l.key, by)
		}
		count(group, it)
		seen++
		return true
	})
	if err != nil {
		return nil, err
	}
	all := make([]queue.Backlog, 0, len(groups))
	for _, group := range groups {
		group.Estimate = seen > scanStep
		all = append(all, *group)
	}
	slices.SortFunc(all, func(a, b queue.Backlog) int { return compareLanes(a.Lane, b.Lane) })
	return all, nil
}

func groupOf(groups map[queue.Lane]*queue.Backlog, key queue.Lane, by queue.Grouping) *queue.Backlog {
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
	return group
}

func count(group *queue.Backlog, it *item) {
	switch it.place {
	case placeDelivered:
		group.Delivered++
	case placeDead:
		group.Dead++
	case placeCancelled:
		group.Cancelled++
	case placeExpired:
		group.Expired++
	default:
		countWaiting(group, it)
	}
}

func countWaiting(group *queue.Backlog, it *item) {
	switch it.state() {
	case queue.StateDeliver:
		group.Deliver++
	case queue.StateRetry:
		group.Retry++
	default:
		group.Pending++
	}
	group.Bytes += it.size()
	if queued := fromWall(it.queued()); group.Oldest.IsZero() || queued.Before(group.Oldest) {
		group.Oldest = queued
	}
}

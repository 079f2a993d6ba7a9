package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
)

func togetherCases() []testCase {
	return []testCase{{name: "all methods at once", run: allAtOnce}}
}

// allAtOnce calls everything from everywhere and then counts: whatever happened,
// each message is in one state, and none is lost.
func allAtOnce(x *trial) {
	const rounds, each = 60, 5
	ctx := x.Context()
	lanes := []queue.Lane{laneA(), laneB(), otherLane()}
	jobs := []func(round int) error{
		func(round int) error {
			batch := make([]queue.Message, each)
			for i := range batch {
				batch[i] = newMessage(x.store, lanes[(round+i)%len(lanes)])
			}
			batch[0].ExpiresAt = time.Now().Add(x.unit)
			batch[1].NotBefore = time.Now().Add(precision)
			_, err := x.store.Enqueue(ctx, batch)
			return err
		},
		func(round int) error { return x.deliverSome(ctx, lanes[round%len(lanes)], round) },
		func(round int) error { return x.deliverSome(ctx, lanes[round%2], round+1) },
		func(round int) error {
			_, err := x.store.Cancel(ctx, queue.Query{Limit: 1, Descending: round%2 == 0})
			return err
		},
		func(int) error {
			_, err := x.store.Replay(ctx, queue.Query{Limit: 2})
			return err
		},
		func(int) error {
			_, _, err := x.store.Expire(ctx, 3)
			return err
		},
		func(round int) error { return x.readSome(ctx, round) },
	}
	var workers sync.WaitGroup
	for _, job := range jobs {
		workers.Go(func() {
			for round := range rounds {
				if err := job(round); err != nil {
					x.Errorf("%v", err)
					return
				}
				x.advance(precision)
			}
		})
	}
	workers.Wait()
	total := x.total()
	if sum := total.Waiting() + total.Delivered + total.Dead + total.Cancelled + total.Expired; sum != rounds*each {
		x.Errorf("%d messages are left of %d: %+v", sum, rounds*each, total)
	}
	if listed := x.pages(x.store.List, queue.Query{}); len(listed) != rounds*each {
		x.Errorf("%d messages are listed, of %d", len(listed), rounds*each)
	}
}

// deliverSome leases some messages and settles them one way or the other.
func (x *trial) deliverSome(ctx context.Context, lane queue.Lane, round int) error {
	leased, err := x.store.Lease(ctx, queue.LeaseRequest{
		TTL: x.unit, Budgets: []queue.Budget{{Lane: lane, Max: 3}},
	}, nil)
	if err != nil {
		return err
	}
	outcomes := make([]queue.Outcome, len(leased))
	for i, l := range leased {
		outcomes[i] = queue.Outcome{
			LeaseRef: l.Ref(), Verdict: queue.Verdict(1 + (round+i)%int(queue.VerdictPark)),
			At: time.Now().Add(precision), Attempt: &queue.Attempt{Error: "reset"},
		}
	}
	faults, err := x.store.Settle(ctx, outcomes)
	if err != nil || faults != nil {
		return fmt.Errorf("settle: %v, %w", faults, err)
	}
	return nil
}

// readSome calls what only reads.
func (x *trial) readSome(ctx context.Context, round int) error {
	page, err := x.store.List(ctx, queue.Query{Limit: 10, Descending: round%2 == 0})
	if err != nil {
		return err
	}
	ids := recordIDs(page.Records)
	_, errGet := x.store.Get(ctx, ids, true)
	_, errStats := x.store.Stats(ctx, queue.Grouping(round%3))
	_, errDue := x.store.Due(ctx, queue.Lane{}, 2)
	faults := []error{errGet, errStats, errDue}
	for _, id := range ids {
		_, err := x.store.Attempts(ctx, id)
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

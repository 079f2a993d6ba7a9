package outbound_test

import (
	"context"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
)

// badStore is a store whose calls a test can hold up or fail.
type badStore struct {
	queue.Store
	due     func() error
	lease   func()
	enqueue func() error
	setLane func() error
	settle  func() error
	settled func([]queue.Outcome) // after they are recorded
	purge   func() (more bool)
	expire  func() error // with its error all are returned as ended
}

func (s *badStore) Due(ctx context.Context, after queue.Lane, limit int) ([]queue.LaneDue, error) {
	if s.due != nil {
		if err := s.due(); err != nil {
			return nil, err
		}
	}
	return s.Store.Due(ctx, after, limit)
}

func (s *badStore) Lease(ctx context.Context, req queue.LeaseRequest, into []queue.Leased) ([]queue.Leased, error) {
	if s.lease != nil {
		s.lease()
	}
	return s.Store.Lease(ctx, req, into)
}

func (s *badStore) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	if s.enqueue != nil {
		if err := s.enqueue(); err != nil {
			return nil, err
		}
	}
	return s.Store.Enqueue(ctx, batch)
}

func (s *badStore) SetLane(ctx context.Context, state queue.LaneState) error {
	if s.setLane != nil {
		if err := s.setLane(); err != nil {
			return err
		}
	}
	return s.Store.SetLane(ctx, state)
}

func (s *badStore) Settle(ctx context.Context, outcomes []queue.Outcome) ([]error, error) {
	if s.settle != nil {
		if err := s.settle(); err != nil {
			return nil, err
		}
	}
	faults, err := s.Store.Settle(ctx, outcomes)
	if s.settled != nil {
		s.settled(outcomes)
	}
	return faults, err
}

func (s *badStore) Expire(ctx context.Context, limit int) ([]queue.Record, time.Time, error) {
	if s.expire != nil {
		if err := s.expire(); err != nil {
			page, _ := s.List(ctx, queue.Query{})
			for i := range page.Records {
				page.Records[i].Result = queue.Expired
			}
			return page.Records, time.Time{}, err
		}
	}
	return s.Store.Expire(ctx, limit)
}

func (s *badStore) Purge(ctx context.Context, retention queue.Retention, limit int) (int, bool, error) {
	if s.purge != nil {
		return 1, s.purge(), nil
	}
	return s.Store.Purge(ctx, retention, limit)
}

func newBadStore(t *testing.T) *badStore {
	t.Helper()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &badStore{Store: store}
}

package queuetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func closeCases() []testCase {
	return []testCase{
		{name: "a cancelled context", run: cancelledContext},
		{name: "a closed store", run: closedStore},
		{name: "health", run: health},
		{name: "closed while it works", run: closedAtWork},
	}
}

// call is one method of a store, called with m.
type call struct {
	name string
	run  func(ctx context.Context, s queue.Store, m queue.Message, l queue.Leased) error
}

func calls() []call {
	return []call{
		{"Enqueue", func(ctx context.Context, s queue.Store, m queue.Message, _ queue.Leased) error {
			_, err := s.Enqueue(ctx, []queue.Message{m})
			return err
		}},
		{"Due", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.Due(ctx, queue.Lane{}, 10)
			return err
		}},
		{"Lease", func(ctx context.Context, s queue.Store, m queue.Message, _ queue.Leased) error {
			_, err := s.Lease(ctx, queue.LeaseRequest{TTL: time.Second, Budgets: []queue.Budget{{Lane: m.Lane, Max: 1}}}, nil)
			return err
		}},
		{"Extend", func(ctx context.Context, s queue.Store, _ queue.Message, l queue.Leased) error {
			_, err := s.Extend(ctx, []queue.LeaseRef{l.Ref()}, time.Nanosecond)
			return err
		}},
		{"Settle", func(ctx context.Context, s queue.Store, _ queue.Message, l queue.Leased) error {
			_, err := s.Settle(ctx, []queue.Outcome{{LeaseRef: l.Ref(), Verdict: queue.VerdictDead}})
			return err
		}},
		{"Expire", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, _, err := s.Expire(ctx, 10)
			return err
		}},
		{"Get", func(ctx context.Context, s queue.Store, m queue.Message, _ queue.Leased) error {
			_, err := s.Get(ctx, []transport.ID{m.ID}, true)
			return err
		}},
		{"Attempts", func(ctx context.Context, s queue.Store, _ queue.Message, l queue.Leased) error {
			_, err := s.Attempts(ctx, l.ID)
			return err
		}},
		{"List", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.List(ctx, queue.Query{})
			return err
		}},
		{"List by id", func(ctx context.Context, s queue.Store, m queue.Message, _ queue.Leased) error {
			_, err := s.List(ctx, queue.Query{IDs: []transport.ID{m.ID}})
			return err
		}},
		{"Cancel", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.Cancel(ctx, queue.Query{})
			return err
		}},
		{"Replay", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.Replay(ctx, queue.Query{})
			return err
		}},
		{"Stats", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.Stats(ctx, queue.ByLane)
			return err
		}},
		{"SetLane", func(ctx context.Context, s queue.Store, m queue.Message, _ queue.Leased) error {
			return s.SetLane(ctx, queue.LaneState{Lane: m.Lane, Reason: "set"})
		}},
		{"Lanes", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, err := s.Lanes(ctx)
			return err
		}},
		{"Purge", func(ctx context.Context, s queue.Store, _ queue.Message, _ queue.Leased) error {
			_, _, err := s.Purge(ctx, queue.Retention{Result: queue.Dead, Before: time.Now()}, 10)
			return err
		}},
	}
}

// cancelledContext: a call does nothing with a context that is over.
func cancelledContext(x *trial) {
	m := x.message(laneA())
	x.add(laneA(), 1)
	l := x.lease(laneA(), 1)[0]
	dead := x.finished(laneA(), queue.VerdictDead)
	waiting := x.add(laneA(), 1)[0]
	x.advance(x.unit / 10)
	cancelled, cancel := context.WithCancel(x.Context())
	cancel()
	late, stop := context.WithDeadline(x.Context(), time.Now().Add(-time.Second))
	defer stop()
	for _, c := range calls() {
		if err := c.run(cancelled, x.store, m, l); !errors.Is(err, context.Canceled) {
			x.Errorf("%s: %v, want context.Canceled", c.name, err)
		}
		if err := c.run(late, x.store, m, l); !errors.Is(err, context.DeadlineExceeded) {
			x.Errorf("%s: %v, want context.DeadlineExceeded", c.name, err)
		}
	}
	x.gone(m.ID)
	x.has(queue.StateDeliver, "", l.ID)
	x.has(queue.StateDone, queue.Dead, dead)
	x.has(queue.StatePending, "", waiting)
	x.states("nothing was set")
	x.end(queue.VerdictDelivered, time.Time{}, l)
}

func closedStore(x *trial) {
	m := x.message(laneA())
	x.add(laneA(), 1)
	l := x.lease(laneA(), 1)[0]
	if err := x.store.Close(x.Context()); err != nil {
		x.Fatalf("close: %v", err)
	}
	for _, c := range calls() {
		if err := c.run(x.Context(), x.store, m, l); !errors.Is(err, queue.ErrClosed) {
			x.Errorf("%s: %v, want ErrClosed", c.name, err)
		}
	}
	if err := x.store.Close(x.Context()); err != nil && !errors.Is(err, queue.ErrClosed) {
		x.Errorf("close again: %v, want nil or ErrClosed", err)
	}
}

func health(x *trial) {
	if err := x.store.Health(); err != nil {
		x.Errorf("a new store: %v, want nil", err)
	}
	x.add(laneA(), 10)
	if err := x.store.Health(); err != nil {
		x.Errorf("with ten messages: %v, want nil", err)
	}
	if err := x.store.Close(x.Context()); err != nil {
		x.Fatalf("close: %v", err)
	}
	if err := x.store.Health(); !errors.Is(err, queue.ErrClosed) {
		x.Errorf("a closed store: %v, want ErrClosed", err)
	}
}

// closedAtWork: calls under way end well or with ErrClosed.
func closedAtWork(x *trial) {
	var workers sync.WaitGroup
	var closed atomic.Bool
	for _, c := range calls() {
		m := x.message(laneA())
		workers.Go(func() {
			for last := false; !last; {
				last = closed.Load()
				err := c.run(x.Context(), x.store, m, queue.Leased{})
				if errors.Is(err, queue.ErrClosed) {
					return
				}
				if last || err != nil && !errors.Is(err, queue.ErrNotFound) {
					x.Errorf("%s: %v", c.name, err)
					return
				}
			}
		})
	}
	if err := x.store.Close(x.Context()); err != nil {
		x.Errorf("close: %v", err)
	}
	closed.Store(true)
	workers.Wait()
}

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// benchMemory measures what a waiting message costs, and whether a drained queue
// gives memory back.
func benchMemory(ctx context.Context, s settings, _ *sinkProcess) ([]figure, error) {
	endpoint, err := transport.ParseEndpoint("bench://destination/inbox")
	if err != nil {
		return nil, err
	}
	waiting, err := benchWaiting(ctx, s, endpoint)
	if err != nil {
		return nil, err
	}
	retrying, err := benchRetrying(ctx, s, endpoint)
	if err != nil {
		return nil, err
	}
	drained, err := benchDrain(ctx, s, endpoint)
	return append(append(waiting, retrying...), drained), err
}

// benchWaiting fills the queue with messages that are not due.
func benchWaiting(ctx context.Context, s settings, endpoint transport.Endpoint) ([]figure, error) {
	f, err := newFramework(ctx, outbound.Options{}, &scripted{})
	if err != nil {
		return nil, err
	}
	before := liveHeap()
	if err := f.sendOwn(ctx, endpoint, s.waiting, time.Now().Add(time.Hour)); err != nil {
		return nil, err
	}
	each := float64(liveHeap()-before)/float64(s.waiting) - payloadBytes
	return []figure{atMost("bytes per waiting message beyond its payload", each, "B", 300)}, f.close(ctx)
}

// lanesWaiting is how many destinations the messages that wait for a retry have.
const lanesWaiting = 1000

// benchRetrying has every message fail once and wait for about an hour. A breaker
// would have most of them wait for their first attempt.
func benchRetrying(ctx context.Context, s settings, endpoint transport.Endpoint) ([]figure, error) {
	retry := outbound.RetryPolicy{Base: time.Hour, Jitter: 1, MaxAttempts: 5}
	f, err := newFramework(ctx, outbound.Options{Retry: retry, Breaker: outbound.Breaker{Disabled: true}}, &scripted{err: errors.New("not now")})
	if err != nil {
		return nil, err
	}
	goroutines, before := runtime.NumGoroutine(), liveHeap()
	for i := range lanesWaiting {
		lane, err := transport.ParseEndpoint(fmt.Sprintf("%s%d", endpoint, i))
		if err != nil {
			return nil, err
		}
		if err := f.sendOwn(ctx, lane, s.waiting/lanesWaiting, time.Time{}); err != nil {
			return nil, err
		}
	}
	if err := f.settled(ctx, func(b queue.Backlog) bool { return b.Retry == int64(s.waiting/lanesWaiting*lanesWaiting) }); err != nil {
		return nil, err
	}
	each := float64(liveHeap()-before)/float64(s.waiting) - payloadBytes
	more := runtime.NumGoroutine() - goroutines
	idle, err := idleCPU(ctx, s.idle)
	if err != nil {
		return nil, err
	}
	return []figure{
		plain("bytes per message waiting for a retry, attempt logged", each, "B"),
		atMost("more goroutines with these waiting", float64(more), "", 0),
		atMost("CPU of an agent with these waiting", idle, "%", 1),
	}, f.close(ctx)
}

// benchDrain fills and drains the queue after it has reached its steady state.
func benchDrain(ctx context.Context, s settings, endpoint transport.Endpoint) (figure, error) {
	f, err := newFramework(ctx, outbound.Options{}, &scripted{})
	if err != nil {
		return figure{}, err
	}
	round := func() error {
		if err := f.sendOwn(ctx, endpoint, s.waiting, time.Time{}); err != nil {
			return err
		}
		return f.manager.Flush(ctx)
	}
	if err := round(); err != nil {
		return figure{}, err
	}
	before := liveHeap()
	if err := round(); err != nil {
		return figure{}, err
	}
	after := liveHeap()
	return atMost("live heap after a drain, of before", 100*float64(after)/float64(before), "%", 110), f.close(ctx)
}

// sendOwn queues n messages, each with a payload of its own.
func (f *framework) sendOwn(ctx context.Context, endpoint transport.Endpoint, n int, notBefore time.Time) error {
	for range n {
		if _, err := f.manager.Send(ctx, outbound.Message{
			Endpoint: endpoint, Payload: stamped(), Profile: f.tenant, NotBefore: notBefore,
		}); err != nil {
			return err
		}
	}
	return nil
}

// settled waits until the backlog is as wanted.
func (f *framework) settled(ctx context.Context, wanted func(queue.Backlog) bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		all, err := f.manager.Stats(ctx)
		if err != nil || wanted(all.Backlog) {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// liveHeap is what is reachable.
func liveHeap() int64 {
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc) //nolint:gosec // fits
}

// scripted is a transport that does nothing but answer.
type scripted struct {
	outbound.Base
	err error
}

// Schemes implements outbound.Transport.
func (*scripted) Schemes() []string { return []string{"bench"} }

// Start implements outbound.Transport.
func (*scripted) Start(context.Context) error { return nil }

// Stop implements outbound.Transport.
func (*scripted) Stop(context.Context) error { return nil }

// HandleMessage implements outbound.Transport.
func (t *scripted) HandleMessage(context.Context, *outbound.Message) (outbound.Receipt, error) {
	return outbound.Receipt{Evidence: transport.Acknowledged}, t.err
}

// stacks is what goroutines have of it.
func stacks() int64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.StackInuse) //nolint:gosec // fits
}

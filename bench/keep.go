package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// keptDelivered is how many delivered messages are kept where they are purged: few,
// so that for each that is delivered another is removed.
const keptDelivered = 1000

// benchPurge compares deliveries from durable queues of which one removes what it has
// delivered, and the others keep all. What is delivered goes nowhere: nothing but the
// store takes time.
func benchPurge(ctx context.Context, s settings, _ *sinkProcess) (figures []figure, err error) {
	endpoint, err := transport.ParseEndpoint("bench://destination/inbox")
	if err != nil {
		return nil, err
	}
	payload := make([]byte, payloadBytes)
	purged := map[queue.Result]outbound.Retain{queue.Delivered: {Count: keptDelivered}}
	all := map[queue.Result]outbound.Retain{}
	var contestants []*contestant
	var closers []func() error
	defer func() {
		for _, closer := range closers {
			err = errors.Join(err, closer())
		}
	}()
	for _, c := range []struct {
		name   string
		retain map[queue.Result]outbound.Retain
	}{{"all kept", all}, {"purged", purged}, {"all kept again", all}} {
		store, dir, err := openDisk(ctx, s)
		if err != nil {
			return nil, err
		}
		closers = append(closers, func() error { return os.RemoveAll(dir) })
		f, err := newFrameworkOn(ctx, store, outbound.Options{Workers: inFlight, LaneConcurrency: inFlight, Retain: c.retain}, &scripted{})
		if err != nil {
			return nil, err
		}
		closers[len(closers)-1] = func() error { return errors.Join(f.close(ctx), os.RemoveAll(dir)) }
		contestants = append(contestants, &contestant{name: c.name, deliver: func(n int) error {
			if _, err := f.deliverAtOnce(ctx, endpoint, payload, n); err != nil || len(c.retain) == 0 {
				return err
			}
			// Or it would go on in the others' time. It begins with each thousand.
			return f.settled(ctx, func(b queue.Backlog) bool { return b.Delivered <= keptDelivered+1000 })
		}})
	}
	if err := warmUp(contestants, 2*s.slice); err != nil { // until for each that comes another goes
		return nil, err
	}
	s.rounds = max(1, s.rounds/2)
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	without, with := contestants[0], contestants[1]
	return []figure{
		plain("all kept: deliveries", median(without.rates), "/s"),
		plain("purged meanwhile: deliveries", median(with.rates), "/s"),
		ratio("all kept / all kept (A/A)", paired(contestants[2].rates, without.rates)),
		ratio("purged meanwhile / all kept, deliveries per second", paired(with.rates, without.rates)),
		ratio("purged meanwhile / all kept, CPU per delivery", paired(with.cpu, without.cpu)),
	}, nil
}

// benchReplay measures how fast dead messages are queued again, a page at a time, as
// "outrider replay --dead" has it done. Their destination is paused, so that nothing
// else goes on.
func benchReplay(ctx context.Context, s settings, _ *sinkProcess) (figures []figure, err error) {
	store, dir, err := openDisk(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	lane := queue.Lane{Profile: profile.DefaultID, Destination: "bench://destination"}
	if err := die(ctx, store, lane, s.waiting); err != nil {
		return nil, errors.Join(err, store.Close(ctx))
	}
	f, err := newFrameworkOn(ctx, store, outbound.Options{}, &scripted{})
	if err != nil {
		return nil, errors.Join(err, store.Close(ctx))
	}
	if err := f.manager.PauseDestination(ctx, lane, queue.Forever, ""); err != nil {
		return nil, errors.Join(err, f.close(ctx))
	}
	replayed := 0
	began, used := time.Now(), cpuTime()
	for q := (queue.Query{Results: []queue.Result{queue.Dead}, Limit: queue.MaxPage}); ; {
		page, err := f.manager.Replay(ctx, q)
		if err != nil {
			return nil, errors.Join(err, f.close(ctx))
		}
		replayed += len(page.Records)
		if q.After = page.Next; page.Next.IsZero() {
			break
		}
	}
	took, cpu := time.Since(began), cpuTime()-used
	if replayed != s.waiting {
		return nil, errors.Join(fmt.Errorf("%d messages were replayed of %d", replayed, s.waiting), f.close(ctx))
	}
	count := float64(replayed)
	return []figure{
		plain(fmt.Sprintf("replay of %d dead messages", replayed), count/took.Seconds(), "/s"),
		plain("replay: CPU per message", 1e6*cpu.Seconds()/count, "us"),
	}, f.close(ctx)
}

// die leaves n dead messages of a lane in a store.
func die(ctx context.Context, store *sqlitequeue.Store, lane queue.Lane, n int) error {
	const batch = 1000
	uri := lane.Destination + "/inbox"
	payload := make([]byte, payloadBytes)
	for left := n; left > 0; left -= batch {
		messages := make([]queue.Message, min(left, batch))
		for i := range messages {
			messages[i] = queue.Message{ID: store.NewID(), Lane: lane, Endpoint: uri, URI: transport.NewSecret(uri), Format: "raw", Payload: payload}
		}
		if _, err := store.Enqueue(ctx, messages); err != nil {
			return err
		}
		leased, err := store.Lease(ctx, queue.LeaseRequest{TTL: time.Minute, Budgets: []queue.Budget{{Lane: lane, Max: batch}}}, nil)
		if err != nil {
			return err
		}
		outcomes := make([]queue.Outcome, len(leased))
		for i := range leased {
			log := queue.Attempt{StartedAt: time.Now(), Class: transport.Permanent, Error: "it is refused"}
			outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictDead, Attempt: &log}
		}
		if lost, err := store.Settle(ctx, outcomes); err != nil || lost != nil {
			return errors.Join(append(lost, err)...)
		}
	}
	return nil
}

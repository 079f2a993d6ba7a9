package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// producers is how many callers the durable store has at once.
const producers = 64

// openDisk opens a durable store in a directory of its own.
func openDisk(ctx context.Context, s settings) (store *sqlitequeue.Store, dir string, err error) {
	if dir, err = os.MkdirTemp(s.dir, "outrider-bench-"); err != nil {
		return nil, "", err
	}
	store, err = sqlitequeue.Open(ctx, dir, sqlitequeue.Options{})
	if err != nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return store, dir, err
}

// benchDurable compares deliveries from a durable queue, every one of which was
// fsynced before it was accepted, with the hand-written pool, which keeps nothing.
func benchDurable(ctx context.Context, s settings, sink *sinkProcess) (figures []figure, err error) {
	uri := "http://" + sink.Main + "/inbox"
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return nil, err
	}
	pool, twin := newHandWritten(), newHandWritten()
	defer pool.close()
	defer twin.close()
	store, dir, err := openDisk(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	driver, err := httpout.New(httpout.Options{MaxConnsPerHost: 2 * inFlight, MaxIdleConns: 2 * inFlight})
	if err != nil {
		return nil, err
	}
	ours, err := newFrameworkOn(ctx, store, outbound.Options{Workers: inFlight, LaneConcurrency: inFlight}, driver)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, payloadBytes)
	var accepts []float64 // microseconds
	contestants := []*contestant{
		{name: "hand-written", deliver: func(n int) error { return pool.deliver(ctx, uri, payload, n) }},
		{name: "durable", deliver: func(n int) error {
			took, err := ours.deliverAtOnce(ctx, endpoint, payload, n)
			accepts = append(accepts, took...)
			return err
		}},
		{name: "hand-written again", deliver: func(n int) error { return twin.deliver(ctx, uri, payload, n) }},
	}
	if err := warmUp(contestants, 2*s.slice); err != nil {
		return nil, err
	}
	accepts = nil
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	direct, durable := contestants[0], contestants[1]
	sameTwice := ratio("hand-written / hand-written (A/A)", paired(contestants[2].rates, direct.rates))
	return []figure{
		plain("hand-written: deliveries", median(direct.rates), "/s"),
		plain("durable: deliveries", median(durable.rates), "/s"),
		sameTwice,
		atLeastRatio("durable / hand-written, deliveries per second", paired(durable.rates, direct.rates), 0.5, sameTwice.Value),
		plain("hand-written: CPU per delivery", 1e6*median(direct.cpu), "us"),
		plain("durable: CPU per delivery", 1e6*median(durable.cpu), "us"),
		plain("durable: allocations per delivery", median(durable.allocs), ""),
		plain("time to accept at saturation, p50", median(accepts)/1000, "ms"),
		atMost("time to accept at saturation, p99", quantile(accepts, 0.99)/1000, "ms", 10),
	}, ours.close(ctx)
}

// deliverAtOnce sends payload n times from as many callers as there are producers,
// and waits until all have arrived. It returns how long each took to be accepted, in
// microseconds.
func (f *framework) deliverAtOnce(ctx context.Context, endpoint transport.Endpoint, payload []byte, n int) ([]float64, error) {
	message := outbound.Message{Endpoint: endpoint, Payload: payload, Profile: f.tenant}
	took, err := timed(producers, n, func() error {
		_, err := f.manager.Send(ctx, message)
		return err
	})
	if err != nil {
		return nil, err
	}
	return took, f.manager.Flush(ctx)
}

// benchEnqueue compares what the durable store accepts with the least that any
// durable store must do: append and fdatasync, shared between callers.
func benchEnqueue(ctx context.Context, s settings, _ *sinkProcess) (figures []figure, err error) {
	for _, callers := range []int{producers, 1} {
		more, err := benchEnqueueFrom(ctx, s, callers)
		if err != nil {
			return nil, err
		}
		figures = append(figures, more...)
	}
	return figures, nil
}

func benchEnqueueFrom(ctx context.Context, s settings, callers int) (figures []figure, err error) {
	store, dir, err := openDisk(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	raw, err := newRawLog(dir, 64<<20)
	if err != nil {
		return nil, err
	}
	payload, record := make([]byte, payloadBytes), make([]byte, rawRecordBytes)
	answers := sync.Pool{New: func() any { return make(chan error, 1) }}
	lane := queue.Lane{Profile: "default", Destination: "https://bench.example.com"}
	uri := transport.NewSecret("https://bench.example.com/inbox")
	var accepts []float64 // microseconds
	appends := func(n int) error {
		_, err := timed(callers, n, func() error {
			done := answers.Get().(chan error) //nolint:forcetypeassert // the pool holds nothing else
			defer answers.Put(done)
			return raw.append(record, done)
		})
		return err
	}
	contestants := []*contestant{
		{name: "raw", deliver: appends},
		{name: "store", deliver: func(n int) error {
			took, err := timed(callers, n, func() error {
				batch := []queue.Message{{
					ID: store.NewID(), Lane: lane, Endpoint: "https://bench.example.com/inbox", URI: uri,
					Format: "raw", ContentType: "application/octet-stream", Payload: payload,
				}}
				_, err := store.Enqueue(ctx, batch)
				return err
			})
			accepts = append(accepts, took...)
			return err
		}},
		{name: "raw again", deliver: appends},
	}
	if callers == 1 {
		s.slice = max(100, s.slice/10) // each waits for the disk alone
	}
	if err := warmUp(contestants, s.slice); err != nil {
		return nil, err
	}
	accepts = nil
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	floor := 0.5
	if callers > 1 {
		floor = 0.2
	}
	log, ours := contestants[0], contestants[1]
	of := fmt.Sprintf(", %d callers", callers)
	sameTwice := ratio("raw log / raw log (A/A)"+of, paired(contestants[2].rates, log.rates))
	return []figure{
		plain("raw log: appends"+of, median(log.rates), "/s"),
		plain("durable store: messages accepted"+of, median(ours.rates), "/s"),
		sameTwice,
		atLeastRatio("durable store / raw log"+of, paired(ours.rates, log.rates), floor, sameTwice.Value),
		plain("durable store: CPU per message"+of, 1e6*median(ours.cpu), "us"),
		plain("durable store: time to accept, p99"+of, quantile(accepts, 0.99)/1000, "ms"),
	}, errors.Join(raw.close(), store.Close(ctx))
}

// benchSingle measures what a durable queue adds to one POST when nothing else
// goes on, and what an fsync takes beside it.
func benchSingle(ctx context.Context, s settings, sink *sinkProcess) (figures []figure, err error) {
	uri := "http://" + sink.Main + "/inbox"
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return nil, err
	}
	direct := newHandWritten()
	defer direct.close()
	store, dir, err := openDisk(ctx, s)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	raw, err := newRawLog(dir, 16<<20)
	if err != nil {
		return nil, err
	}
	driver, err := httpout.New(httpout.Options{})
	if err != nil {
		return nil, err
	}
	clock := &stopwatch{Transport: driver}
	ours, err := newFrameworkOn(ctx, store, outbound.Options{Workers: inFlight}, clock)
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	var posts, queued, syncs []float64
	for i := range 200 * s.latency {
		started := time.Now()
		if err := direct.post(ctx, uri, stamped()); err != nil {
			return nil, err
		}
		post := time.Since(started)
		started = time.Now()
		if err := raw.append(make([]byte, rawRecordBytes), done); err != nil {
			return nil, err
		}
		sync := time.Since(started)
		clock.took = clock.took[:0]
		if err := ours.deliver(ctx, endpoint, stamped(), 1); err != nil {
			return nil, err
		}
		if i >= 100 { // the first warm up
			posts, syncs = append(posts, post.Seconds()*1e6), append(syncs, sync.Seconds()*1e6)
			queued = append(queued, clock.took[0])
		}
	}
	limit := median(syncs) + 300
	return []figure{
		plain("direct POST, p50", median(posts), "us"),
		plain("append and fdatasync, p50", median(syncs), "us"),
		atMost("added latency of one durable message, p50", median(queued)-median(posts), "us", limit),
		plain("added latency of one durable message, p99", quantile(queued, 0.99)-quantile(posts, 0.99), "us"),
	}, errors.Join(ours.close(ctx), raw.close())
}

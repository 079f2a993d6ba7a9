package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// latencyRate is how many messages a second the latency benchmark sends: few
// enough that nothing queues up.
const latencyRate = 2000

// benchLatency measures what the queue adds to a POST: an open loop, each message
// timed from the call until its answer is there, slices of a second in turns.
func benchLatency(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	uri := "http://" + sink.Main + "/inbox"
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return nil, err
	}
	direct := newHandWritten()
	defer direct.close()
	driver, err := httpout.New(httpout.Options{MaxConnsPerHost: 2 * inFlight, MaxIdleConns: 2 * inFlight})
	if err != nil {
		return nil, err
	}
	clock := &stopwatch{Transport: driver}
	ours, err := newFramework(ctx, outbound.Options{Workers: inFlight, LaneConcurrency: inFlight}, clock)
	if err != nil {
		return nil, err
	}
	queued := func() error {
		return ours.send(ctx, endpoint, stamped(), 1)
	}
	posted := func() error {
		started, body := time.Now(), stamped()
		clock.pending.Go(func() {
			if err := direct.post(ctx, uri, body); err == nil {
				clock.add(time.Since(started))
			}
		})
		return nil
	}
	var p50, p99 []float64
	for round := range s.latency + 1 {
		first, second := posted, queued
		if round%2 == 1 {
			first, second = queued, posted
		}
		a, err := clock.slice(ctx, first, ours.manager)
		if err != nil {
			return nil, err
		}
		b, err := clock.slice(ctx, second, ours.manager)
		if err != nil {
			return nil, err
		}
		if round%2 == 1 {
			a, b = b, a
		}
		if round > 0 { // the first warms up
			p50 = append(p50, median(b)-median(a))
			p99 = append(p99, quantile(b, 0.99)-quantile(a, 0.99))
		}
	}
	added := atMost("added latency at 2000/s, p50", median(p50), "us", 20)
	added.Low, added.High = interval(p50)
	added.Verdict = verdict(added.Low <= 20)
	tail := plain("added latency at 2000/s, p99", median(p99), "us")
	tail.Low, tail.High = interval(p99)
	return []figure{added, tail}, ours.close(ctx)
}

// stamped is a payload that begins with the instant it was made.
func stamped() []byte {
	payload := make([]byte, payloadBytes)
	binary.LittleEndian.PutUint64(payload, uint64(time.Since(epoch))) //nolint:gosec // positive
	return payload
}

var epoch = time.Now()

// stopwatch is a transport that times messages from the call that made them.
type stopwatch struct {
	outbound.Transport
	pending sync.WaitGroup // direct posts

	mu   sync.Mutex
	took []float64 // microseconds
}

// HandleMessage implements outbound.Transport.
func (w *stopwatch) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	receipt, err := w.Transport.HandleMessage(ctx, m)
	if err == nil {
		w.add(time.Since(epoch) - time.Duration(binary.LittleEndian.Uint64(m.Payload))) //nolint:gosec // as stamped
	}
	return receipt, err
}

func (w *stopwatch) add(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.took = append(w.took, float64(d)/float64(time.Microsecond))
}

// slice sends for a second and returns what each message took.
func (w *stopwatch) slice(ctx context.Context, send func() error, manager *outbound.Manager) ([]float64, error) {
	w.took = make([]float64, 0, latencyRate)
	ticker := time.NewTicker(time.Second / latencyRate)
	defer ticker.Stop()
	for range latencyRate {
		<-ticker.C
		if err := send(); err != nil {
			return nil, err
		}
	}
	w.pending.Wait()
	if err := manager.Flush(ctx); err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.took) != latencyRate {
		return nil, fmt.Errorf("%d of %d messages were timed", len(w.took), latencyRate)
	}
	return w.took, nil
}

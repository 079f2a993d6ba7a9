package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
)

const payloadBytes = 1024

// contestant delivers a slice of messages.
type contestant struct {
	name    string
	deliver func(n int) error
	rates   []float64 // messages a second, a slice each
	cpu     []float64 // seconds of CPU a message
	allocs  []float64 // allocations a message
	bytes   []float64

	sink        *sinkProcess // counts connections; nil: nobody asks
	connections int64        // opened meanwhile
}

// benchRate compares the framework with the hand-written pool.
func benchRate(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	uri := "http://" + sink.Main + "/inbox"
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return nil, err
	}
	empty, err := transport.ParseEndpoint("http://" + sink.Main + "/empty")
	if err != nil {
		return nil, err
	}
	gather, err := transport.ParseEndpoint("http://" + sink.Main + "/gather")
	if err != nil {
		return nil, err
	}
	pool, twin := newHandWritten(), newHandWritten()
	defer pool.close()
	defer twin.close()
	ours, err := newHTTPFramework(ctx)
	if err != nil {
		return nil, err
	}
	payload := make([]byte, payloadBytes)
	contestants := []*contestant{
		{name: "hand-written", deliver: func(n int) error { return pool.deliver(ctx, uri, payload, n) }},
		{name: "framework", sink: sink, deliver: func(n int) error { return ours.deliver(ctx, endpoint, payload, n) }},
		{name: "hand-written again", deliver: func(n int) error { return twin.deliver(ctx, uri, payload, n) }},
	}
	if err := ours.deliver(ctx, gather, payload, inFlight); err != nil { // opens all connections
		return nil, err
	}
	for _, pool := range []*handWritten{pool, twin} {
		if err := pool.deliver(ctx, gather.String(), payload, inFlight); err != nil {
			return nil, err
		}
	}
	if err := warmUp(contestants, 2*s.slice); err != nil { // until old records make room for new
		return nil, err
	}
	before, err := sink.counts()
	if err != nil {
		return nil, err
	}
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	quiet := &contestant{name: "framework", sink: sink, deliver: func(n int) error { return ours.deliver(ctx, empty, payload, n) }}
	if err := quiet.slice(s.slice); err != nil {
		return nil, err
	}
	after, err := sink.counts()
	if err != nil {
		return nil, err
	}
	sent := int64((len(contestants)*s.rounds + 1) * s.slice)
	if got := after.Messages - before.Messages; got != sent {
		return nil, fmt.Errorf("%d messages arrived of %d", got, sent)
	}
	return rateFigures(contestants, contestants[1].connections+quiet.connections), ours.close(ctx)
}

// warmUp has each contestant deliver n messages that are not measured.
func warmUp(contestants []*contestant, n int) error {
	for _, c := range contestants {
		if err := c.deliver(n); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// takeTurns runs a slice of each contestant per round, in an order that rotates
// and reverses.
func takeTurns(ctx context.Context, contestants []*contestant, s settings) error {
	for round := range s.rounds {
		for i := range contestants {
			at := (i + round) % len(contestants)
			if round%2 == 1 {
				at = len(contestants) - 1 - at
			}
			if err := contestants[at].slice(s.slice); err != nil {
				return err
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (c *contestant) slice(n int) error {
	known, err := c.opened()
	if err != nil {
		return err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	if err := c.deliver(n); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	took, used := time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	count := float64(n)
	c.rates = append(c.rates, count/took.Seconds())
	c.cpu = append(c.cpu, used.Seconds()/count)
	c.allocs = append(c.allocs, float64(after.Mallocs-before.Mallocs)/count)
	c.bytes = append(c.bytes, float64(after.TotalAlloc-before.TotalAlloc)/count)
	all, err := c.opened()
	c.connections += all - known
	return err
}

// opened is how many connections the sink has seen so far.
func (c *contestant) opened() (int64, error) {
	if c.sink == nil {
		return 0, nil
	}
	seen, err := c.sink.counts()
	return seen.Connections, err
}

func rateFigures(contestants []*contestant, newConnections int64) []figure {
	pool, ours, twin := contestants[0], contestants[1], contestants[2]
	sameTwice := ratio("hand-written / hand-written (A/A)", paired(twin.rates, pool.rates))
	return []figure{
		plain("hand-written: deliveries", median(pool.rates), "/s"),
		plain("framework: deliveries", median(ours.rates), "/s"),
		sameTwice,
		atLeastRatio("framework / hand-written, deliveries per second", paired(ours.rates, pool.rates), 0.95, sameTwice.Value),
		ratio("framework / hand-written, CPU per delivery", paired(ours.cpu, pool.cpu)),
		plain("hand-written: allocations per delivery", median(pool.allocs), ""),
		atMost("framework: allocations per delivery", median(ours.allocs), "", 52),
		plain("hand-written: bytes allocated per delivery", median(pool.bytes), "B"),
		plain("framework: bytes allocated per delivery", median(ours.bytes), "B"),
		atMost("new connections, with and without a reply's body", float64(newConnections), "", 0),
	}
}

// timed has callers call do, n times in all, and returns how long each call took, in
// microseconds.
func timed(callers, n int, do func() error) ([]float64, error) {
	took, faults := make([]float64, n), make([]error, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for j := i; j < n && faults[i] == nil; j += callers {
				began := time.Now()
				faults[i] = do()
				took[j] = float64(time.Since(began)) / float64(time.Microsecond)
			}
		})
	}
	all.Wait()
	return took, errors.Join(faults...)
}

// idleCPU waits, and returns the part of a CPU that this process has used meanwhile,
// in percent.
func idleCPU(ctx context.Context, d time.Duration) (float64, error) {
	used, began := cpuTime(), time.Now()
	err := pause(ctx, d)
	return 100 * (cpuTime() - used).Seconds() / time.Since(began).Seconds(), err
}

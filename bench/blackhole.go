package main

import (
	"context"
	"fmt"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// swallowed is how many messages wait for the destination that never answers.
const swallowed = 10_000

// benchBlackHole sends to 99 healthy destinations with and without one beside
// them that takes messages and never answers.
func benchBlackHole(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	hard, cancel := context.WithCancel(ctx) // ends the attempts that hang
	defer cancel()
	var endpoints []transport.Endpoint
	for _, address := range sink.Healthy {
		endpoint, err := transport.ParseEndpoint("http://" + address + "/inbox")
		if err != nil {
			return nil, err
		}
		endpoints = append(endpoints, endpoint)
	}
	hole, err := transport.ParseEndpoint("http://" + sink.Hole + "/inbox")
	if err != nil {
		return nil, err
	}
	var fleets [3]*framework // alone, beside the hole, alone again
	for i := range fleets {
		driver, err := httpout.New(httpout.Options{})
		if err != nil {
			return nil, err
		}
		if fleets[i], err = newFramework(hard, outbound.Options{AttemptTimeout: time.Minute}, driver); err != nil {
			return nil, err
		}
	}
	if err := fleets[1].send(ctx, hole, make([]byte, payloadBytes), swallowed); err != nil {
		return nil, err
	}
	contestants := make([]*contestant, len(fleets))
	for i, name := range []string{"alone", "beside the hole", "alone again"} {
		contestants[i] = &contestant{name: name, deliver: func(n int) error { return fleets[i].deliverAll(ctx, endpoints, n) }}
		if err := contestants[i].deliver(s.slice); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	cancel()
	for _, f := range fleets {
		if err := f.close(ctx); err != nil {
			return nil, err
		}
	}
	alone, beside, again := contestants[0].rates, contestants[1].rates, contestants[2].rates
	sameTwice := ratio("99 destinations / the same again (A/A)", paired(again, alone))
	return []figure{
		plain("99 healthy destinations: deliveries", median(alone), "/s"),
		sameTwice,
		atLeastRatio("99 beside a black hole / 99 alone", paired(beside, alone), 0.95, sameTwice.Value),
	}, nil
}

// deliverAll spreads n messages over the endpoints and waits until they are
// there. Flush would wait for the black hole's, too.
func (f *framework) deliverAll(ctx context.Context, endpoints []transport.Endpoint, n int) error {
	sub, err := f.manager.Events().Subscribe(outbound.TopicDelivered, event.SubscribeOptions{Buffer: n})
	if err != nil {
		return err
	}
	defer sub.Close()
	payload := make([]byte, payloadBytes)
	for i := range n {
		if err := f.send(ctx, endpoints[i%len(endpoints)], payload, 1); err != nil {
			return err
		}
	}
	for range n {
		select {
		case <-sub.Events():
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if dropped := sub.Dropped(); dropped > 0 {
		return fmt.Errorf("%d events were dropped", dropped)
	}
	return nil
}

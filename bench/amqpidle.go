package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// idleDestinations is how many there are, each with a peer of its own as far as the
// driver knows.
const idleDestinations = 100

// benchIdleAMQP measures what a destination costs that was used and has nothing to do.
func benchIdleAMQP(ctx context.Context, sink *sinkProcess) ([]figure, error) {
	ours, err := newDriverAMQP(ctx, sink.AMQP, []byte("x"))
	if err != nil {
		return nil, err
	}
	goroutines, memory := runtime.NumGoroutine(), liveHeap()+stacks()
	for i := range idleDestinations {
		// A container id of its own keeps it from sharing a connection.
		endpoint, err := transport.ParseEndpoint(fmt.Sprintf("amqp://%s/q?container-id=idle-%d", sink.AMQP, i))
		if err != nil {
			return nil, err
		}
		message := ours.message
		message.Endpoint = endpoint
		if _, err := ours.transport.HandleMessage(ctx, &message); err != nil {
			return nil, err
		}
	}
	figures := []figure{
		atMost("goroutines per idle destination", float64(runtime.NumGoroutine()-goroutines)/idleDestinations, "", 6),
		atMost("memory per idle destination", float64(liveHeap()+stacks()-memory)/idleDestinations/1024, "KiB", 200),
	}
	return figures, stopWithin(ctx, ours.transport, 10*time.Second)
}

func stopWithin(ctx context.Context, t *amqpout.Transport, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return t.Stop(ctx)
}

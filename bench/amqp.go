package main

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// bareAMQP is what people write with go-amqp: one link, and goroutines that send and
// wait for the outcome.
type bareAMQP struct {
	conn   *amqp.Conn
	sender *amqp.Sender
}

func newBareAMQP(ctx context.Context, address string) (*bareAMQP, error) {
	conn, err := amqp.Dial(ctx, "amqp://"+address, &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		return nil, err
	}
	session, err := conn.NewSession(ctx, nil)
	if err != nil {
		return nil, err
	}
	sender, err := session.NewSender(ctx, "q", nil)
	return &bareAMQP{conn, sender}, err
}

func (b *bareAMQP) deliver(ctx context.Context, payload []byte, n int) error {
	return inParallel(n, func() error { return b.send(ctx, payload) })
}

func (b *bareAMQP) send(ctx context.Context, payload []byte) error {
	message := amqp.NewMessage(payload)
	message.Properties = &amqp.MessageProperties{MessageID: "0198c0de-5b1e-7abc-8def-0123456789ab"}
	message.ApplicationProperties = map[string]any{"kind": "bench"}
	receipt, err := b.sender.SendWithReceipt(ctx, message, nil)
	if err != nil {
		return err
	}
	state, err := receipt.Wait(ctx)
	if err != nil {
		return err
	}
	if _, ok := state.(*amqp.StateAccepted); !ok {
		return fmt.Errorf("outcome %T", state)
	}
	return nil
}

// onceAMQP connects for each message.
func onceAMQP(ctx context.Context, address string, payload []byte, n int) error {
	return inParallel(n, func() error {
		b, err := newBareAMQP(ctx, address)
		if err != nil {
			return err
		}
		if err := b.send(ctx, payload); err != nil {
			return err
		}
		return b.conn.Close()
	})
}

// inParallel calls do n times, from as many goroutines as there may be in flight.
func inParallel(n int, do func() error) error {
	var left atomic.Int64
	left.Store(int64(n))
	faults := make(chan error, inFlight)
	var group sync.WaitGroup
	for range inFlight {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					faults <- err
					return
				}
			}
		})
	}
	group.Wait()
	select {
	case err := <-faults:
		return err
	default:
		return nil
	}
}

// driverAMQP is our driver, without the queue.
type driverAMQP struct {
	transport *amqpout.Transport
	message   outbound.Message
}

func newDriverAMQP(ctx context.Context, address string, payload []byte) (*driverAMQP, error) {
	tenant, err := newTenant()
	if err != nil {
		return nil, err
	}
	endpoint, err := transport.ParseEndpoint("amqp://" + address + "/q")
	if err != nil {
		return nil, err
	}
	driver, err := amqpout.New(amqpout.Options{})
	if err != nil {
		return nil, err
	}
	now := time.Now()
	return &driverAMQP{driver, outbound.Message{
		Endpoint: endpoint, Payload: payload, Profile: tenant, ID: transport.NewID(now), Attempt: 1, QueuedAt: now,
		ContentType: "application/octet-stream", Metadata: transport.Metadata{"kind": "bench"},
	}}, driver.Start(ctx)
}

func (d *driverAMQP) deliver(ctx context.Context, n int) error {
	var number atomic.Int64
	return inParallel(n, func() error {
		message := d.message
		message.Attempt = int(number.Add(1))
		_, err := d.transport.HandleMessage(ctx, &message)
		return err
	})
}

// benchAMQP compares the driver with a bare go-amqp link, and with a connection for
// each message.
func benchAMQP(ctx context.Context, s settings, sink *sinkProcess) ([]figure, error) {
	payload := make([]byte, payloadBytes)
	address := cmp.Or(s.amqp, sink.AMQP)
	bare, err := newBareAMQP(ctx, address)
	if err != nil {
		return nil, err
	}
	twin, err := newBareAMQP(ctx, address)
	if err != nil {
		return nil, err
	}
	ours, err := newDriverAMQP(ctx, address, payload)
	if err != nil {
		return nil, err
	}
	contestants := []*contestant{
		{name: "bare", deliver: func(n int) error { return bare.deliver(ctx, payload, n) }},
		{name: "driver", deliver: func(n int) error { return ours.deliver(ctx, n) }},
		{name: "bare again", deliver: func(n int) error { return twin.deliver(ctx, payload, n) }},
		{name: "connection each", deliver: func(n int) error { return onceAMQP(ctx, address, payload, max(n/50, inFlight)) }},
	}
	if err := warmUp(contestants, s.slice); err != nil {
		return nil, err
	}
	if err := takeTurns(ctx, contestants, s); err != nil {
		return nil, err
	}
	for i, each := 0, contestants[3]; i < len(each.rates); i++ { // it sent fewer than it was asked to
		each.rates[i] *= float64(max(s.slice/50, inFlight)) / float64(s.slice)
	}
	floor := 1.2
	if s.amqp != "" { // a broker is busier than a client
		floor = 1
	}
	figures := amqpFigures(contestants, floor)
	idle, err := benchIdleAMQP(ctx, sink)
	if err != nil {
		return nil, err
	}
	for _, b := range []*bareAMQP{bare, twin} {
		if err := b.conn.Close(); err != nil {
			return nil, err
		}
	}
	return append(figures, idle...), ours.transport.Stop(ctx)
}

func amqpFigures(contestants []*contestant, floor float64) []figure {
	bare, ours, twin, each := contestants[0], contestants[1], contestants[2], contestants[3]
	sameTwice := ratio("bare go-amqp / bare go-amqp (A/A)", paired(twin.rates, bare.rates))
	return []figure{
		plain("bare go-amqp: deliveries", median(bare.rates), "/s"),
		plain("amqpout: deliveries", median(ours.rates), "/s"),
		plain("a connection for each message: deliveries", median(each.rates), "/s"),
		sameTwice,
		atLeastRatio("amqpout / bare go-amqp, deliveries per second", paired(ours.rates, bare.rates), floor, sameTwice.Value),
		atLeastRatio("amqpout / a connection for each message", paired(ours.rates, each.rates), 20, sameTwice.Value),
		plain("bare go-amqp: CPU per delivery", 1e6*median(bare.cpu), "us"),
		plain("amqpout: CPU per delivery", 1e6*median(ours.cpu), "us"),
		plain("bare go-amqp: allocations per delivery", median(bare.allocs), ""),
		plain("amqpout: allocations per delivery", median(ours.allocs), ""),
	}
}

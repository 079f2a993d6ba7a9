package memout_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/memout"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
)

// TestConformance is not parallel: the suite counts goroutines.
func TestConformance(t *testing.T) {
	outboundtest.Run(t, newHarness, outboundtest.Features{
		Evidence: transport.Acknowledged,
		Metadata: true, ID: true, ContentType: true, APIKey: true, Text: true,
	})
}

// newHarness reads the mailbox as a test would, and scripts the other peers by
// their host.
func newHarness(t *testing.T) outboundtest.Harness {
	t.Helper()
	reached := &outboundtest.Inbox{}
	mem := newTransport(t, memout.Options{
		Respond: func(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
			switch m.Endpoint.Host() {
			case "refusing":
				return outbound.Receipt{}, &outbound.DeliveryError{Class: transport.Permanent, MaybeSent: true}
			case "failing":
				return outbound.Receipt{}, errors.New("come back later")
			case "down":
				return outbound.Receipt{}, &outbound.DeliveryError{Op: "dial", Err: errors.New("nobody is there")}
			case "hanging":
				reached.Add(outboundtest.Received{ID: m.ID})
				<-ctx.Done()
				return outbound.Receipt{}, ctx.Err()
			}
			return outbound.Receipt{}, nil
		},
	})
	received, stop := collect(mem)
	return outboundtest.Harness{
		Transport: mem, Received: received, Reached: reached, Close: stop,
		Healthy: endpoint(t, "mem://healthy/in"), Down: endpoint(t, "mem://down/in"), Refusing: endpoint(t, "mem://refusing/in"),
		Failing: endpoint(t, "mem://failing/in"), Hanging: endpoint(t, "mem://hanging/in"),
	}
}

// collect moves deliveries to an inbox until stop is called.
func collect(mem *memout.Transport) (received *outboundtest.Inbox, stop func()) {
	received = &outboundtest.Inbox{}
	done := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case d := <-mem.Deliveries():
				received.Add(outboundtest.Received{
					Payload: d.Payload, Text: d.Text, ContentType: d.ContentType, Metadata: d.Metadata,
					ID: d.ID, APIKey: d.Endpoint.APIKey().Reveal(),
				})
			case <-done:
				return
			}
		}
	})
	return received, func() {
		close(done)
		collector.Wait()
	}
}

func newTransport(t *testing.T, options memout.Options) *memout.Transport {
	t.Helper()
	mem, err := memout.New(options)
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

func endpoint(t *testing.T, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

package outboundtest

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/memout"
)

// tooLong is one byte more than the fake transport takes.
const tooLong = 2<<20 + 1

// fake is memout with a fault.
type fake struct {
	*memout.Transport
	handle  func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error)
	start   func(ctx context.Context, next func(context.Context) error) error
	stop    func(ctx context.Context, next func(context.Context) error) error
	schemes func() []string
	check   func() error
	collect func() *stats.Collector
	most    transport.Evidence // what it says it gives; None: all there is
}

type handler func(ctx context.Context, m *outbound.Message) (outbound.Receipt, error)

func (f *fake) HandleMessage(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	if f.handle != nil {
		return f.handle(ctx, m, f.whole)
	}
	return f.whole(ctx, m)
}

func (f *fake) whole(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
	if len(m.Payload) >= tooLong {
		return outbound.Receipt{}, &outbound.DeliveryError{Transport: "fake", Endpoint: m.Endpoint, Class: transport.Permanent, Err: errors.New("too long")}
	}
	return f.Transport.HandleMessage(ctx, m)
}

func (f *fake) Start(ctx context.Context) error {
	if f.start != nil {
		return f.start(ctx, f.Transport.Start)
	}
	return f.Transport.Start(ctx)
}

func (f *fake) Stop(ctx context.Context) error {
	if f.stop != nil {
		return f.stop(ctx, f.Transport.Stop)
	}
	return f.Transport.Stop(ctx)
}

func (f *fake) Schemes() []string {
	if f.schemes != nil {
		return f.schemes()
	}
	return f.Transport.Schemes()
}

func (f *fake) CheckMessage(context.Context, *outbound.Message) error {
	if f.check != nil {
		return f.check()
	}
	return nil
}

func (f *fake) MaxEvidence() transport.Evidence { return cmp.Or(f.most, transport.Accepted) }

func (f *fake) Collector() *stats.Collector {
	if f.collect != nil {
		return f.collect()
	}
	return f.Transport.Collector()
}

var features = Features{
	Evidence: transport.Acknowledged, Metadata: true, ID: true, ContentType: true, APIKey: true, Text: true,
	MaxPayload: tooLong - 1,
}

// newFake returns a harness of a fake and its peers, which are scripted.
func newFake(t *testing.T, f *fake) Harness {
	t.Helper()
	h := Harness{
		Transport: f, Received: &Inbox{}, Reached: &Inbox{},
		Healthy: endpoint(t, "mem://healthy/in"), Down: endpoint(t, "mem://down/in"), Refusing: endpoint(t, "mem://refusing/in"),
		Failing: endpoint(t, "mem://failing/in"), Hanging: endpoint(t, "mem://hanging/in"),
		Dropping: endpoint(t, "mem://dropping/in"),
	}
	inner, err := memout.New(memout.Options{Capacity: -1, Respond: respond(h.Received, h.Reached)})
	if err != nil {
		t.Fatal(err)
	}
	f.Transport = inner
	return h
}

func respond(received, reached *Inbox) handler {
	return func(ctx context.Context, m *outbound.Message) (outbound.Receipt, error) {
		switch m.Endpoint.Host() {
		case "down":
			return outbound.Receipt{}, &outbound.DeliveryError{Op: "dial", Err: errors.New("nobody there")}
		case "refusing":
			return outbound.Receipt{}, &outbound.DeliveryError{Class: transport.Permanent, MaybeSent: true, Code: "400"}
		case "failing":
			return outbound.Receipt{}, &outbound.DeliveryError{Class: transport.Throttled, MaybeSent: true, Code: "429"}
		case "dropping":
			return outbound.Receipt{}, &outbound.DeliveryError{Class: transport.Unknown, MaybeSent: true, Code: "reset"}
		case "hanging":
			reached.Add(Received{ID: m.ID})
			<-ctx.Done()
			return outbound.Receipt{}, ctx.Err()
		}
		received.Add(Received{
			Payload: m.Payload, Text: m.Text, ContentType: m.ContentType, Metadata: m.Metadata,
			ID: m.ID, APIKey: m.Endpoint.APIKey().Reveal(),
		})
		return outbound.Receipt{}, nil
	}
}

func endpoint(t *testing.T, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// replaced returns a fake whose errors are changed.
func replaced(change func(*outbound.DeliveryError)) func() *fake {
	return func() *fake {
		return &fake{handle: func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			receipt, err := next(ctx, m)
			if delivery, ok := errors.AsType[*outbound.DeliveryError](err); ok {
				change(delivery)
			}
			return receipt, err
		}}
	}
}

// sending returns a fake that changes what is sent.
func sending(change func(*outbound.Message)) func() *fake {
	return func() *fake {
		return &fake{handle: func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			other := *m
			change(&other)
			return next(ctx, &other)
		}}
	}
}

// handling returns a fake with that HandleMessage.
func handling(handle func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error)) func() *fake {
	return func() *fake { return &fake{handle: handle} }
}

func succeed(context.Context, *outbound.Message, handler) (outbound.Receipt, error) {
	return outbound.Receipt{Evidence: transport.Acknowledged}, nil
}

// deaf makes attempts that do not end with their context.
func deaf(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
	if m.Endpoint.Host() != "hanging" {
		return next(ctx, m)
	}
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return next(late, m)
}

// twice delivers each message twice.
func twice(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
	if receipt, err := next(ctx, m); err != nil {
		return receipt, err
	}
	return next(ctx, m)
}

// some returns a fake in which every hundredth message meets a fault.
func some(fault func(context.Context, *outbound.Message, handler) (outbound.Receipt, error)) func() *fake {
	return func() *fake {
		var calls atomic.Int64
		return &fake{handle: func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
			if calls.Add(1)%100 == 0 {
				return fault(ctx, m, next)
			}
			return next(ctx, m)
		}}
	}
}

// sticky returns a fake that sends the first message's metadata with the others.
func sticky() *fake {
	kept := transport.Metadata{}
	return &fake{handle: func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
		maps.Copy(kept, m.Metadata)
		other := *m
		other.Metadata = kept.Clone()
		return next(ctx, &other)
	}}
}

// telling returns a fake whose errors have that cause.
func telling(cause func(*outbound.Message) error) func() *fake {
	return handling(func(ctx context.Context, m *outbound.Message, next handler) (outbound.Receipt, error) {
		receipt, err := next(ctx, m)
		if err != nil {
			err = &outbound.DeliveryError{Transport: "fake", Endpoint: m.Endpoint, MaybeSent: true, Err: cause(m)}
		}
		return receipt, err
	})
}

// wrapped is an error whose text does not show its cause.
type wrapped struct {
	text  string
	cause error
}

func (w *wrapped) Error() string { return w.text }
func (w *wrapped) Unwrap() error { return w.cause }

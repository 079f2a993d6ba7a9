package outbound_test

import (
	"context"
	"testing"

	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// BenchmarkSendAndDeliver sends messages, one after the other, to a transport
// that does nothing, and waits until they are delivered.
func BenchmarkSendAndDeliver(b *testing.B) {
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		b.Fatal(err)
	}
	m, err := outbound.New(store, outbound.Options{Workers: 4})
	if err != nil {
		b.Fatal(err)
	}
	if err := m.Register(&idle{}); err != nil {
		b.Fatal(err)
	}
	if err := m.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	to, err := transport.ParseEndpoint("idle://host/")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Send(b.Context(), outbound.Message{Endpoint: to, Payload: []byte("hello")}); err != nil {
			b.Fatal(err)
		}
	}
	if err := m.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := m.Stop(b.Context()); err != nil {
		b.Fatal(err)
	}
}

// idle is a transport that does nothing.
type idle struct{ outbound.Base }

func (*idle) Schemes() []string           { return []string{"idle"} }
func (*idle) Start(context.Context) error { return nil }
func (*idle) Stop(context.Context) error  { return nil }
func (*idle) HandleMessage(context.Context, *outbound.Message) (outbound.Receipt, error) {
	return outbound.Receipt{Evidence: transport.Written}, nil
}

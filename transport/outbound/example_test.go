package outbound_test

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// logTransport delivers to standard output: a transport in ten lines.
type logTransport struct{ outbound.Base }

func (*logTransport) Schemes() []string           { return []string{"log"} }
func (*logTransport) Start(context.Context) error { return nil }
func (*logTransport) Stop(context.Context) error  { return nil }
func (*logTransport) HandleMessage(_ context.Context, m *outbound.Message) (outbound.Receipt, error) {
	fmt.Printf("%s <- %s\n", m.Endpoint, m.Payload)
	return outbound.Receipt{Evidence: transport.Written}, nil
}

// Register a transport of your own for a URI scheme, and send through it.
func ExampleManager_Register() {
	ctx := context.Background()
	store, err := memqueue.New(memqueue.Options{})
	check(err)
	manager, err := outbound.New(store, outbound.Options{})
	check(err)
	check(manager.Register(&logTransport{}))
	check(manager.Start(ctx))

	endpoint, err := transport.ParseEndpoint("log://console/greetings?token=secret")
	check(err)
	accepted, err := manager.Send(ctx, outbound.Message{Endpoint: endpoint, Payload: []byte("hello")})
	check(err)
	check(manager.Flush(ctx))

	record, err := manager.Get(ctx, accepted.ID, false)
	check(err)
	fmt.Println(accepted.Status, record.Result, record.Evidence)
	_, err = manager.Stop(ctx)
	check(err)
	// Output:
	// log://console/greetings?token=*** <- hello
	// queued_for_delivery delivered written
}

// shout is a wire format that ends payloads with an exclamation mark.
type shout struct{ wireformat.Raw }

func (*shout) Name() string         { return "shout" }
func (*shout) MediaTypes() []string { return []string{"text/x-shout"} }
func (*shout) Encode(_ context.Context, _ *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	return wireformat.Frame{ContentType: "text/x-shout", Text: true, Body: []byte(string(m.Payload) + "!")}, nil
}

// Plug in a wire format of your own, and choose it for a message.
func ExampleOptions_formats() {
	ctx := context.Background()
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), &shout{})...)
	check(err)
	store, err := memqueue.New(memqueue.Options{})
	check(err)
	manager, err := outbound.New(store, outbound.Options{Formats: formats})
	check(err)
	check(manager.Register(&logTransport{}))
	check(manager.Start(ctx))

	endpoint, err := transport.ParseEndpoint("log://console/")
	check(err)
	_, err = manager.Send(ctx, outbound.Message{Endpoint: endpoint, Payload: []byte("hello"), WireFormat: "shout"})
	check(err)
	check(manager.Flush(ctx))
	_, err = manager.Stop(ctx)
	check(err)
	// Output: log://console/ <- hello!
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

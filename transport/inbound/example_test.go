package inbound_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
)

// Receive messages over HTTP, and answer them.
func ExampleManager() {
	ctx := context.Background()
	manager, err := inbound.New(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		if len(m.Payload) == 0 {
			return nil, inbound.ErrMalformed // 400
		}
		return &inbound.Reply{Payload: []byte("you said " + string(m.Payload)), Text: true}, nil
	}, inbound.Options{})
	check(err)
	receiver, err := httpin.New("127.0.0.1:0", httpin.Options{})
	check(err)
	check(manager.Register(receiver))
	check(manager.Start(ctx))

	for _, text := range []string{"hello", ""} {
		response, err := http.Post(receiver.Address(), "text/plain", strings.NewReader(text))
		check(err)
		answer, err := io.ReadAll(response.Body)
		check(err)
		check(response.Body.Close())
		fmt.Printf("%s: %s\n", response.Status, answer)
	}
	check(manager.Stop(ctx))
	// Output:
	// 200 OK: you said hello
	// 400 Bad Request: the message cannot be read
}

// Write to a peer later, on the connection that it has opened.
func ExampleManager_Deliver() {
	ctx := context.Background()
	mobile, err := inbound.ByToken(inbound.Token{
		Name: "mobile", Secret: transport.NewSecret("s3cret"), Profile: profile.Default(),
	})
	check(err)
	manager, err := inbound.New(func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		return nil, nil // it is taken, and there is nothing to say yet
	}, inbound.Options{Tenants: mobile})
	check(err)
	receiver := &inboundtest.Memory{} // or a wsin.Transport
	check(manager.Register(receiver))
	check(manager.Start(ctx))

	// The peer connects, and asks for everything that is meant for it.
	peer, err := receiver.Dial(inbound.Origin{Token: transport.NewSecret("s3cret")})
	check(err)
	check(peer.Send(ctx, wireformat.Frame{
		ContentType: "application/json", Text: true, Body: []byte(`{"@id":"1","~transport":{"return_route":"all"}}`),
	}))

	to := transport.Peer{Keys: []string{"token:mobile"}}
	fmt.Println("reached:", manager.Reaches(profile.DefaultID, to))
	evidence, err := manager.Deliver(ctx, profile.DefaultID, to, transport.ID{}, wireformat.Frame{Text: true, Body: []byte("news")})
	check(err)
	message, err := peer.Receive(ctx)
	check(err)
	fmt.Printf("%s: %s\n", evidence, message.Frame.Body)

	peer.Close()
	_, err = manager.Deliver(ctx, profile.DefaultID, to, transport.ID{}, wireformat.Frame{})
	fmt.Println(err)
	check(manager.Stop(ctx))
	// Output:
	// reached: true
	// written: news
	// the peer has no session that takes the message
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
	}
}

package agent_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// An agent inside a program needs no API.
func ExampleNew() {
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer receiver.Close()
	if err := deliver(context.Background(), receiver.URL); err != nil {
		fmt.Println(err)
	}
	// Output: outbound-message::delivered
}

// A message for a peer without an address waits until the peer comes for it.
func ExampleAgent_Inbound() {
	ctx := context.Background()
	a, err := agent.New(agent.Config{
		Memory: true, API: agent.APIConfig{Listen: agent.ListenOff},
		Inbound: agent.InboundConfig{Listen: []string{"http://127.0.0.1:0"}, Handler: agent.HandlerDrop}, // peers only fetch
		Profiles: map[string]profile.Options{profile.DefaultID: {
			Inbound: profile.Inbound{Tokens: map[string]transport.Secret{"phone": transport.NewSecret("s3cret")}},
			Pickup:  profile.Pickup{Enabled: true},
		}},
	}, agent.Options{})
	check(err)
	check(a.Start(ctx))
	sent, err := a.Manager().Send(ctx, outbound.Message{
		Payload: []byte("news"), Text: true, Target: wireformat.Target{Recipients: []string{inbound.PrefixToken + "phone"}},
	})
	check(err)
	fmt.Println(sent.Status)

	// The peer shows its token, says that it takes everything on this connection, and
	// asks until there is something.
	var answer []byte
	for len(answer) == 0 {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.Inbound().Addresses()[0], strings.NewReader("hello"))
		check(err)
		request.Header.Set("Authorization", "Bearer s3cret")
		request.Header.Set(inbound.HeaderReturnRoute, wireformat.ReturnRouteAll)
		response, err := http.DefaultClient.Do(request)
		check(err)
		answer, err = io.ReadAll(response.Body)
		check(err)
		check(response.Body.Close())
	}
	fmt.Printf("%s\n", answer)
	http.DefaultClient.CloseIdleConnections()
	_, err = a.Stop(ctx)
	check(err)
	// Output:
	// waiting_for_pickup
	// news
}

func check(err error) {
	if err != nil {
		fmt.Println(err)
	}
}

func deliver(ctx context.Context, uri string) error {
	a, err := agent.New(agent.Config{
		Memory:       true,
		API:          agent.APIConfig{Listen: agent.ListenOff},
		AllowPrivate: true, // the receiver is on this machine
	}, agent.Options{})
	if err != nil {
		return err
	}
	delivered, err := a.Events().Subscribe(outbound.TopicDelivered, event.SubscribeOptions{})
	if err != nil {
		return err
	}
	if err := a.Start(ctx); err != nil {
		return err
	}
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return err
	}
	if _, err := a.Manager().Send(ctx, outbound.Message{Endpoint: endpoint, Payload: []byte("hello")}); err != nil {
		return err
	}
	told, err := delivered.Wait(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Println(told.Topic)
	_, err = a.Stop(ctx)
	return err
}

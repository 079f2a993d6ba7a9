package agent_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
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

package memout_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/memout"
)

// One destination takes messages, and another asks to be left alone.
func Example() {
	mem, err := memout.New(memout.Options{
		Respond: func(_ context.Context, m *outbound.Message) (outbound.Receipt, error) {
			if m.Endpoint.Host() == "busy.example" {
				return outbound.Receipt{}, &outbound.DeliveryError{
					Op: "post", Class: transport.Throttled, RetryAfter: time.Minute, Err: errors.New("too many messages"),
				}
			}
			return outbound.Receipt{Code: "200"}, nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := mem.Start(ctx); err != nil {
		log.Fatal(err)
	}

	for _, uri := range []string{"mem://idle.example/inbox", "mem://busy.example/inbox"} {
		endpoint, err := transport.ParseEndpoint(uri)
		if err != nil {
			log.Fatal(err)
		}
		receipt, err := mem.HandleMessage(ctx, &outbound.Message{Endpoint: endpoint, Payload: []byte("hello")})
		fmt.Println(receipt.Evidence, receipt.Code, err)
	}
	fmt.Printf("%s\n", (<-mem.Deliveries()).Payload)
	fmt.Println(mem.Stop(ctx))

	// Output:
	// acknowledged 200 <nil>
	// none  mem post mem://busy.example/inbox: too many messages
	// hello
	// <nil>
}

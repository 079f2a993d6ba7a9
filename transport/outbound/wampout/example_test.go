package wampout_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
)

// A manager that has the transport delivers to topics and procedures, as it does
// to any other endpoint.
func Example() {
	driver, err := wampout.New(wampout.Options{})
	if err != nil {
		log.Fatal(err)
	}
	local, err := profile.New("local", profile.Options{
		Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, uri := range []string{
		"wamp+ws://127.0.0.1:8080/ws/realm1/com.example.orders",
		"wamp+ws://127.0.0.1:8080/ws/realm1/com.example.orders?call=true&payload=args",
		"wamp+ws://127.0.0.1:8080/com.example.orders",
	} {
		endpoint, err := transport.ParseEndpoint(uri)
		if err != nil {
			log.Fatal(err)
		}
		m := &outbound.Message{Endpoint: endpoint, Profile: local, Payload: []byte(`["order-17", 3]`), Text: true}
		fmt.Println(driver.CheckMessage(context.Background(), m))
	}

	// Output:
	// <nil>
	// <nil>
	// endpoint: want the host, the realm and the topic: wamp+ws://host/realm/topic
}

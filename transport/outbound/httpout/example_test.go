package httpout_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/httpout"
)

// A receiver on this machine is not public, so the profile has to allow it.
func Example() {
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("%s %s, key %s: %s\n", r.Method, r.Header.Get("Content-Type"), r.Header.Get("X-Api-Key"), body)
		w.WriteHeader(http.StatusAccepted)
	}))
	defer receiver.Close()

	tenant, err := profile.New("acme", profile.Options{Egress: profile.Egress{
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	endpoint, err := transport.ParseEndpoint(receiver.URL + "/inbox#s3cret")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := httpout.New(httpout.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}

	// A manager does the rest: it starts and stops the transport, and makes the
	// attempts.
	ctx := context.Background()
	if err := client.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = client.Stop(ctx) }()
	receipt, err := client.HandleMessage(ctx, &outbound.Message{
		Endpoint: endpoint, Profile: tenant, Payload: []byte(`{"hello":"world"}`), Text: true, ID: transport.NewID(time.Now()),
	})
	fmt.Println(receipt.Evidence, receipt.Code, err)
	// Output:
	// POST application/json, key s3cret: {"hello":"world"}
	// acknowledged 202 <nil>
}

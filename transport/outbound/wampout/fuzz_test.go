package wampout_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
)

// FuzzEndpoint: whatever endpoint and payload are given, checking them ends with
// nothing secret in the error, and what is refused there is refused by an attempt.
func FuzzEndpoint(f *testing.F) {
	for _, uri := range []string{
		"wamp+ws://h/r/t", "wamp+wss://u:p@h:1/a%2Fb/r/t?call=1&payload=args&x=y#k", "wamp+ws://h//r/t/", "wamp+ws://[::1]/%00/..", "wamp+ws:/r/t",
	} {
		f.Add(uri, []byte("[1]"))
	}
	tr, err := wampout.New(wampout.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string, payload []byte) {
		if strings.Contains(uri, "canary") {
			return
		}
		endpoint, err := transport.ParseEndpoint(uri + "#canary")
		if err != nil {
			return
		}
		m := outboundtest.Message(t, "wamp+ws://h/r/t", payload)
		m.Endpoint = endpoint
		err = tr.CheckMessage(t.Context(), m)
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("the error has a secret: %v", err)
		}
		_, attempt := tr.HandleMessage(t.Context(), m) // it is not started
		fault, ok := errors.AsType[*outbound.DeliveryError](attempt)
		if !ok || fault.MaybeSent || strings.Contains(attempt.Error(), "canary") {
			t.Errorf("an attempt that cannot be made: %v", attempt)
		}
	})
}

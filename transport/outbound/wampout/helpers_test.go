package wampout_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// base is the endpoint of a router's realm, without the topic.
func base(r *wamptest.Router) string {
	u := r.URL()
	return "wamp+" + u.String() + "/" + wamptest.Realm + "/"
}

func started(t *testing.T, options wampout.Options) *wampout.Transport {
	t.Helper()
	tr, err := wampout.New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
		defer cancel()
		if err := tr.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// local returns a profile like outboundtest's, with settings.
func local(t *testing.T, options profile.Options) *profile.Profile {
	t.Helper()
	options.Egress = outboundtest.Message(t, "wamp+ws://h/r/t", "").Profile.Egress()
	p, err := profile.New("tenant", options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func faultOf(t *testing.T, err error) *outbound.DeliveryError {
	t.Helper()
	fault, ok := errors.AsType[*outbound.DeliveryError](err)
	if !ok {
		t.Fatalf("the error is %v", err)
	}
	return fault
}

// receive is a publication as the kit wants to see it.
func receive(p wamp.Payload) outboundtest.Received {
	got := outboundtest.Received{Metadata: transport.Metadata{}}
	switch v := p.Args[0].(type) {
	case string:
		got.Payload, got.Text = []byte(v), true
	case []byte:
		got.Payload = v
	}
	got.ContentType, _ = p.Kwargs["content_type"].(string)
	id, _ := p.Kwargs["id"].(string)
	got.ID, _ = transport.ParseID(id)
	metadata, _ := p.Kwargs["metadata"].(map[string]any)
	for name, v := range metadata {
		got.Metadata[name], _ = v.(string)
	}
	return got
}

// suffix tells the topics of the harness apart.
func suffix(topic string) string { return topic[strings.LastIndexByte(topic, '.')+1:] }

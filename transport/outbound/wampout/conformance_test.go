package wampout_test

import (
	"testing"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

func TestConformance(t *testing.T) {
	outboundtest.Run(t, func(t *testing.T) outboundtest.Harness { return newHarness(t, "") }, outboundtest.Features{
		Evidence: transport.Accepted, Metadata: true, ID: true, ContentType: true, Text: true,
	})
}

func TestConformanceOfCalls(t *testing.T) {
	outboundtest.Run(t, func(t *testing.T) outboundtest.Harness { return newHarness(t, "?call=true") }, outboundtest.Features{
		Evidence: transport.Acknowledged, Metadata: true, ID: true, ContentType: true, Text: true,
	})
}

// newHarness has one router, whose topics and procedures are the peers.
func newHarness(t *testing.T, query string) outboundtest.Harness {
	t.Helper()
	tr, err := wampout.New(wampout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	received, reached := new(outboundtest.Inbox), new(outboundtest.Inbox)
	router := wamptest.New(t, wamptest.Options{Handle: func(m wamp.Message) ([]wamp.Message, bool) {
		var topic string
		var request wamp.ID
		var done wamp.Message
		switch m := m.(type) {
		case *wamp.Publish:
			topic, request, done = m.Topic, m.Request, &wamp.Published{Request: m.Request, Publication: 1}
		case *wamp.Call:
			topic, request, done = m.Procedure, m.Request, &wamp.Result{Request: m.Request}
		default:
			return nil, true
		}
		payload, _ := m.(wamp.Carrier).Carries()
		refuse := func(uri string) ([]wamp.Message, bool) {
			return []wamp.Message{&wamp.Error{RequestType: m.Type(), Request: request, Error: uri}}, true
		}
		switch suffix(topic) {
		case "refusing":
			return refuse("wamp.error.not_authorized")
		case "failing":
			return refuse("wamp.error.authorization_failed")
		case "hanging":
			reached.Add(receive(payload))
			return nil, true
		}
		received.Add(receive(payload))
		return []wamp.Message{done}, true
	}})
	at := func(uri string) transport.Endpoint {
		endpoint, err := transport.ParseEndpoint(uri + query)
		if err != nil {
			t.Fatal(err)
		}
		return endpoint
	}
	return outboundtest.Harness{
		Transport: tr,
		Healthy:   at(base(router) + "com.x.healthy"),
		Refusing:  at(base(router) + "com.x.refusing"),
		Failing:   at(base(router) + "com.x.failing"),
		Hanging:   at(base(router) + "com.x.hanging"),
		Down:      at("wamp+ws://" + fakepeer.Nobody(t) + "/realm1/com.x.down"),
		Received:  received,
		Reached:   reached,
		Close:     router.Close,
	}
}

//go:build unix

package brokers

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/amqpin"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// receipt is a message that a handler has, and waits to be told what to answer.
type receipt struct {
	*inbound.Message

	answer chan error
}

// take starts a receiver of a peer's node, and returns what it receives.
func take(t *testing.T, peer *process, node string, onEvent func(amqp1.Event)) <-chan receipt {
	t.Helper()
	tenant, err := profile.New(profile.DefaultID, profile.Options{
		Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.ParseEndpoint("amqp://" + peer.address() + "/" + node)
	if err != nil {
		t.Fatal(err)
	}
	receiver, err := amqpin.New(tenant, endpoint, amqpin.Options{AMQP: amqp1.Options{OnEvent: onEvent}})
	if err != nil {
		t.Fatal(err)
	}
	received := make(chan receipt)
	manager, err := inbound.New(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		r := receipt{m, make(chan error, 1)}
		select {
		case received <- r:
		case <-t.Context().Done(): // nobody receives any more
			return nil, inbound.ErrBusy
		}
		select {
		case err := <-r.answer:
			return nil, err
		case <-t.Context().Done():
			return nil, inbound.ErrBusy
		}
	}, inbound.Options{})
	if err == nil {
		err = manager.Register(receiver)
	}
	if err == nil {
		err = manager.Start(context.WithoutCancel(t.Context()))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 20*time.Second)
		defer cancel()
		if err := manager.Stop(ctx); err != nil {
			t.Errorf("Stop: %v", err)
		}
	})
	return received
}

// next returns the next message that a receiver has.
func next(t *testing.T, received <-chan receipt) receipt {
	t.Helper()
	select {
	case r := <-received:
		return r
	case <-time.After(time.Minute): // a link that was lost can take 30 s to be tried again
		t.Fatal("nothing is received")
		panic("unreachable")
	}
}

// testInbound has a receiver of ours answer in every way. What it took or refused does not
// come again; what it gives back does, where the broker keeps it: Proton's examples
// forget it.
func testInbound(t *testing.T, peer *process, node string, keeps bool) {
	t.Helper()
	d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{})
	send := func(body string) {
		t.Helper()
		_, err := d.Send(t.Context(), outbound.Message{
			Endpoint: d.endpoint("amqp://" + peer.address() + "/" + node), Payload: []byte(body), Profile: d.tenant,
			Metadata: transport.Metadata{"kind": "order", "amqp.subject": "orders"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	received := take(t, peer, node, func(e amqp1.Event) {
		if e.Kind == amqp1.LinkLost {
			t.Errorf("the link ended: %v", e.Err)
		}
	})
	for _, test := range []struct {
		name   string
		answer error
		again  bool
	}{
		{"accept", nil, false},
		{"reject", amqpin.Rejected("amqp:precondition-failed", "no"), false},
		{"release", amqpin.Released(), true},
		{"modify", amqpin.Modified(true, false, amqp1.Annotations{"x-opt-why": "no"}), true},
		{"last", nil, false},
	} {
		send(test.name)
		r := next(t, received)
		if string(r.Payload) != test.name || r.Metadata["kind"] != "order" || r.Metadata["amqp.subject"] != "orders" || r.ID.IsZero() {
			t.Errorf("%s: %q, %v, id %v", test.name, r.Payload, r.Metadata, r.ID)
		}
		r.answer <- test.answer
		if test.again && keeps {
			again := next(t, received)
			if string(again.Payload) != test.name || again.ID != r.ID {
				t.Errorf("%s: %q comes in place of what was given back", test.name, again.Payload)
			}
			again.answer <- nil
		}
	}
}

// testInboundCrash kills a broker that keeps its queue while we receive from it. Each
// message comes. What was accepted just before may come again: the broker need not have
// stored that yet.
func testInboundCrash(t *testing.T, peer *process, node, durable string) {
	t.Helper()
	const messages, accepted = 50, 20
	d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{})
	for i := range messages {
		_, err := d.Send(t.Context(), outbound.Message{
			Endpoint: d.endpoint("amqp://" + peer.address() + "/" + node + durable), Payload: fmt.Append(nil, i), Profile: d.tenant,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	received := take(t, peer, node+durable, func(e amqp1.Event) {
		t.Logf("%s %s %s %s %v", time.Now().Format("04:05.000"), e.Kind, e.State, e.Link, e.Err) // shown when the test fails
	})
	missing := map[string]bool{}
	for i := range messages {
		missing[fmt.Sprint(i)] = true
	}
	for range accepted {
		r := next(t, received)
		delete(missing, string(r.Payload))
		r.answer <- nil
	}
	held := next(t, received)
	peer.kill()
	peer.restart()
	held.answer <- nil // too late: it comes again
	for len(missing) > 0 {
		r := next(t, received)
		delete(missing, string(r.Payload))
		r.answer <- nil
	}
}

// testInboundFetch receives by fetching, with two who do so at once.
func testInboundFetch(t *testing.T, peer *process, node string) {
	t.Helper()
	d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{})
	received := take(t, peer, node+"?fetch=true&concurrency=2", nil)
	for range 10 {
		if _, attempt := d.once("amqp://" + peer.address() + "/" + node); attempt.Class != transport.Success {
			t.Fatal(attempt.Error)
		}
		r := next(t, received)
		if string(r.Payload) != "hello" {
			t.Errorf("%q", r.Payload)
		}
		r.answer <- nil
	}
}

// testInboundDynamic receives from a node that the peer makes and names.
func testInboundDynamic(t *testing.T, peer *process) {
	t.Helper()
	nodes := make(chan string, 1)
	received := take(t, peer, "?dynamic=true", func(e amqp1.Event) {
		if e.Kind == amqp1.LinkReady {
			nodes <- e.Node
		}
	})
	node := <-nodes
	d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{})
	if _, attempt := d.once("amqp://" + peer.address() + "/" + url.PathEscape(node)); attempt.Class != transport.Success {
		t.Fatalf("to %q: %s", node, attempt.Error)
	}
	r := next(t, received)
	r.answer <- nil
	if string(r.Payload) != "hello" {
		t.Errorf("%q", r.Payload)
	}
}

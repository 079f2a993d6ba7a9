package inbound_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
)

// modelConn is what a connection is expected to take, by key.
type modelConn struct {
	*inboundtest.Conn
	asked   map[string]string          // all or none, once said
	threads map[string]map[string]bool // asked for
}

func (c *modelConn) takes(key, thread string) bool {
	return c.asked[key] == "all" || c.asked[key] != "none" && thread != "" && c.threads[key][thread]
}

func (c *modelConn) ask(key, route, thread string) {
	switch route {
	case "all":
		c.asked[key], c.threads[key] = "all", nil
	case "none":
		c.asked[key], c.threads[key] = "none", nil
	case "thread":
		if c.asked[key] == "all" || thread == "" {
			return
		}
		if c.threads[key] == nil {
			c.threads[key] = map[string]bool{}
		}
		c.threads[key][thread] = true
		c.asked[key] = "thread"
	}
}

// FuzzSessions: whatever peers ask for on their sessions, and however these come
// and go, a message goes where a simple model says, and nowhere else.
func FuzzSessions(f *testing.F) {
	f.Add([]byte{0, 0, 0x11, 0x41, 2, 0x80, 3})
	f.Add([]byte{0, 0x12, 0x52, 0x92, 0, 0x10, 0x32, 0xff, 1, 2, 3, 4, 5})
	f.Add([]byte("sessions come and go, and so do routes"))
	f.Fuzz(func(t *testing.T, steps []byte) {
		a := start(t, ignore, inbound.Options{Tenants: peers(t)})
		var open []*modelConn
		routes, threads := []string{"", "all", "none", "thread"}, []string{"", "t1", "t2"}
		for i, step := range steps[:min(len(steps), 200)] {
			key, thread := fmt.Sprint(step>>2&3), threads[int(step>>4)%3]
			switch {
			case step%4 == 0 || len(open) == 0:
				c, err := a.mem.Dial(origin())
				send(t, err)
				open = append(open, &modelConn{c, map[string]string{}, map[string]map[string]bool{}})
			case step%4 == 1:
				at := i % len(open)
				open[at].Close()
				open = append(open[:at], open[at+1:]...)
			case step%4 == 2:
				c, route := open[i%len(open)], routes[step>>6]
				send(t, c.Send(t.Context(), text("x", "Peer", key, inbound.HeaderReturnRoute, route, inbound.HeaderThreadID, thread)))
				c.ask(key, route, thread)
			default:
				checkDelivery(t, a, open, key, thread)
			}
		}
		for _, c := range open {
			c.Close()
		}
		for key := range 4 {
			if a.Reaches(tenant, peer(fmt.Sprint(key))) {
				t.Errorf("key %d is reached without a session", key)
			}
		}
	})
}

// checkDelivery: the oldest session that takes the message gets it.
func checkDelivery(t *testing.T, a *agent, open []*modelConn, key, thread string) {
	t.Helper()
	var want *modelConn
	for _, c := range open {
		if c.takes(key, thread) {
			want = c
			break
		}
	}
	to := transport.Peer{Keys: []string{key}, Thread: thread}
	if got := a.Reaches(tenant, to); got != (want != nil) {
		t.Fatalf("key %s, thread %q: Reaches is %v", key, thread, got)
	}
	_, err := a.Deliver(t.Context(), tenant, to, transport.ID{}, text("for "+key))
	if want == nil {
		if !errors.Is(err, transport.ErrNoSession) {
			t.Fatalf("key %s, thread %q: %v, want ErrNoSession", key, thread, err)
		}
		return
	}
	send(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it is there already
	if got, err := want.Receive(ctx); err != nil || string(got.Frame.Body) != "for "+key {
		t.Fatalf("key %s, thread %q: the oldest session that takes it has %v, %v", key, thread, got, err)
	}
}

// FuzzReceive: whatever a frame and its header say, the message is handled or
// refused, and the handler never sees a peer that was not proven.
func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"@id":"1","~transport":{"return_route":"all"}}`), "application/json", "all", "t")
	f.Add([]byte("\xff"), "", "none", "")
	f.Add([]byte(`{`), "application/x;;", "thread", "\x00")
	f.Fuzz(func(t *testing.T, body []byte, contentType, route, thread string) {
		a := start(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
			if m.Peer != "" {
				t.Errorf("the peer is %q", m.Peer)
			}
			return &inbound.Reply{Payload: m.Payload, WireFormat: "raw"}, nil
		}, inbound.Options{Unsent: func(context.Context, *inbound.Message, *inbound.Reply) error { return nil }})
		c, err := a.mem.Dial(origin(inbound.HeaderReturnRoute, route, inbound.HeaderThreadID, thread))
		send(t, err)
		err = c.Send(t.Context(), wireformat.Frame{ContentType: contentType, Body: body})
		if refusal := inbound.RefusalOf(err); err != nil && refusal != inbound.Malformed {
			t.Errorf("%v is %s", err, refusal)
		}
		c.Close()
	})
}

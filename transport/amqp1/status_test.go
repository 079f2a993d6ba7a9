package amqp1

import (
	"net"
	"strconv"
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

func TestAttach(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{
		MaxMessage: 5000, Capabilities: amqppeer.Symbols{"ANONYMOUS-RELAY", "other"},
		Properties: amqppeer.Map{amqppeer.Symbol("product"), "peer"},
	})
	s := newTestSender(t, p, Options{}, Target{})
	a, err := s.Attach(within(t, soon))
	if err != nil {
		t.Fatal(err)
	}
	if a.Node != "q" || a.Link == "" || a.MaxMessageSize != 5000 || a.Peer.ContainerID != "peer" || a.Peer.MaxFrameSize != 64<<10 ||
		a.Peer.ChannelMax != 1023 || len(a.Peer.OfferedCapabilities) != 2 || a.Peer.Properties["product"] != "peer" {
		t.Errorf("attachment %+v", a)
	}
	if n := p.Deliveries.Load(); n != 0 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		amqppeer.Reject(c, d, "amqp:resource-limit-exceeded", "")
	}})
	s := newTestSender(t, p, Options{}, Target{})
	for range 3 {
		if _, err := s.Send(within(t, soon), text("x"), SendOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	senders := s.container.Senders()
	if len(senders) != 1 {
		t.Fatalf("%d senders", len(senders))
	}
	got := senders[0]
	if got.Node != "q" || got.State != Open || got.Attached != 1 || got.Outcomes[Rejected] != 3 || got.Conditions[ResourceLimitExceeded] != 3 || got.InFlight != 0 {
		t.Errorf("sender %+v", got)
	}
	connections := s.container.Connections()
	if len(connections) != 1 {
		t.Fatalf("%d connections", len(connections))
	}
	if c := connections[0]; c.Links != 1 || c.FramesOut < 6 || c.FramesIn < 6 || c.BytesIn == 0 || c.BytesOut == 0 || c.Peer.ContainerID != "peer" {
		t.Errorf("connection %+v", c)
	}
}

// TestRedirect: a peer may say that the node is elsewhere. It is followed once.
func TestRedirect(t *testing.T) {
	t.Parallel()
	there := startPeer(t, amqppeer.Options{})
	host, port, err := net.SplitHostPort(there.Addr())
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	info := amqppeer.Map{amqppeer.Symbol("network-host"), host, amqppeer.Symbol("port"), uint16(number), amqppeer.Symbol("address"), "moved"}
	for name, o := range map[string]amqppeer.Options{
		"of the link": {Refuse: func(string) *amqppeer.Error {
			return &amqppeer.Error{Condition: "amqp:link:redirect", Info: info}
		}},
		"of the connection": {Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
			if f.Code == amqppeer.Open {
				c.Send(0, amqppeer.Open, "peer")
				c.Close(&amqppeer.Error{Condition: "amqp:connection:redirect", Info: info})
			}
			return true
		}},
	} {
		s := newTestSender(t, startPeer(t, o), Options{}, Target{})
		out, err := s.Send(within(t, soon), text("x"), SendOptions{})
		if err != nil || out.State != Accepted {
			t.Errorf("%s: %v, %v", name, out.State, err)
		}
	}
}

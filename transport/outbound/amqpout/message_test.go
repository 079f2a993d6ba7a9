package amqpout_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// deliver sends a message to a peer, and returns what arrived.
func deliver(t *testing.T, query string, change func(*outbound.Message)) (*message.Message, *amqppeer.Delivery, outbound.Receipt) {
	t.Helper()
	arrived := make(chan *amqppeer.Delivery, 1)
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		arrived <- d
		amqppeer.Accept(c, d)
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	tr, err := amqpout.New(amqpout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tr.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	tenant, err := profile.New("tenant", profile.Options{Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.ParseEndpoint("amqp://" + p.Addr() + "/q" + query)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	m := &outbound.Message{
		Endpoint: endpoint, Payload: []byte("payload"), Profile: tenant, ID: transport.NewID(now), Attempt: 1, QueuedAt: now,
	}
	if change != nil {
		change(m)
	}
	if err := tr.CheckMessage(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	receipt, err := tr.HandleMessage(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	d := <-arrived
	return decode(t, d), d, receipt
}

func TestMessageByDefault(t *testing.T) {
	t.Parallel()
	m, _, receipt := deliver(t, "", nil)
	if receipt.Evidence != transport.Accepted || receipt.Code != "accepted" {
		t.Errorf("receipt %+v", receipt)
	}
	p := m.Properties
	if !m.Header.Durable || m.Header.DeliveryCount != 0 || m.Header.TTL != nil || string(m.Data[0]) != "payload" ||
		*p.To != "q" || *p.ContentType != "application/octet-stream" || p.CreationTime == nil ||
		p.UserID != nil || p.GroupID != nil || m.DeliveryAnnotations != nil || m.MessageAnnotations != nil {
		t.Errorf("message %+v, properties %+v", m, p)
	}
}

func TestMessageByOptions(t *testing.T) {
	t.Parallel()
	m, _, _ := deliver(t, "?durable=false&ttl=1m&priority=9&subject=s&to=elsewhere&reply-to=r&correlation-id=c&group-id=g&group-sequence=3"+
		"&reply-to-group-id=rg&content-type=text/plain&content-encoding=gzip&user-id=u&property.p=1&annotation.x-opt-a=2&delivery-annotation.x-opt-d=3", nil)
	p := m.Properties
	if m.Header.Durable || *m.Header.TTL != 60_000 || *m.Header.Priority != 9 {
		t.Errorf("header %+v", m.Header)
	}
	if *p.Subject != "s" || *p.To != "elsewhere" || *p.ReplyTo != "r" || p.CorrelationID != value.String("c") || *p.GroupID != "g" ||
		*p.GroupSequence != 3 || *p.ReplyToGroupID != "rg" || *p.ContentType != "text/plain" || *p.ContentEncoding != "gzip" || string(p.UserID) != "u" {
		t.Errorf("properties %+v", p)
	}
	if properties(m)["p"] != "1" || !slices.Equal(m.MessageAnnotations, value.Map{{Key: value.Symbol("x-opt-a"), Value: value.String("2")}}) ||
		!slices.Equal(m.DeliveryAnnotations, value.Map{{Key: value.Symbol("x-opt-d"), Value: value.String("3")}}) {
		t.Errorf("message %+v", m)
	}
}

func TestValueOfAWireFormatIsTheBody(t *testing.T) {
	t.Parallel()
	body := value.Described{Descriptor: value.Symbol("a:b"), Value: value.List{value.Char('c'), value.Decimal64{1}}}
	encoded, err := value.Encode(body)
	if err != nil {
		t.Fatal(err)
	}
	m, _, _ := deliver(t, "", func(m *outbound.Message) { m.ContentType, m.Payload = value.MediaType, encoded })
	if !value.Equal(m.Value, body) || m.Data != nil || m.Properties.ContentType != nil {
		t.Errorf("message %+v", m)
	}
}

func TestMessageByItsOwnFields(t *testing.T) {
	t.Parallel()
	m, d, _ := deliver(t, "?subject=s&body=value", func(m *outbound.Message) {
		m.Metadata = transport.Metadata{"amqp.subject": "mine", "amqp.annotation.x-opt-a": "2", "kind": "k"}
		m.Text, m.Priority, m.OrderingKey, m.Attempt = true, 1, "order-7", 3
		m.ExpiresAt = time.Now().Add(time.Hour)
	})
	if *m.Properties.Subject != "mine" || m.Value != value.String("payload") || m.Data != nil || m.Properties.ContentType != nil {
		t.Errorf("message %+v", m)
	}
	if *m.Header.Priority != 7 || m.Header.DeliveryCount != 2 || *m.Properties.GroupID != "order-7" ||
		*m.Header.TTL > 3_600_000 || *m.Header.TTL < 3_590_000 || m.Properties.AbsoluteExpiryTime == nil {
		t.Errorf("header %+v", m.Header)
	}
	if got := properties(m); got["kind"] != "k" || len(got) != 1 {
		t.Errorf("application properties %v", got)
	}
	if len(d.Tag) != 20 {
		t.Errorf("delivery tag %x", d.Tag)
	}
}

func TestSettled(t *testing.T) {
	t.Parallel()
	_, d, receipt := deliver(t, "?settled=true", nil)
	if !d.Settled || receipt.Evidence != transport.Written || receipt.Code != "settled" {
		t.Errorf("settled %t, receipt %+v", d.Settled, receipt)
	}
}

func TestRelay(t *testing.T) {
	t.Parallel()
	m, d, _ := deliver(t, "?relay=true", nil)
	if d.Address != "" || *m.Properties.To != "q" {
		t.Errorf("target %q, to %q", d.Address, *m.Properties.To)
	}
}

// TestProxy: an endpoint is reached through the profile's proxy, which knows its name.
func TestProxy(t *testing.T) {
	t.Parallel()
	var proxy *egresstest.Proxy
	_, _, receipt := deliver(t, "", func(m *outbound.Message) {
		proxy = egresstest.NewProxy(t, egresstest.OpenTunnel, m.Endpoint.Address())
		var err error
		if m.Profile, err = profile.New("proxied", profile.Options{Egress: profile.Egress{Proxy: proxy.URL}}); err != nil {
			t.Fatal(err)
		}
		if m.Endpoint, err = transport.ParseEndpoint("amqp://broker.example/q"); err != nil {
			t.Fatal(err)
		}
	})
	if asked := <-proxy.Asked; asked.Host != "broker.example:5672" || receipt.Evidence != transport.Accepted {
		t.Errorf("the proxy was asked for %s; evidence %v", asked.Host, receipt.Evidence)
	}
}

func TestMetadataIsChecked(t *testing.T) {
	t.Parallel()
	tr, err := amqpout.New(amqpout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.ParseEndpoint("amqp://example.com/q#key")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"amqp.colour": "red", "amqp.priority": "10", "amqp.ttl": "soon", "x-api-key": "twice"} {
		m := &outbound.Message{Endpoint: endpoint, Metadata: transport.Metadata{name: value}}
		if err := tr.CheckMessage(t.Context(), m); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}

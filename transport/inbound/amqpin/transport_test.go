package amqpin_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/amqpin"
)

const patience = 20 * time.Second

func endpoint(t *testing.T, text string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// local is a profile that may reach this machine.
func local(t *testing.T) *profile.Profile {
	t.Helper()
	p, err := profile.New("local", profile.Options{Egress: profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// start runs a peer, and a manager that receives from its node "q", until the end
// of the test.
func start(t *testing.T, peerOptions amqppeer.Options, query string, handler inbound.Handler) (*amqppeer.Peer, *inbound.Manager) {
	t.Helper()
	peer, err := amqppeer.Listen(t.Context(), "", peerOptions)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	return peer, run(t, local(t), "amqp://"+peer.Addr()+"/q"+query, handler)
}

// run runs a manager that receives from a node as a profile, until the end of the test.
func run(t *testing.T, p *profile.Profile, uri string, handler inbound.Handler) *inbound.Manager {
	t.Helper()
	tr, err := amqpin.New(p, endpoint(t, uri), amqpin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := inbound.New(handler, inbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Register(tr); err != nil {
		t.Fatal(err)
	}
	if err := m.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
		defer cancel()
		if err := m.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return m
}

// encode is a message on the wire.
func encode(t *testing.T, m *message.Message) []byte {
	t.Helper()
	encoded, err := message.Encode(m, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestMessagesArriveWithWhatIsBesideThem(t *testing.T) {
	t.Parallel()
	got := make(chan *inbound.Message, 1)
	peer, _ := start(t, amqppeer.Options{}, "", func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- m
		return nil, nil
	})
	id := transport.NewID(time.Now())
	for name, test := range map[string]struct {
		message     message.Message
		body        string
		text        bool
		contentType string
		metadata    transport.Metadata
		id          transport.ID
	}{
		"data": {
			message: message.Message{
				Header: &message.Header{Priority: new(uint8(7)), DeliveryCount: 3},
				Properties: &message.Properties{
					MessageID: value.String(id.String()), ContentType: new("application/json"), Subject: new("orders"),
					CorrelationID: value.ULong(17), ReplyTo: new("answers"),
				},
				ApplicationProperties: value.Map{{Key: value.String("kind"), Value: value.String("order")}, {Key: value.String("n"), Value: value.Int(4)}},
				MessageAnnotations:    value.Map{{Key: value.Symbol("x-opt-key"), Value: value.Symbol("k1")}},
				Data:                  [][]byte{[]byte(`{"a"`), []byte(`:1}`)},
			},
			body: `{"a":1}`, text: true, contentType: "application/json", id: id,
			metadata: transport.Metadata{
				"kind": "order", "n": "4", "amqp.subject": "orders", "amqp.correlation-id": "17", "amqp.reply-to": "answers",
				"amqp.priority": "7", "amqp.delivery-count": "3", "amqp.annotation.x-opt-key": "k1", "Message-Id": id.String(),
				"amqp.message-id": id.String(),
			},
		},
		"text":      {message: message.Message{Value: value.String("hello")}, body: "hello", text: true},
		"bytes":     {message: message.Message{Value: value.Binary("\x00\xff")}, body: "\x00\xff"},
		"number":    {message: message.Message{Value: value.UInt(23)}, body: "\x52\x17", contentType: value.MediaType},
		"sequences": {message: message.Message{Sequences: []value.List{{value.Bool(true)}, {value.Null{}}}}, body: "\xd0\x00\x00\x00\x06\x00\x00\x00\x02\x41\x40", contentType: value.MediaType},
		"nothing":   {message: message.Message{Data: [][]byte{{}}}},
	} {
		peer.Put("q", encode(t, &test.message))
		m := <-got
		if string(m.Payload) != test.body || m.Text != test.text || test.contentType != "" && m.ContentType != test.contentType || m.ID != test.id {
			t.Errorf("%s: %q, text %v, %q, id %s", name, m.Payload, m.Text, m.ContentType, m.ID)
		}
		if fmt.Sprint(m.Metadata) != fmt.Sprint(test.metadata) {
			t.Errorf("%s: metadata %v, want %v", name, m.Metadata, test.metadata)
		}
		if m.Origin.Scheme != "amqp" || m.Origin.Path != "q" {
			t.Errorf("%s: from %+v", name, m.Origin)
		}
	}
}

// TestProxy: a node is reached through the profile's proxy, which knows its name.
func TestProxy(t *testing.T) {
	t.Parallel()
	peer, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, peer.Addr())
	p, err := profile.New("proxied", profile.Options{Egress: profile.Egress{Proxy: proxy.URL}})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan *inbound.Message, 1)
	run(t, p, "amqp://broker.example/q", func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- m
		return nil, nil
	})
	peer.Put("q", encode(t, &message.Message{Value: value.String("through")}))
	if m := <-got; string(m.Payload) != "through" {
		t.Errorf("got %q", m.Payload)
	}
	if asked := <-proxy.Asked; asked.Host != "broker.example:5672" {
		t.Errorf("the proxy was asked for %s", asked.Host)
	}
}

// TestOutcomes: what the handler says is what the peer learns.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	states := make(chan string, 10)
	answers := make(chan error, 1)
	peer, _ := start(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Disposition {
			states <- fmt.Sprint(f.Field(4))
		}
		return false
	}}, "", func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, <-answers })
	described := func(code uint64, fields ...any) string {
		return fmt.Sprint(amqppeer.Described{Descriptor: code, Value: fields})
	}
	rejected := func(condition, description string) string {
		return described(amqppeer.StateRejected, amqppeer.Described{Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol(condition), description}})
	}
	for name, test := range map[string]struct {
		answer error
		want   string
		again  bool // it comes again
	}{
		"taken":             {nil, described(amqppeer.StateAccepted), false},
		"malformed":         {fmt.Errorf("secret: %w", inbound.ErrMalformed), rejected("amqp:decode-error", inbound.ErrMalformed.Error()), false},
		"unknown recipient": {inbound.ErrUnknownRecipient, rejected("amqp:not-found", inbound.ErrUnknownRecipient.Error()), false},
		"refused":           {inbound.ErrRefused, rejected("amqp:unauthorized-access", inbound.ErrRefused.Error()), false},
		"too large":         {inbound.ErrTooLarge, rejected("amqp:link:message-size-exceeded", inbound.ErrTooLarge.Error()), false},
		"busy":              {inbound.ErrBusy, described(amqppeer.StateReleased), true},
		"failed":            {errors.New("secret"), described(amqppeer.StateModified, true), true},
		"rejected":          {amqpin.Rejected(amqp1.InvalidField, "no"), rejected("amqp:invalid-field", "no"), false},
		"released":          {fmt.Errorf("wrapped: %w", amqpin.Released()), described(amqppeer.StateReleased), true},
		"modified":          {amqpin.Modified(true, true, amqp1.Annotations{"x-opt-why": "full"}), described(amqppeer.StateModified, true, true, amqppeer.Map{amqppeer.Symbol("x-opt-why"), "full"}), true},
	} {
		peer.Put("q", encode(t, &message.Message{Value: value.String(name)}))
		answers <- test.answer
		if got := <-states; got != test.want || strings.Contains(got, "secret") {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if test.again {
			answers <- nil
			<-states
		}
	}
}

// TestALostConnectionLosesNothing drops the connection again and again while
// messages are handled.
func TestALostConnectionLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 300
	var transfers atomic.Int64
	seen := make(chan string, 10*n)
	peer, _ := start(t, amqppeer.Options{Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Disposition && transfers.Add(1)%100 == 50 {
			c.Drop()
			return true
		}
		return false
	}}, "?concurrency=4&credit=32", func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		seen <- string(m.Payload)
		return nil, nil
	})
	for i := range n {
		peer.Put("q", encode(t, &message.Message{Value: value.String(fmt.Sprint(i))}))
	}
	got := map[string]bool{}
	deadline := time.After(patience)
	for len(got) < n {
		select {
		case body := <-seen:
			got[body] = true
		case <-deadline:
			t.Fatalf("%d of %d messages came, over %d connections", len(got), n, peer.Connections.Load())
		}
	}
	if peer.Connections.Load() < 2 {
		t.Error("no connection was lost")
	}
}

// TestTheSourceIsAsTheURLSays: what the peer is asked for.
func TestTheSourceIsAsTheURLSays(t *testing.T) {
	t.Parallel()
	attaches := make(chan *amqppeer.Frame, 1)
	start(t, amqppeer.Options{Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Attach {
			select {
			case attaches <- f:
			default:
			}
		}
		return false
	}}, "?selector=kind%3D'order'&copy=true&link-name=sub1&durability=unsettled-state&expiry-policy=never&expiry-timeout=90s&capabilities=queue",
		func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, nil })
	f := <-attaches
	source, _ := f.Field(5).(amqppeer.Described)
	fields, _ := source.Value.([]any)
	if f.Text(0) != "sub1" || len(fields) < 11 {
		t.Fatalf("link %q, source %v", f.Text(0), fields)
	}
	for i, want := range map[int]any{0: "q", 1: uint32(2), 2: amqppeer.Symbol("never"), 3: uint32(90), 6: amqppeer.Symbol("copy")} {
		if fields[i] != want {
			t.Errorf("field %d of the source is %v, want %v", i, fields[i], want)
		}
	}
	if filter := fmt.Sprint(fields[7]); !strings.Contains(filter, "apache.org:selector-filter:string") || !strings.Contains(filter, "kind='order'") {
		t.Errorf("filter %s", filter)
	}
}

// TestAHandlerThatFailsIsNotHurried: the broker delivers what is given back at once.
func TestAHandlerThatFailsIsNotHurried(t *testing.T) {
	t.Parallel()
	const times = 6
	handled := make(chan time.Time, 1000)
	peer, _ := start(t, amqppeer.Options{}, "", func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		handled <- time.Now()
		return nil, errors.New("down")
	})
	peer.Put("q", encode(t, &message.Message{Value: value.String("x")}))
	first := <-handled
	last := first
	for range times - 1 {
		last = <-handled
	}
	if took := last.Sub(first); took < 310*time.Millisecond { // 10 + 20 + 40 + 80 + 160
		t.Errorf("%d times in %v", times, took)
	}
}

// TestStopSettlesWhatIsHandled, and gives the rest back.
func TestStopSettlesWhatIsHandled(t *testing.T) {
	t.Parallel()
	begun, end := make(chan struct{}, 5), make(chan struct{})
	peer, m := start(t, amqppeer.Options{}, "", func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		begun <- struct{}{}
		<-end
		return nil, nil
	})
	for i := range 5 {
		peer.Put("q", encode(t, &message.Message{Value: value.String(fmt.Sprint(i))}))
	}
	<-begun
	short, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := m.Stop(short); err == nil {
		t.Error("it has stopped while a message was handled")
	}
	close(end)
	if err := m.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := peer.Waiting("q"); left != 4 {
		t.Errorf("%d messages are left at the peer, want 4", left)
	}
}

func TestARefusedLinkIsTriedAgain(t *testing.T) {
	t.Parallel()
	var refused atomic.Int64
	got := make(chan *inbound.Message, 1)
	peer, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Refuse: func(string) *amqppeer.Error {
		if refused.Add(1) > 2 {
			return nil
		}
		return &amqppeer.Error{Condition: "amqp:not-found", Description: "not yet"}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(peer.Close)
	tr, err := amqpin.New(local(t), endpoint(t, "amqp://"+peer.Addr()+"/q"), amqpin.Options{AMQP: amqp1.Options{RefusedFor: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := inbound.New(func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- m
		return nil, nil
	}, inbound.Options{})
	if err == nil {
		err = m.Register(tr)
	}
	if err == nil {
		err = m.Start(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop(context.WithoutCancel(t.Context())) })
	peer.Put("q", encode(t, &message.Message{Value: value.String("at last")}))
	if m := <-got; string(m.Payload) != "at last" {
		t.Errorf("got %q", m.Payload)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"http://127.0.0.1/q":                      "want amqp or amqps",
		"amqp://127.0.0.1/":                       "either an address or is dynamic",
		"amqp://127.0.0.1/q?dynamic=true":         "either an address or is dynamic",
		"amqp://127.0.0.1/q?colour=canary":        `option "colour" is not known: want address, allow-insecure`,
		"amqp://127.0.0.1/q?canary":               "an option without a value",
		"amqp://127.0.0.1/q?credit=canary":        "option credit: want a whole number",
		"amqp://127.0.0.1/q?concurrency=0":        "option concurrency: want a whole number of 1 to 1024",
		"amqp://127.0.0.1/q?fetch=canary":         "option fetch: want true or false",
		"amqp://127.0.0.1/q?durability=canary":    "option durability: want none",
		"amqp://127.0.0.1/q?expiry-timeout=-1s":   "option expiry-timeout: want a duration",
		"amqp://127.0.0.1/q?expiry-policy=canary": "option expiry-policy: want link-detach",
		"amqp://127.0.0.1/q?credit=9&credit=8":    "more than once",
		"amqp://user:canary@127.0.0.1/q?sasl=xyz": "sasl mechanism",
	} {
		_, err := amqpin.New(local(t), endpoint(t, url), amqpin.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary@") || strings.Contains(err.Error(), ":canary") {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	if _, err := amqpin.New(profile.Default(), endpoint(t, "amqp://127.0.0.1/q"), amqpin.Options{}); err != nil {
		t.Errorf("what a profile may not reach is said at the start: %v", err)
	}
}

// TestAHandlerThatEndsItsGoroutine: its message has failed and comes again, and the
// receiver goes on.
func TestAHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	got := make(chan string, 2)
	peer, _ := start(t, amqppeer.Options{}, "", func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		if calls.Add(1) == 1 {
			runtime.Goexit()
		}
		got <- string(m.Payload)
		return nil, nil
	})
	peer.Put("q", encode(t, &message.Message{Value: value.String("x")}))
	select {
	case body := <-got:
		if body != "x" {
			t.Errorf("got %q", body)
		}
	case <-time.After(patience):
		t.Fatal("nothing is received any more")
	}
}

// TestALinkCannotBeClosed: nobody says that it is ending, by hand or by its age, and
// messages come on.
func TestALinkCannotBeClosed(t *testing.T) {
	t.Parallel()
	got := make(chan string, 2)
	peer, m := start(t, amqppeer.Options{}, "", func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- string(m.Payload)
		return nil, nil
	})
	all := m.Sessions()
	if len(all) != 1 {
		t.Fatalf("sessions: %+v", all)
	}
	if err := m.CloseSession(all[0].ID); !errors.Is(err, inbound.ErrLasting) {
		t.Errorf("%v, want ErrLasting", err)
	}
	peer.Put("q", encode(t, &message.Message{Value: value.String("x")}))
	if body := <-got; body != "x" {
		t.Errorf("got %q", body)
	}
}

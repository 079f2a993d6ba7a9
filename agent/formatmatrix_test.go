package agent

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
	"github.com/outrider-go/outrider/wireformat/didcomm"
	"github.com/outrider-go/outrider/wireformat/wamp"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// TestFormatsByTransport sends in each wire format over each transport that carries
// it, to another agent, and reads what that received: the table of
// docs/wireformats.md.
func TestFormatsByTransport(t *testing.T) {
	t.Parallel()
	file, keys := keyFile(t, profile.Ed25519, profile.Ed25519)
	tenant := map[string]profile.Options{profile.DefaultID: {
		KeyFile: file, Secrets: map[string]transport.Secret{"webhook": webhook.NewSecret()},
		Settings: map[string]string{cloudevents.SettingSource: "/src", cloudevents.SettingType: "t"},
	}}
	received := make(chan *inbound.Message, 1)
	broker, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Queue: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	node := "amqp://" + broker.Addr() + "/queue"
	there := startHandler(t, Config{
		AllowPrivate: true, Profiles: tenant,
		Inbound: InboundConfig{Listen: []string{"ws://127.0.0.1:0", "http://127.0.0.1:0"}, From: []transport.Endpoint{mustEndpoint(t, node)}},
	}, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		received <- m
		return nil, nil
	})
	b := start(t, func(c *Config) { c.Profiles = tenant })
	formats, p := b.formats()
	alice, bob := secmod.Names(keys[0]), secmod.Names(keys[1])
	one, two, plain := `{"@type":"t","n":1}`, `{"id":"1","type":"t","from":"`+alice.DID+`"}`, `{"n":1}`
	for _, test := range []struct{ format, payload, sender, recipient, schemes string }{
		{"raw", plain, "", "", "http ws amqp"},
		{"json", plain, "", "", "http ws amqp"},
		{"cbor", plain, "", "", "http ws amqp"},
		{"msgpack", plain, "", "", "http ws amqp"},
		{"ubjson", plain, "", "", "http ws amqp"},
		{"amqpjson", `{"type":"list","value":[{"type":"int","value":1},"a"]}`, "", "", "amqp"},
		{didcomm.NameV1, one, alice.Verkey, bob.Verkey, "http ws amqp"},
		{didcomm.NameV2, two, alice.DID, bob.DID, "http ws amqp"},
		{didcomm.NameSigned, two, alice.DID, "", "http ws amqp"},
		{didcomm.NameAny, one, alice.DID, bob.DID, "http ws amqp"},
		{didcomm.NameAny, two, alice.DID, bob.DID, "http ws amqp"},
		{didcomm.NameACAPy, one, alice.DID, bob.DID, "http ws amqp"},
		{cloudevents.NameStructured, plain, "", "", "http ws amqp"},
		{cloudevents.NameBatch, plain, "", "", "http"},
		{cloudevents.NameBinary, plain, "", "", "http"},
		{cloudevents.NameAMQP, plain, "", "", "amqp"},
		{"webhook", plain, "", "", "http"},
	} {
		for scheme := range strings.FieldsSeq(test.schemes) {
			request := SendRequest{Endpoint: node, Payload: &test.payload, WireFormat: test.format, SenderKey: test.sender}
			if scheme != "amqp" {
				request.Endpoint = there.address(scheme)
			}
			if test.recipient != "" {
				request.Recipients = []string{test.recipient}
			}
			id := b.send(request)
			var m *inbound.Message
			select {
			case m = <-received:
			case <-time.After(patience):
				t.Fatalf("%s over %s: nothing arrived: %+v", test.format, scheme, b.message(id, ""))
			}
			f, err := formats.ByName(test.format)
			if err != nil {
				t.Fatal(err)
			}
			parsed, receipt, err := f.Parse(t.Context(), p, m.Frame)
			got := string(parsed.Payload)
			if test.format == cloudevents.NameBatch && err == nil {
				events, parseErr := cloudevents.ParseBatch(parsed.Payload)
				if parseErr != nil {
					t.Fatal(parseErr)
				}
				got = string(events[0].Data)
			}
			if err != nil || got != test.payload || receipt.Format != test.format || (test.sender != "") != (receipt.Sender != "") {
				t.Errorf("%s over %s: %s, %+v, %v", test.format, scheme, got, receipt, err)
			}
			if scheme != "ws" && string(m.Payload) != test.payload && test.format != cloudevents.NameBatch {
				t.Errorf("%s over %s: the receiving agent read %s as %s", test.format, scheme, m.Payload, m.Receipt.Format)
			}
		}
	}
}

// formats returns what reads what the default profile has sent.
func (b *bench) formats() (*wireformat.Registry, *profile.Profile) {
	b.t.Helper()
	p, closeKeys, err := b.agent.config.OpenProfile(b.t.Context(), profile.DefaultID)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = closeKeys(context.WithoutCancel(b.t.Context())) })
	formats, err := Formats()
	if err != nil {
		b.t.Fatal(err)
	}
	return formats, p
}

// TestFormatsThroughARouter sends in every wire format through a WAMP router, and
// reads what subscribers get.
func TestFormatsThroughARouter(t *testing.T) {
	t.Parallel()
	file, keys := keyFile(t, profile.Ed25519, profile.Ed25519)
	published := make(chan *wamp.Publish, 1)
	router := wamptest.New(t, wamptest.Options{Handle: func(m wamp.Message) ([]wamp.Message, bool) {
		if p, ok := m.(*wamp.Publish); ok {
			published <- p
		}
		return nil, false
	}})
	u := router.URL()
	endpoint := "wamp+" + u.String() + "/" + wamptest.Realm + "/com.x"
	b := start(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{profile.DefaultID: {
			KeyFile: file, Secrets: map[string]transport.Secret{"webhook": webhook.NewSecret()},
			Settings: map[string]string{cloudevents.SettingSource: "/src", cloudevents.SettingType: "t"},
		}}
	})
	formats, p := b.formats()
	alice, bob := secmod.Names(keys[0]), secmod.Names(keys[1])
	for _, name := range formats.Names() {
		f, err := formats.ByName(name)
		if err != nil {
			t.Fatal(err)
		}
		request := SendRequest{Endpoint: endpoint, Payload: new(`{"n":1}`), WireFormat: name}
		switch {
		case name == "amqpjson":
			request.Payload = new(`{"type":"int","value":1}`)
		case strings.HasPrefix(name, didcomm.NameV2):
			request.Payload, request.SenderKey = new(`{"id":"1","type":"t","from":"`+alice.DID+`"}`), alice.DID
			if name == didcomm.NameV2 {
				request.Recipients = []string{bob.DID}
			}
		case strings.HasPrefix(name, didcomm.NameAny):
			request.Payload, request.SenderKey, request.Recipients = new(`{"@type":"t"}`), alice.DID, []string{bob.DID}
		}
		id := b.send(request)
		var m *wamp.Publish
		select {
		case m = <-published:
		case <-time.After(patience):
			t.Fatalf("%s: nothing arrived: %+v", name, b.message(id, ""))
		}
		frame := wireformat.Frame{Header: map[string]string{}}
		switch body := m.Args[0].(type) {
		case string:
			frame.Text, frame.Body = true, []byte(body)
		case []byte:
			frame.Body = body
		}
		frame.ContentType, _ = m.Kwargs["content_type"].(string)
		metadata, _ := m.Kwargs["metadata"].(map[string]any)
		for name, value := range metadata {
			frame.Header[name], _ = value.(string)
		}
		parsed, receipt, err := f.Parse(t.Context(), p, frame)
		if err != nil || receipt.Format != name || len(parsed.Payload) == 0 || m.Kwargs["id"] != id.String() {
			t.Errorf("%s: %s, %+v, %v", name, parsed.Payload, receipt, err)
		}
		if name != cloudevents.NameBatch && string(parsed.Payload) != *request.Payload {
			t.Errorf("%s: %s was read, want %s", name, parsed.Payload, *request.Payload)
		}
	}
}

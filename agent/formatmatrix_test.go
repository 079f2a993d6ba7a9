package agent

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
	"github.com/outrider-go/outrider/wireformat/didcomm"
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
	other, err := New(Config{
		Memory: true, API: APIConfig{Listen: ListenOff}, Inbound: InboundConfig{Listen: []string{"ws://127.0.0.1:0", "http://127.0.0.1:0"}}, Profiles: tenant,
	}, Options{Handler: func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		received <- m
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	there := &bench{t: t, agent: other, client: &http.Client{}}
	t.Cleanup(there.stop)
	b := start(t, func(c *Config) { c.Profiles = tenant })
	p, closeKeys, err := b.agent.config.OpenProfile(t.Context(), profile.DefaultID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeKeys(context.WithoutCancel(t.Context())) })
	formats, err := Formats()
	if err != nil {
		t.Fatal(err)
	}
	alice, bob := secmod.Names(keys[0]), secmod.Names(keys[1])
	one, two, plain := `{"@type":"t","n":1}`, `{"id":"1","type":"t","from":"`+alice.DID+`"}`, `{"n":1}`
	for _, test := range []struct{ format, payload, sender, recipient, schemes string }{
		{"raw", plain, "", "", "http ws"},
		{"json", plain, "", "", "http ws"},
		{didcomm.NameV1, one, alice.Verkey, bob.Verkey, "http ws"},
		{didcomm.NameV2, two, alice.DID, bob.DID, "http ws"},
		{didcomm.NameSigned, two, alice.DID, "", "http ws"},
		{didcomm.NameAny, one, alice.DID, bob.DID, "http ws"},
		{didcomm.NameAny, two, alice.DID, bob.DID, "http ws"},
		{didcomm.NameACAPy, one, alice.DID, bob.DID, "http ws"},
		{cloudevents.NameStructured, plain, "", "", "http ws"},
		{cloudevents.NameBatch, plain, "", "", "http"},
		{cloudevents.NameBinary, plain, "", "", "http"},
		{"webhook", plain, "", "", "http"},
	} {
		for scheme := range strings.FieldsSeq(test.schemes) {
			request := SendRequest{Endpoint: there.address(scheme), Payload: &test.payload, WireFormat: test.format, SenderKey: test.sender}
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
			if scheme == "http" && string(m.Payload) != test.payload && test.format != cloudevents.NameBatch {
				t.Errorf("%s over %s: the receiving agent read %s as %s", test.format, scheme, m.Payload, m.Receipt.Format)
			}
		}
	}
}

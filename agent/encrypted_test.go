package agent

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/didcomm"
)

// envelopes encodes and reads for a profile that has the keys of both sides.
type envelopes struct {
	t       *testing.T
	tenant  map[string]profile.Options
	p       *profile.Profile
	formats *wireformat.Registry
	alice   secmod.PublicNames
	bob     secmod.PublicNames
}

func newEnvelopes(t *testing.T) *envelopes {
	t.Helper()
	file, keys := keyFile(t, profile.Ed25519, profile.Ed25519)
	tenant := map[string]profile.Options{profile.DefaultID: {KeyFile: file, Pickup: profile.Pickup{Enabled: true}}}
	p, closeKeys, err := Config{Profiles: tenant}.OpenProfile(t.Context(), profile.DefaultID)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = closeKeys(context.WithoutCancel(t.Context())) })
	formats, err := Formats()
	if err != nil {
		t.Fatal(err)
	}
	return &envelopes{t, tenant, p, formats, secmod.Names(keys[0]), secmod.Names(keys[1])}
}

// toBob is a message of Alice's to Bob, as it goes over the wire.
func (e *envelopes) toBob(format, payload string) wireformat.Frame {
	e.t.Helper()
	f, err := e.formats.ByName(format)
	if err != nil {
		e.t.Fatal(err)
	}
	to := wireformat.Target{Sender: e.alice.DID, Recipients: []string{e.bob.DID}}
	if format == didcomm.NameV1 {
		to = wireformat.Target{Sender: e.alice.Verkey, Recipients: []string{e.bob.Verkey}}
	}
	frame, err := f.Encode(e.t.Context(), e.p, wireformat.Message{Text: true, Payload: []byte(payload)}, to)
	if err != nil {
		e.t.Fatal(err)
	}
	return frame
}

// wantFromBob reads what came over the wire, which must be Bob's and for Alice alone.
func (e *envelopes) wantFromBob(format string, body []byte, payload string) {
	e.t.Helper()
	f, err := e.formats.ByName(format)
	if err != nil {
		e.t.Fatal(err)
	}
	m, receipt, err := f.Parse(e.t.Context(), e.p, wireformat.Frame{Text: true, Body: body})
	if err != nil || string(m.Payload) != payload || !receipt.Authenticated || receipt.Recipient == "" {
		e.t.Errorf("got %s, %+v, %v; want %s", m.Payload, receipt, err, payload)
	}
}

// TestAnEncryptedMessageIsAnsweredEncrypted: the answer of the application, which
// knows nothing of envelopes, comes back in one.
func TestAnEncryptedMessageIsAnsweredEncrypted(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	for format, test := range map[string]struct{ asks, answers string }{
		didcomm.NameV1: {`{"@type":"t","~transport":{"return_route":"all"}}`, `{"@type":"t","n":42}`},
		didcomm.NameV2: {
			`{"id":"1","type":"t","from":"` + e.alice.DID + `","return_route":"all"}`,
			`{"id":"2","type":"t","from":"` + e.bob.DID + `"}`,
		},
	} {
		url, got := app(t, test.answers)
		b := start(t, receives(t, func(c *Config) {
			c.Profiles = e.tenant
			c.Inbound.Forward = mustEndpoint(t, url)
		}))
		frame := e.toBob(format, test.asks)
		a := b.post(b.address("http"), string(frame.Body), "Content-Type", frame.ContentType)
		if a.status != http.StatusOK {
			t.Fatalf("%s: %d %q", format, a.status, a.body)
		}
		if header := <-got; header.Get(MetadataFormat) != format || header.Get(MetadataPeer) == "" || header.Get(MetadataRecipient) == "" {
			t.Errorf("%s: forwarded with %v", format, header)
		}
		e.wantFromBob(format, []byte(a.body), test.answers)
	}
}

// TestThreadsOfAnEncryptedSession: a session takes the threads it has asked for, and
// the others wait; so does a reply that its peer did not want on the session.
func TestThreadsOfAnEncryptedSession(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	reply := `{"id":"reply","type":"t","from":"` + e.bob.DID + `"}`
	b := startHandler(t, Config{
		AllowPrivate: true, API: APIConfig{Listen: "127.0.0.1:0"}, Profiles: e.tenant,
		Inbound: InboundConfig{Listen: []string{"ws://127.0.0.1:0"}},
	}, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		if m.Receipt.ReturnRoute != wireformat.ReturnRouteNone {
			return nil, nil
		}
		return &inbound.Reply{Payload: []byte(reply), Text: true}, nil
	})
	conn := b.dial(b.address("ws"))
	say := func(more string) {
		t.Helper()
		frame := e.toBob(didcomm.NameV2, `{"id":"1","type":"t","from":"`+e.alice.DID+`"`+more+`}`)
		if err := conn.WriteMessage(websocket.TextMessage, frame.Body); err != nil {
			t.Fatal(err)
		}
		if err := conn.WriteControl(websocket.PingMessage, []byte("outrider:1"), time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	handled := make(chan struct{}, 10)
	conn.SetPongHandler(func(string) error {
		handled <- struct{}{}
		return nil
	})
	got := make(chan []byte, 10)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			_, body, err := conn.ReadMessage()
			if err != nil {
				return
			}
			got <- body
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-ended
	})
	next := func() []byte {
		t.Helper()
		select {
		case body := <-got:
			return body
		case <-time.After(patience):
			t.Fatal("nothing comes on the session")
			return nil
		}
	}
	send := func(thread string) (transport.ID, string) {
		t.Helper()
		payload := `{"id":"` + thread + `","type":"t","from":"` + e.bob.DID + `"}`
		id := b.send(SendRequest{
			Recipients: []string{e.alice.DID}, SenderKey: e.bob.DID, ThreadID: thread, Payload: &payload, WireFormat: didcomm.NameV2,
		})
		return id, payload
	}

	say(`,"thid":"mine","return_route":"thread"`)
	<-handled
	other, otherPayload := send("other")
	if m := b.message(other, ""); m.Status != "waiting_for_pickup" {
		t.Errorf("of another thread: %s", m.Status)
	}
	_, payload := send("mine")
	e.wantFromBob(didcomm.NameV2, next(), payload)

	say(`,"return_route":"none"`)
	<-handled
	say(`,"return_route":"all"`)
	e.wantFromBob(didcomm.NameV2, next(), otherPayload)
	e.wantFromBob(didcomm.NameV2, next(), reply)
}

// TestTwoSpellingsOfAKey: a recipient's verkey and its did:key are one recipient, for
// what waits and for the session that it opens with either.
func TestTwoSpellingsOfAKey(t *testing.T) {
	t.Parallel()
	e := newEnvelopes(t)
	for format, hello := range map[string]string{
		didcomm.NameV1: `{"@type":"t","~transport":{"return_route":"all"}}`,
		didcomm.NameV2: `{"id":"1","type":"t","from":"` + e.alice.DID + `","return_route":"all"}`,
	} {
		b := start(t, func(c *Config) {
			c.Profiles = e.tenant
			c.Inbound = InboundConfig{Listen: []string{"ws://127.0.0.1:0"}, Handler: HandlerDrop}
		})
		spellings := []string{e.alice.DID, e.alice.Verkey, e.alice.DID + "#" + strings.TrimPrefix(e.alice.DID, "did:key:")}
		send := func(recipient string) string {
			t.Helper()
			payload := `{"@type":"t","to":"` + recipient + `"}`
			b.send(SendRequest{Recipients: []string{recipient}, SenderKey: e.bob.Verkey, Payload: &payload, WireFormat: didcomm.NameV1})
			return payload
		}
		var want []string
		for _, recipient := range spellings {
			want = append(want, send(recipient))
		}
		for _, recipient := range []string{e.alice.DID, e.alice.Verkey} {
			if page := b.page("GET /v1/messages?endpoint=pickup:" + recipient); len(page.Messages) != len(want) {
				t.Errorf("%d messages are listed for %s, want %d", len(page.Messages), recipient, len(want))
			}
		}
		conn := b.dial(b.address("ws"))
		next := func(payload string) {
			t.Helper()
			if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			_, body, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			e.wantFromBob(didcomm.NameV1, body, payload)
		}
		if err := conn.WriteMessage(websocket.TextMessage, e.toBob(format, hello).Body); err != nil {
			t.Fatal(err)
		}
		for _, payload := range want {
			next(payload)
		}
		for _, recipient := range spellings {
			next(send(recipient))
		}
	}
}

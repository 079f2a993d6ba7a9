package autobahn

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// base is the endpoint of the realm of a router of autobahn's parts.
func base(t *testing.T, router string) string {
	t.Helper()
	return "wamp+" + router + "/realm1/"
}

func driver(t *testing.T, options wampout.Options) *wampout.Transport {
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

// with returns the serializer of that id alone.
func with(t *testing.T, id string) []*wamp.Serializer {
	t.Helper()
	for _, s := range serializer.Builtin() {
		if s.Info().ID == id {
			if s.Info().Batched {
				s = batched(t, s)
			}
			made, err := wamp.NewSerializer(s, wamp.SerializerOptions{})
			if err != nil {
				t.Fatal(err)
			}
			return []*wamp.Serializer{made}
		}
	}
	t.Fatal("no serializer", id)
	return nil
}

type event struct {
	Args   []any
	Kwargs map[string]any
	Joined string
}

func (p *process) event(t *testing.T) (e event) {
	t.Helper()
	if err := json.Unmarshal([]byte(p.line(t)), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

// joined starts a client, and waits until it has joined.
func joined(t *testing.T, arguments ...string) *process {
	t.Helper()
	client := start(t, "client.py", arguments...)
	if e := client.event(t); e.Joined != "realm1" {
		t.Fatalf("the client says %+v", e)
	}
	return client
}

// TestDelivery: what we publish in each serializer reaches an autobahn client, and
// it answers what we call.
func TestDelivery(t *testing.T) {
	t.Parallel()
	router := start(t, "router.py").line(t)
	client := joined(t, router, "msgpack")
	for _, s := range serializer.Builtin() {
		tr := driver(t, wampout.Options{Serializers: with(t, s.Info().ID)})
		m := outboundtest.Message(t, base(t, router)+"com.x.t", "héllo ✓")
		m.Metadata = transport.Metadata{"x-a": "b"}
		receipt, err := tr.HandleMessage(t.Context(), m)
		if err != nil || receipt.Evidence != transport.Accepted {
			t.Fatalf("%s: %+v, %v", s.Info().ID, receipt, err)
		}
		want := map[string]any{"id": m.ID.String(), "content_type": m.ContentType, "metadata": map[string]any{"x-a": "b"}}
		if e := client.event(t); !reflect.DeepEqual(e.Args, []any{"héllo ✓"}) || !reflect.DeepEqual(e.Kwargs, want) {
			t.Errorf("%s: the client gets %+v, want %v", s.Info().ID, e, want)
		}
		if _, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, base(t, router)+"com.x.t", []byte{0, 1, 0xff})); err != nil {
			t.Fatal(err)
		}
		if e := client.event(t); !reflect.DeepEqual(e.Args, []any{map[string]any{"$bytes": "0001ff"}}) {
			t.Errorf("%s: the client gets %+v", s.Info().ID, e)
		}
		receipt, err = tr.HandleMessage(t.Context(), outboundtest.Message(t, base(t, router)+"com.x.add?call=true&payload=args", "[2, 3]"))
		if err != nil || receipt.Evidence != transport.Acknowledged || string(receipt.Response) != `{"args":[5],"kwargs":{}}` {
			t.Errorf("%s: %+v %s, %v", s.Info().ID, receipt, receipt.Response, err)
		}
	}
	tr := driver(t, wampout.Options{})
	for procedure, code := range map[string]string{"fail": "com.x.error", "nothing": "wamp.error.no_such_procedure"} {
		_, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, base(t, router)+"com.x."+procedure+"?call=true&payload=args", "[]"))
		if fault, ok := errors.AsType[*outbound.DeliveryError](err); !ok || fault.Code != code || fault.Class != transport.Temporary {
			t.Errorf("%s: %v", procedure, err)
		}
	}
}

// TestAuthentication: autobahn's own checks take our answers, and refuse wrong ones.
func TestAuthentication(t *testing.T) {
	t.Parallel()
	router := start(t, "router.py").line(t)
	keys := secmod.NewMemory(secmod.MemoryOptions{})
	key, err := secmod.NewKey(profile.Ed25519, "k")
	if err == nil {
		err = keys.Open(t.Context())
	}
	if err == nil {
		_, err = keys.AddKey(t.Context(), key)
	}
	if err != nil {
		t.Fatal(err)
	}
	tr := driver(t, wampout.Options{})
	for _, test := range []struct{ user, method, key, code string }{
		{"", "", "", ""},
		{"ticket:ticket-1@", "ticket", "", ""},
		{"ticket:ticket-2@", "ticket", "", "wamp.error.authentication_failed"},
		{"wampcra:secret-1@", "", "", ""},
		{"wampcra:secret-2@", "", "", "wamp.error.authentication_failed"},
		{"cryptosign@", "", "k", ""},
		{"nobody@", "", "", "wamp.error.authentication_failed"},
	} {
		m := outboundtest.Message(t, strings.Replace(base(t, router), "://", "://"+test.user, 1)+"com.x.u", "x")
		settings := map[string]string{}
		if test.method != "" {
			settings[wampout.SettingAuthMethod] = test.method
		}
		if test.key != "" {
			settings[wampout.SettingKey] = test.key
		}
		p, err := profile.New("tenant", profile.Options{Settings: settings, Keys: keys, Egress: m.Profile.Egress()})
		if err != nil {
			t.Fatal(err)
		}
		m.Profile = p
		_, err = tr.HandleMessage(t.Context(), m)
		if test.code == "" {
			if err != nil {
				t.Errorf("%+v: %v", test, err)
			}
			continue
		}
		if fault, ok := errors.AsType[*outbound.DeliveryError](err); !ok || fault.Code != test.code || fault.MaybeSent {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

// TestCryptobox: what we encrypt autobahn decrypts, and the other way round, with
// a router in between that sees bytes.
func TestCryptobox(t *testing.T) {
	t.Parallel()
	const private = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
	router := start(t, "router.py").line(t)
	client := joined(t, router, "cbor", private)
	ring := &wamp.KeyRing{Required: true}
	secret := transport.NewSecret(private)
	if err := ring.Set("com.x.", wamp.CryptoboxKeys{OriginatorPrivate: secret, ResponderPrivate: secret}); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(router)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	s, err := wamp2.Join(ctx, dial, *u, "realm1", wamp2.Options{Codec: ring})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	p := wamp.Payload{Args: []any{int64(1), "é", []byte{1, 2}}, Kwargs: wamp.Dict{"k": []any{nil, 1.5}}}
	if _, err := s.Publish(ctx, "com.x.t", p, nil); err != nil {
		t.Fatal(err)
	}
	if e := client.event(t); !reflect.DeepEqual(e.Args, []any{1.0, "é", map[string]any{"$bytes": "0102"}}) || !reflect.DeepEqual(e.Kwargs, map[string]any{"k": []any{nil, 1.5}}) {
		t.Errorf("the client gets %+v", e)
	}
	back := make(chan wamp2.Event, 1)
	if _, err := s.Subscribe(ctx, "com.x.back", nil, func(e wamp2.Event) { back <- e }); err != nil {
		t.Fatal(err)
	}
	if result, err := s.Call(ctx, "com.x.add", wamp.Payload{Args: []any{int64(2), int64(3)}}, nil); err != nil || !reflect.DeepEqual(result.Args, []any{int64(5)}) {
		t.Errorf("the result is %v, %v", result.Args, err)
	}
	if _, err := s.Call(ctx, "com.x.say", p, nil); err != nil {
		t.Fatal(err)
	}
	select {
	case e := <-back:
		if e.Err != nil || !reflect.DeepEqual(e.Payload, p) {
			t.Errorf("the event is %v %v, %v", e.Payload.Args, e.Payload.Kwargs, e.Err)
		}
	case <-ctx.Done():
		t.Error("no event came back")
	}
}

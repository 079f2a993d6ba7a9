package wampout_test

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

func TestOptionsNameEachFault(t *testing.T) {
	t.Parallel()
	_, err := wampout.New(wampout.Options{JoinTimeout: -1, IdleTimeout: -1, MaxSessions: -1, MaxMessage: -1})
	for _, field := range []string{"join timeout", "idle timeout", "max sessions", "max message"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error is %v, want %s", err, field)
		}
	}
}

func TestCheckMessage(t *testing.T) {
	t.Parallel()
	tr, err := wampout.New(wampout.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ uri, payload, want string }{
		{"wamp+ws://127.0.0.1/realm1/com.x", "", ""},
		{"wamp+wss://u:p@127.0.0.1:8080/a/b/realm1/com.x?token=t", "", ""},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=args", "[1]", ""},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=args&call=true", `{"a":1}`, ""},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=value", "1", ""},
		{"ws://127.0.0.1/realm1/com.x", "", "endpoint: want the scheme"},
		{"wamp+ws://127.0.0.1/realm1", "", "endpoint: want the host, the realm and the topic"},
		{"wamp+ws://127.0.0.1/realm1/", "", "endpoint: want the host, the realm and the topic"},
		{"wamp+ws:///realm1/com.x", "", "endpoint: want the host, the realm and the topic"},
		{"wamp+ws:realm1/com.x", "", "endpoint: want the host, the realm and the topic"},
		{"wamp+ws://127.0.0.1/realm1/com..x", "", "endpoint: the realm or the topic is not"},
		{"wamp+ws://127.0.0.1/realm1/com%20x", "", "endpoint: the realm or the topic is not"},
		{"wamp+ws://127.0.0.1/realm1/com.x?call=maybe", "", "endpoint: the query's call"},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=xml", "", "endpoint: the query's payload"},
		{"wamp+ws://10.0.0.1/realm1/com.x", "", "endpoint: 10.0.0.1 is a private address"},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=value", "{", "payload: the payload is not JSON"},
		{"wamp+ws://127.0.0.1/realm1/com.x?payload=args", "1", "payload: the payload is neither"},
	} {
		m := outboundtest.Message(t, test.uri, test.payload)
		err := tr.CheckMessage(t.Context(), m)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want %q", test.uri, test.payload, err, test.want)
		}
		if err == nil {
			continue
		}
		if _, ok := errors.AsType[*outbound.FieldError](err); !ok {
			t.Errorf("%s: the error is a %T", test.uri, err)
		}
	}
	m := outboundtest.Message(t, "wamp+ws://127.0.0.1/realm1/com.x?call=true", "")
	m.MinEvidence = transport.Accepted
	if err := tr.CheckMessage(t.Context(), m); err == nil || !strings.HasPrefix(err.Error(), "min_evidence: ") {
		t.Errorf("a call cannot be accepted by a broker: %v", err)
	}
	for setting, value := range map[string]string{
		wampout.SettingAuthMethod: "kerberos", wampout.SettingBind: "perhaps",
	} {
		m := outboundtest.Message(t, "wamp+ws://127.0.0.1/realm1/com.x", "")
		m.Profile = local(t, profile.Options{Settings: map[string]string{setting: value}})
		if err := tr.CheckMessage(t.Context(), m); err == nil || !strings.HasPrefix(err.Error(), "profile: ") || !strings.Contains(err.Error(), setting) {
			t.Errorf("%s: %v", setting, err)
		}
	}
	for setting, ok := range map[string]bool{"ticket": true, "wampcra": true, "cryptosign": false, "kerberos": false} {
		settings := profile.NewSettings(map[string]string{wampout.SettingAuthMethod: setting})
		if err := wampout.CheckSettings(settings); (err == nil) != ok {
			t.Errorf("%s: %v", setting, err)
		}
	}
	for _, method := range []string{"ticket", "wampcra", "cryptosign"} {
		m := outboundtest.Message(t, "wamp+ws://127.0.0.1/realm1/com.x", "")
		m.Profile = local(t, profile.Options{Settings: map[string]string{wampout.SettingAuthMethod: method}})
		if err := tr.CheckMessage(t.Context(), m); err == nil || !strings.Contains(err.Error(), "which needs") {
			t.Errorf("%s without what it needs: %v", method, err)
		}
	}
}

// recorder is a router that keeps what is published or called.
func recorder(t *testing.T, options wamptest.Options) (*wamptest.Router, chan wamp.Message) {
	t.Helper()
	seen := make(chan wamp.Message, 100)
	options.Handle = func(m wamp.Message) ([]wamp.Message, bool) {
		seen <- m
		if m, ok := m.(*wamp.Call); ok {
			return []wamp.Message{&wamp.Result{Request: m.Request, Payload: wamp.Payload{Args: []any{"hello " + m.Procedure, "secret-1"}}}}, true
		}
		return nil, false
	}
	return wamptest.New(t, options), seen
}

func TestArguments(t *testing.T) {
	t.Parallel()
	router, seen := recorder(t, wamptest.Options{})
	tr := started(t, wampout.Options{})
	for _, test := range []struct {
		query, payload string
		want           wamp.Payload
	}{
		{"?payload=value", `{"a":[1,2.5]}`, wamp.Payload{Args: []any{map[string]any{"a": []any{int64(1), 2.5}}}}},
		{"?payload=args", `[1,"é",null]`, wamp.Payload{Args: []any{int64(1), "é", nil}}},
		{"?payload=args", `{"a":1}`, wamp.Payload{Args: []any{}, Kwargs: map[string]any{"a": int64(1)}}},
	} {
		m := outboundtest.Message(t, base(router)+"com.x"+test.query, test.payload)
		m.Metadata = transport.Metadata{"x": "y"}
		if receipt, err := tr.HandleMessage(t.Context(), m); err != nil || receipt.Evidence != transport.Accepted || !strings.HasPrefix(receipt.Note, "publication ") {
			t.Fatalf("%+v, %v", receipt, err)
		}
		published, ok := (<-seen).(*wamp.Publish)
		if !ok || published.Topic != "com.x" || published.Options["acknowledge"] != true || !reflect.DeepEqual(published.Payload, test.want) {
			t.Errorf("%s %s: %#v", test.query, test.payload, published)
		}
	}
	m := outboundtest.Message(t, base(router)+"com.x?payload=args", "no JSON")
	_, err := tr.HandleMessage(t.Context(), m)
	if fault := faultOf(t, err); fault.Class != transport.Permanent || fault.MaybeSent || fault.Code != "bad_message" {
		t.Errorf("%+v", fault)
	}
}

func TestCallReturnsTheResult(t *testing.T) {
	t.Parallel()
	router, _ := recorder(t, wamptest.Options{Accounts: map[string]wamptest.Account{"alice": {Secret: "secret-1"}}})
	replies := make(chan wamp.Payload, 1)
	tr := started(t, wampout.Options{OnReply: func(_ context.Context, _ *outbound.Message, result wamp.Payload) error { replies <- result; return nil }})
	uri := strings.Replace(base(router), "://", "://alice:secret-1@", 1) + "com.x.add?call=true"
	receipt, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, uri, "2"))
	if err != nil || receipt.Evidence != transport.Acknowledged || string(receipt.Response) != `{"args":["hello com.x.add","***"],"kwargs":{}}` {
		t.Errorf("%+v, %s, %v", receipt, receipt.Response, err)
	}
	if reply := <-replies; !reflect.DeepEqual(reply.Args, []any{"hello com.x.add", "secret-1"}) {
		t.Errorf("the reply is %v", reply.Args)
	}
}

// TestSessionsAreShared by the messages of a profile for a realm, and joined again
// when they break.
func TestSessionsAreShared(t *testing.T) {
	t.Parallel()
	router, _ := recorder(t, wamptest.Options{})
	tr := started(t, wampout.Options{})
	var sending sync.WaitGroup
	tenant := local(t, profile.Options{})
	send := func(topic string) error {
		m := outboundtest.Message(t, base(router)+topic, "hello")
		m.Profile = tenant
		_, err := tr.HandleMessage(t.Context(), m)
		return err
	}
	for range 20 {
		sending.Go(func() {
			if err := send("com.x"); err != nil {
				t.Error(err)
			}
		})
	}
	sending.Wait()
	if err := send("com.y"); err != nil || router.Joined() != 1 {
		t.Errorf("%d sessions were joined, %v", router.Joined(), err)
	}
	router.Drop()
	var err error
	for router.Joined() == 1 { // until it is seen that the connection broke
		if err = send("com.x"); err != nil && faultOf(t, err).Code != "lost" {
			t.Fatal(err)
		}
	}
	if err != nil || router.Joined() != 2 {
		t.Errorf("afterwards %d sessions were joined, %v", router.Joined(), err)
	}
}

func TestIdleSessionsAreLeft(t *testing.T) {
	t.Parallel()
	router, _ := recorder(t, wamptest.Options{})
	tr := started(t, wampout.Options{IdleTimeout: time.Millisecond})
	send := func() {
		if _, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, base(router)+"com.x", "hello")); err != nil {
			t.Fatal(err)
		}
	}
	send()
	router.WaitIdle(t.Context())
	send()
	if router.Joined() != 2 {
		t.Errorf("%d sessions were joined", router.Joined())
	}
}

func TestMaxSessions(t *testing.T) {
	t.Parallel()
	first, _ := recorder(t, wamptest.Options{})
	second, _ := recorder(t, wamptest.Options{})
	hanging := make(chan struct{})
	silent := wamptest.New(t, wamptest.Options{Handle: func(wamp.Message) ([]wamp.Message, bool) {
		close(hanging)
		return nil, true
	}})
	tr := started(t, wampout.Options{MaxSessions: 1})
	tenant := local(t, profile.Options{})
	send := func(ctx context.Context, r *wamptest.Router) error {
		m := outboundtest.Message(t, base(r)+"com.x", "hello")
		m.Profile = tenant
		_, err := tr.HandleMessage(ctx, m)
		return err
	}
	for _, r := range []*wamptest.Router{first, second, first} { // one that is idle makes room
		if err := send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if first.Joined() != 2 {
		t.Errorf("%d sessions were joined", first.Joined())
	}
	ctx, cancel := context.WithCancel(t.Context())
	sent := make(chan error, 1)
	go func() { sent <- send(ctx, silent) }()
	<-hanging
	if fault := faultOf(t, send(t.Context(), first)); fault.Code != "busy" || fault.Class != transport.Temporary || fault.MaybeSent {
		t.Errorf("%+v", fault)
	}
	cancel()
	if fault := faultOf(t, <-sent); fault.Class != transport.Unknown || !fault.MaybeSent || fault.Code != "canceled" {
		t.Errorf("%+v", fault)
	}
}

func TestWhoJoins(t *testing.T) {
	t.Parallel()
	keys := secmod.NewMemory(secmod.MemoryOptions{})
	mine, err1 := secmod.NewKey(profile.Ed25519, "my-key")
	other, err2 := secmod.NewKey(profile.X25519, "other-type")
	if err := errors.Join(err1, err2, keys.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, key := range []secmod.Key{mine, other} {
		if _, err := keys.AddKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	options := wamptest.Options{Accounts: map[string]wamptest.Account{
		"ticket": {Ticket: "secret-1"}, "cra": {Secret: "secret-1", Salt: "s"}, "key": {Key: mine.PublicKey()},
	}}
	plain := wamptest.New(t, options)
	options.TLS = true
	secured := wamptest.New(t, options)
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate()}), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := started(t, wampout.Options{})
	secrets := map[string]transport.Secret{wampout.SecretName: transport.NewSecret("secret-1")}
	for _, test := range []struct {
		name, user string
		router     *wamptest.Router
		settings   map[string]string
		secrets    map[string]transport.Secret
		want       string
	}{
		{"nobody", "", plain, nil, nil, "wamp.error.authentication_failed"},
		{"secret in the endpoint", "cra:secret-1@", plain, nil, nil, ""},
		{"wrong secret", "cra:secret-2@", plain, nil, nil, "wamp.error.authentication_failed"},
		{"secret of the profile", "", plain, map[string]string{"wamp.authid": "cra"}, secrets, ""},
		{"no ticket without TLS", "ticket:secret-1@", plain, nil, nil, "wamp.error.authentication_failed"},
		{"ticket without TLS, since it is asked for", "ticket:secret-1@", plain, map[string]string{"wamp.authmethod": "ticket"}, nil, ""},
		{"ticket", "ticket:secret-1@", secured, nil, nil, ""},
		{"key", "", plain, map[string]string{"wamp.authid": "key", "wamp.key": "my-key"}, nil, ""},
		{"key, bound", "", secured, map[string]string{"wamp.authid": "key", "wamp.key": "my-key", "wamp.bind": "true"}, nil, ""},
		{"key, bound without TLS", "", plain, map[string]string{"wamp.authid": "key", "wamp.key": "my-key", "wamp.bind": "true"}, nil, "auth"},
		{"no key", "", plain, map[string]string{"wamp.key": "nobody's"}, nil, "auth"},
		{"key of another type", "", plain, map[string]string{"wamp.key": "other-type"}, nil, "auth"},
		{"anonymous in spite of all", "cra:secret-1@", plain, map[string]string{"wamp.authmethod": "anonymous"}, secrets, "wamp.error.authentication_failed"},
	} {
		m := outboundtest.Message(t, strings.Replace(base(test.router), "://", "://"+test.user, 1)+"com.x", "hello")
		m.Profile = local(t, profile.Options{Settings: test.settings, Secrets: test.secrets, Keys: keys, TLS: profile.TLS{CAFile: roots}})
		_, err := tr.HandleMessage(t.Context(), m)
		if test.want == "" {
			if err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if fault := faultOf(t, err); fault.Code != test.want || fault.Class != transport.Temporary || fault.MaybeSent || strings.Contains(err.Error(), "secret-") {
			t.Errorf("%s: %+v", test.name, fault)
		}
	}
	// The API key is the secret where there is no other.
	m := outboundtest.Message(t, strings.Replace(base(plain), "://", "://cra@", 1)+"com.x#secret-1", "hello")
	if _, err := tr.HandleMessage(t.Context(), m); err != nil {
		t.Error(err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	router := wamptest.New(t, wamptest.Options{Handle: func(m wamp.Message) ([]wamp.Message, bool) {
		p, ok := m.(*wamp.Publish)
		if !ok {
			return nil, false
		}
		return []wamp.Message{&wamp.Error{RequestType: wamp.TypePublish, Request: p.Request, Error: p.Topic}}, true
	}})
	text := wamptest.New(t, wamptest.Options{Serializers: []string{"ubjson"}})
	tr := started(t, wampout.Options{MaxMessage: 1024})
	for _, test := range []struct {
		uri, payload, code string
		class              transport.Class
		sent               bool
	}{
		{base(router) + "wamp.error.not_authorized", "", "wamp.error.not_authorized", transport.Permanent, true},
		{base(router) + "wamp.error.unavailable", "", "wamp.error.unavailable", transport.Temporary, true},
		{base(router) + "com.x.own", "", "com.x.own", transport.Temporary, true},
		{base(router) + "com.x.héllo", "", "wamp.error.unknown", transport.Temporary, true},
		{base(router) + "com.x?call=true", "", "wamp.error.no_such_procedure", transport.Temporary, true},
		{strings.Replace(base(router), "realm1", "realm2", 1) + "com.x", "", "wamp.error.no_such_realm", transport.Temporary, false},
		{base(router) + "com.x", strings.Repeat("x", 2000), "bad_message", transport.Permanent, false},
		{base(text) + "com.x", "", "handshake", transport.Temporary, false},
		{"wamp+ws://" + fakepeer.Nobody(t) + "/realm1/com.x", "", "connection_refused", transport.Temporary, false},
		{"wamp+ws://10.0.0.1/realm1/com.x", "", "blocked", transport.Permanent, false},
		{"http://10.0.0.1/realm1/com.x", "", "bad_message", transport.Permanent, false},
	} {
		_, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, test.uri, test.payload))
		if fault := faultOf(t, err); fault.Code != test.code || fault.Class != test.class || fault.MaybeSent != test.sent {
			t.Errorf("%s: %+v, want %+v", test.uri, fault, test)
		}
		if text := err.Error(); strings.Count(text, test.code) != 1 && strings.Contains(test.code, "error") && !strings.Contains(test.uri, test.code) {
			t.Errorf("it says the same twice: %s", text)
		}
	}
}

// TestCodecEncryptsEndToEnd: the router sees nothing of the payload.
func TestCodecEncryptsEndToEnd(t *testing.T) {
	t.Parallel()
	router, seen := recorder(t, wamptest.Options{})
	ring := &wamp.KeyRing{Required: true}
	secret := transport.NewSecret("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=")
	if err := ring.Set("com.x.", wamp.CryptoboxKeys{OriginatorPrivate: secret, ResponderPrivate: secret}); err != nil {
		t.Fatal(err)
	}
	tr := started(t, wampout.Options{Codec: ring})
	if _, err := tr.HandleMessage(t.Context(), outboundtest.Message(t, base(router)+"com.x.t", "hello")); err != nil {
		t.Fatal(err)
	}
	published, _ := (<-seen).(*wamp.Publish)
	encoded, err := wamp.Encoded(published)
	if err != nil || encoded == nil {
		t.Fatalf("%v, %v", encoded, err)
	}
	if _, p, err := ring.Decode(t.Context(), wamp.Responder, "com.x.t", encoded); err != nil || p.Args[0] != "hello" {
		t.Errorf("%v, %v", p.Args, err)
	}
	_, err = tr.HandleMessage(t.Context(), outboundtest.Message(t, base(router)+"org.t", "hello"))
	if fault := faultOf(t, err); fault.Class != transport.Permanent || fault.MaybeSent {
		t.Errorf("without a key: %+v", fault)
	}
}

// TestProfilesEncrypt: what a configuration says is enough, and the key stays in
// its module.
func TestProfilesEncrypt(t *testing.T) {
	t.Parallel()
	keys := secmod.NewMemory(secmod.MemoryOptions{})
	mine, err1 := secmod.NewKey(profile.X25519, "mine")
	curve, err2 := secmod.NewKey(profile.P256, "other-curve")
	if err := errors.Join(err1, err2, keys.Open(t.Context())); err != nil {
		t.Fatal(err)
	}
	for _, key := range []secmod.Key{mine, curve} {
		if _, err := keys.AddKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	const peerPrivate, peerPublic = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=", "zo060cy2M+x7cMF4FKXHbs0CloUFDTRHRboFhw5YfVk="
	peer := &wamp.KeyRing{}
	if err := peer.Set("", wamp.CryptoboxKeys{
		ResponderPrivate: transport.NewSecret(peerPrivate), OriginatorPublic: base64.StdEncoding.EncodeToString(mine.PublicKey()),
	}); err != nil {
		t.Fatal(err)
	}
	router, seen := recorder(t, wamptest.Options{})
	tr := started(t, wampout.Options{})
	for _, test := range []struct {
		key, peer, style string
		mark             string // of the message
		code             string // of the fault
	}{
		{"mine", peerPublic, "", "enc_algo", ""},
		{"mine", peerPublic, "enc", "enc_algo", ""},
		{"mine", peerPublic, "ppt", "ppt_scheme", ""},
		{"nobody's", peerPublic, "", "", "auth"},
		{"other-curve", peerPublic, "", "", "auth"},
		{"mine", base64.StdEncoding.EncodeToString(make([]byte, 32)), "", "", "auth"},
	} {
		m := outboundtest.Message(t, base(router)+"com.x.t", "canary")
		m.Profile = local(t, profile.Options{Keys: keys, Settings: map[string]string{
			wampout.SettingCryptoboxKey: test.key, wampout.SettingCryptoboxPeer: test.peer, wampout.SettingStyle: test.style,
		}})
		_, err := tr.HandleMessage(t.Context(), m)
		if test.code != "" {
			if fault := faultOf(t, err); fault.Code != test.code || fault.MaybeSent {
				t.Errorf("%+v: %+v", test, fault)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		published, _ := (<-seen).(*wamp.Publish)
		encoded, err := wamp.Encoded(published)
		if err != nil || encoded == nil || published.Options[test.mark] == nil {
			t.Fatalf("%+v: %v, %v", test, published.Options, err)
		}
		if _, p, err := peer.Decode(t.Context(), wamp.Responder, "com.x.t", encoded); err != nil || p.Args[0] != "canary" {
			t.Errorf("%+v: %v, %v", test, p.Args, err)
		}
	}
}

func TestEncryptionSettings(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]string{
		"wamp.style":          {wampout.SettingStyle: "both"},
		"wamp.cryptobox.peer": {wampout.SettingCryptoboxKey: "mine", wampout.SettingCryptoboxPeer: "canary"},
		"wamp.cryptobox.key":  {wampout.SettingCryptoboxKey: "mine"},
	} {
		tenant := local(t, profile.Options{Settings: settings})
		m := outboundtest.Message(t, "wamp+ws://127.0.0.1/realm1/com.x", "")
		m.Profile = tenant
		for _, err := range []error{wampout.CheckSettings(tenant.Settings()), new(wampout.Transport).CheckMessage(t.Context(), m)} {
			if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

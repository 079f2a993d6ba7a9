package agent

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	inbox "github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/cloudevents"
	"github.com/outrider-go/outrider/wireformat/didcomm"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// keyFile makes a file with new keys of the types given.
func keyFile(t *testing.T, types ...profile.KeyType) (profile.KeyFile, []secmod.Key) {
	t.Helper()
	var made []secmod.Key
	for _, of := range types {
		key, err := secmod.NewKey(of, "")
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, key)
	}
	return keyFileOf(t, made...)
}

// keyFileOf makes a file with the keys given.
func keyFileOf(t *testing.T, made ...secmod.Key) (profile.KeyFile, []secmod.Key) {
	t.Helper()
	file := profile.KeyFile{Path: filepath.Join(t.TempDir(), "keys.json"), Passphrase: transport.NewSecret("canary passphrase")}
	module, err := secmod.NewFile(file.Path, secmod.FileOptions{Create: true, Cost: secmod.Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}})
	if err == nil {
		err = errors.Join(module.Open(t.Context()), module.Unlock(t.Context(), file.Passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	var keys []secmod.Key
	for _, one := range made {
		no, err := module.AddKey(t.Context(), one)
		if err != nil {
			t.Fatal(err)
		}
		key, err := module.Key(no)
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	if err := module.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return file, keys
}

// box is a receiver on loopback.
func box(t *testing.T) (url string, received chan inbox.Received) {
	t.Helper()
	received = make(chan inbox.Received, 10)
	r, err := inbox.New(inbox.Options{Sink: func(m inbox.Received) { received <- m }})
	if err != nil {
		t.Fatal(err)
	}
	server, err := r.Listen(t.Context(), "http://127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(context.WithoutCancel(t.Context())) })
	return server.URL(), received
}

// TestFormatsFromTheAPI sends with each wire format that has keys, and reads what
// arrives as its receiver does.
func TestFormatsFromTheAPI(t *testing.T) {
	t.Parallel()
	file, keys := keyFile(t, profile.Ed25519, profile.Ed25519)
	secret := webhook.NewSecret()
	url, received := box(t)
	b := start(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{profile.DefaultID: {
			KeyFile: file, Secrets: map[string]transport.Secret{"webhook": secret},
			Settings: map[string]string{"webhook.keys": keys[0].ID(), cloudevents.SettingSource: "/src", cloudevents.SettingType: "t"},
		}}
	})
	alice, bob := secmod.Names(keys[0]), secmod.Names(keys[1])
	send := func(format, payload string, to ...string) inbox.Received {
		request := SendRequest{Endpoint: url, Payload: &payload, WireFormat: format}
		if len(to) > 0 {
			request.SenderKey, request.Recipients = to[0], to[1:]
		}
		b.await("outbound-message::delivered", b.send(request))
		return <-received
	}
	formats, opens := b.formats()
	v2 := `{"id":"1","type":"t","from":"` + alice.DID + `","body":{"canary":1}}`
	for _, test := range []struct{ format, payload, sender, recipient string }{
		{didcomm.NameV1, `{"@type":"t","canary":1}`, alice.Verkey, bob.Verkey},
		{didcomm.NameV2, v2, alice.DID, bob.DID},
		{didcomm.NameAny, v2, alice.DID, bob.DID},
	} {
		m := send(test.format, test.payload, test.sender, test.recipient)
		if strings.Contains(string(m.Payload), "canary") {
			t.Errorf("%s: the message went out in the clear", test.format)
		}
		frame := wireformat.Frame{ContentType: m.ContentType, Body: m.Payload}
		format, err := formats.ForFrame(frame)
		if err != nil {
			t.Fatal(err)
		}
		parsed, receipt, err := format.Parse(t.Context(), opens, frame)
		if err != nil || string(parsed.Payload) != test.payload || receipt.Sender == "" {
			t.Errorf("%s: %s, %+v, %v", test.format, parsed.Payload, receipt, err)
		}
	}

	m := send("webhook", `{"canary":1}`)
	header := http.Header{}
	for name, value := range m.Headers {
		header.Set(name, value)
	}
	for _, known := range []string{secret.Reveal(), webhook.PublicKey(keys[0].PublicKey())} {
		verifier, err := webhook.NewVerifier(webhook.VerifierOptions{}, transport.NewSecret(known))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.VerifyRequest(header, m.Payload); err != nil {
			t.Error(err)
		}
	}

	for _, name := range []string{cloudevents.NameStructured, cloudevents.NameBinary, cloudevents.NameBatch} {
		m := send(name, `{"canary":1}`)
		header := http.Header{"Content-Type": {m.ContentType}}
		for name, value := range m.Headers {
			header.Set(name, value)
		}
		events, err := cloudevents.ParseRequest(header, m.Payload)
		if err != nil || len(events) != 1 || events[0].Source != "/src" || string(events[0].Data) != `{"canary":1}` {
			t.Errorf("%s: %v, %v", name, events, err)
		}
	}

	payload := `{"@type":"t"}`
	for format, field := range map[string]string{didcomm.NameV1: "payload", "webhoook": "wire_format"} {
		body, err := json.Marshal(SendRequest{Endpoint: url, Payload: &payload, WireFormat: format})
		if err != nil {
			t.Fatal(err)
		}
		b.wantProblem(b.do(http.MethodPost, "/v1/messages", string(body)), http.StatusBadRequest, field)
	}
	content, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{file.Passphrase.Reveal(), secret.Reveal(), string(content[len(content)-80:])} {
		if strings.Contains(b.logged(), text) {
			t.Error("the log shows key material")
		}
	}
}

// TestKeyMaterialNeverShows sends and fails with keys whose private halves are
// canaries, and looks for them, in whatever form, in all that the agent says.
func TestKeyMaterialNeverShows(t *testing.T) {
	t.Parallel()
	seed := []byte("canary-seed-of-a-key-0123456789a")
	var made []secmod.Key
	for _, of := range []profile.KeyType{profile.Ed25519, profile.X25519, profile.P256, profile.Ethereum} {
		key, err := secmod.ParseKey(of, "", transport.NewSecret(hex.EncodeToString(seed)))
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, key)
	}
	file, keys := keyFileOf(t, made...)
	shared := []byte("canary-secret-of-webhooks-012345")
	url, received := box(t)
	b := start(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{profile.DefaultID: {
			KeyFile: file, Settings: map[string]string{"webhook.keys": keys[0].ID()},
			Secrets: map[string]transport.Secret{"webhook": transport.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(shared))},
		}}
	})
	stream := b.secretStream()
	me := secmod.Names(keys[0])
	var said []string
	for _, request := range []SendRequest{
		{WireFormat: didcomm.NameV1, Payload: new(`{"@type":"t"}`), Recipients: []string{me.Verkey}, SenderKey: me.Verkey},
		{WireFormat: didcomm.NameV2, Payload: new(`{"id":"1","type":"t","from":"` + me.DID + `"}`), Recipients: []string{me.DID}, SenderKey: me.DID},
		{WireFormat: "webhook", Payload: new(`{}`)},
	} {
		request.Endpoint = url
		id := b.send(request)
		b.await("outbound-message::delivered", id)
		m := <-received
		said = append(said, string(m.Payload), fmt.Sprint(m.Headers), b.do("GET", "/v1/messages/"+id.String()+"?payload=true", "").body)
	}
	for _, request := range []SendRequest{
		{WireFormat: didcomm.NameV1, Payload: new("{}"), Recipients: []string{"nobody"}},
		{WireFormat: didcomm.NameV1, Payload: new("{}"), Recipients: []string{me.Verkey}, SenderKey: secmod.Names(keys[1]).DID},
		{WireFormat: didcomm.NameV2, Payload: new("{}"), Recipients: []string{me.DID}, SenderKey: secmod.Names(keys[3]).DID},
	} {
		request.Endpoint = url
		body, err := json.Marshal(request)
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, b.want(b.do("POST", "/v1/messages", string(body)), http.StatusBadRequest).body)
	}
	for _, path := range []string{"/v1/messages", "/v1/stats", "/v1/destinations"} {
		said = append(said, b.do("GET", path, "").body)
	}
	b.stop()
	events, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	said = append(said, b.logged(), string(events), string(stored), fmt.Sprintf("%+v %#v", b.agent, b.agent.config))
	for _, canary := range []string{string(seed), string(shared), file.Passphrase.Reveal()} {
		raw := []byte(canary)
		forms := []string{canary, hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw)[:20], base64.RawURLEncoding.EncodeToString(raw)[:20], strings.Trim(fmt.Sprintf("%d", raw), "[]")}
		for i, text := range said {
			for _, form := range forms {
				if strings.Contains(text, form) {
					t.Errorf("text %d shows key material as %q", i, form)
				}
			}
		}
	}
}

// TestKeysThatDoNotOpen: an agent does not start without the keys that its profiles
// name, and says which.
func TestKeysThatDoNotOpen(t *testing.T) {
	t.Parallel()
	file, _ := keyFile(t, profile.Ed25519)
	for name, keys := range map[string]profile.KeyFile{
		"a wrong passphrase": {Path: file.Path, Passphrase: transport.NewSecret("canary")},
		"no file":            {Path: file.Path + ".missing", Passphrase: file.Passphrase},
	} {
		config := Config{Memory: true, API: APIConfig{Listen: ListenOff}, Profiles: map[string]profile.Options{"acme": {KeyFile: keys}}}
		a, err := New(config, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = a.Start(t.Context())
		var key *KeyError
		if !errors.As(err, &key) || key.Key != "profiles.acme.keys" || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want an error of profiles.acme.keys", name, err)
		}
		if _, err := a.Stop(t.Context()); err != nil {
			t.Errorf("%s: Stop: %v", name, err)
		}
	}
	if _, err := New(Config{Profiles: map[string]profile.Options{"acme": {KeyFile: profile.KeyFile{Path: "x"}}}}, Options{}); err == nil {
		t.Error("a file without a passphrase was taken")
	}
}

// shout is a wire format of a user's own.
type shout struct{ wireformat.Raw }

func (*shout) Name() string         { return "shout" }
func (*shout) MediaTypes() []string { return []string{"text/x-shout"} }

func TestFormatsOfTheCaller(t *testing.T) {
	t.Parallel()
	config := Config{Memory: true, API: APIConfig{Listen: ListenOff}, Profiles: map[string]profile.Options{"acme": {WireFormat: "shout"}}}
	if _, err := New(config, Options{Formats: []wireformat.Format{&shout{}}}); err != nil {
		t.Error(err)
	}
	if _, err := New(config, Options{}); !errors.Is(err, wireformat.ErrUnknown) {
		t.Errorf("without it: %v, want ErrUnknown", err)
	}
	formats, err := Formats(didcomm.NewV2(didcomm.Options{Resolver: didcomm.Documents{}}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := formats.ByName(didcomm.NameV2); err != nil {
		t.Error(err)
	}
}

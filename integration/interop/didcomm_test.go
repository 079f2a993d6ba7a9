package interop

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/didcomm"
)

// party has a DID, its keys, and what didcomm-rust needs of both. The rust peer
// knows X25519 and P-256; P-384 and P-521 are covered by the specification's own
// examples.
type party struct {
	did      string
	document map[string]any
	secrets  []map[string]any
	keys     []secmod.Key
}

// newParty makes keys, and writes them as JSON Web Keys too.
func newParty(t *testing.T, name string) *party {
	t.Helper()
	p := &party{did: "did:example:" + name}
	var methods []map[string]any
	use := map[string][]string{}
	for i, key := range []struct {
		purpose string
		of      profile.KeyType
		crv     string
	}{
		{"authentication", profile.Ed25519, "Ed25519"}, {"authentication", profile.P256, "P-256"},
		{"keyAgreement", profile.X25519, "X25519"}, {"keyAgreement", profile.P256, "P-256"},
	} {
		module := secmod.NewMemory(secmod.MemoryOptions{})
		if err := module.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		secret, err := module.Random(t.Context(), 32)
		if err != nil {
			t.Fatal(err)
		}
		id := fmt.Sprintf("%s#key-%d", p.did, i)
		made, err := secmod.ParseKey(key.of, id, transport.NewSecret(fmt.Sprintf("%x", secret)))
		if err != nil {
			t.Fatal(err)
		}
		p.keys = append(p.keys, made)
		public, text := made.PublicKey(), base64.RawURLEncoding.EncodeToString
		jwk := map[string]any{"kty": "OKP", "crv": key.crv, "x": text(public)}
		if key.of == profile.P256 {
			jwk = map[string]any{"kty": "EC", "crv": key.crv, "x": text(public[1:33]), "y": text(public[33:])}
		}
		methods = append(methods, map[string]any{"id": id, "type": "JsonWebKey2020", "controller": p.did, "publicKeyJwk": jwk})
		use[key.purpose] = append(use[key.purpose], id)
		private := map[string]any{"d": text(secret)}
		maps.Copy(private, jwk)
		p.secrets = append(p.secrets, map[string]any{"id": id, "type": "JsonWebKey2020", "privateKeyJwk": private})
	}
	p.document = map[string]any{"id": p.did, "verificationMethod": methods, "authentication": use["authentication"], "keyAgreement": use["keyAgreement"], "service": []any{}}
	return p
}

// tenant is a profile with the party's keys.
func (p *party) tenant(t *testing.T, settings map[string]string) *profile.Profile {
	t.Helper()
	module := secmod.NewMemory(secmod.MemoryOptions{})
	if err := module.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = module.Close(context.WithoutCancel(t.Context())) })
	for _, key := range p.keys {
		if _, err := module.AddKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
	tenant, err := profile.New("tenant", profile.Options{Keys: module, Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

type meeting struct {
	alice, bob *party
	options    didcomm.Options
	other      *peer
}

func newMeeting(t *testing.T) *meeting {
	t.Helper()
	m := &meeting{alice: newParty(t, "alice"), bob: newParty(t, "bob"), other: startPeer(t)}
	documents := didcomm.Documents{}
	for _, p := range []*party{m.alice, m.bob} {
		text, err := json.Marshal(p.document)
		if err != nil {
			t.Fatal(err)
		}
		document, err := didcomm.ParseDocument(text)
		if err != nil {
			t.Fatal(err)
		}
		documents[document.ID] = document
	}
	m.options = didcomm.Options{Resolver: documents}
	return m
}

// knows returns a request of the peer, who has the secrets of one party.
func (m *meeting) knows(p *party, more map[string]any) map[string]any {
	more["documents"] = []any{m.alice.document, m.bob.document}
	more["secrets"] = p.secrets
	return more
}

func (m *meeting) message() map[string]any {
	return map[string]any{
		"id": "1", "typ": didcomm.TypePlain, "type": "https://example.com/lunch/1.0/proposal", "from": m.alice.did, "to": []string{m.bob.did},
		"thid": "t", "body": map[string]any{"text": "héllo ✓"},
	}
}

// TestDIDCommToRust: didcomm-rust opens what we pack.
func TestDIDCommToRust(t *testing.T) {
	t.Parallel()
	m := newMeeting(t)
	payload, err := json.Marshal(m.message())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "#key-2", "#key-3"} {
		for name, test := range map[string]struct {
			sender                          string
			settings                        map[string]string
			authenticated, anonymous, signs bool
		}{
			"anoncrypt":  {"", nil, false, true, false},
			"authcrypt":  {m.alice.did, nil, true, false, false},
			"protected":  {m.alice.did, map[string]string{didcomm.SettingProtectSender: "true"}, true, true, false},
			"signed":     {m.alice.did, map[string]string{didcomm.SettingSign: "true"}, true, false, true},
			"everything": {m.alice.did, map[string]string{didcomm.SettingSign: "true", didcomm.SettingProtectSender: "true"}, true, true, true},
		} {
			frame, err := didcomm.NewV2(m.options).Encode(t.Context(), m.alice.tenant(t, test.settings), wireformat.Message{Payload: payload}, wireformat.Target{Recipients: []string{m.bob.did + key}, Sender: test.sender})
			if err != nil {
				t.Fatal(err)
			}
			var read struct {
				Message                                     map[string]any
				Encrypted, Authenticated, Anonymous, Signed bool
			}
			m.other.mustAsk(t, "didcomm unpack", m.knows(m.bob, map[string]any{"envelope": string(frame.Body)}), &read)
			if read.Message["thid"] != "t" || !read.Encrypted || read.Authenticated != test.authenticated || read.Anonymous != test.anonymous || read.Signed != test.signs {
				t.Errorf("%s %s: the peer reads %+v", name, key, read)
			}
		}
	}
	frame, err := didcomm.NewSigned(m.options).Encode(t.Context(), m.alice.tenant(t, nil), wireformat.Message{Payload: payload}, wireformat.Target{Sender: m.alice.did + "#key-1"})
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Encrypted, Signed bool }
	m.other.mustAsk(t, "didcomm unpack", m.knows(m.bob, map[string]any{"envelope": string(frame.Body)}), &read)
	if read.Encrypted || !read.Signed {
		t.Errorf("signed with P-256: the peer reads %+v", read)
	}
}

// TestDIDCommFromRust: we open what didcomm-rust packs.
func TestDIDCommFromRust(t *testing.T) {
	t.Parallel()
	m := newMeeting(t)
	bob := m.bob.tenant(t, nil)
	for _, key := range []string{"", "#key-2", "#key-3"} {
		for name, more := range map[string]map[string]any{
			"anoncrypt":  {"from": nil, "sign": nil, "protect": false},
			"authcrypt":  {"from": m.alice.did, "sign": nil, "protect": false},
			"protected":  {"from": m.alice.did, "sign": nil, "protect": true},
			"signed":     {"from": m.alice.did, "sign": m.alice.did + "#key-0", "protect": false},
			"everything": {"from": m.alice.did, "sign": m.alice.did + "#key-1", "protect": true},
		} {
			more["to"], more["message"] = m.bob.did+key, m.message()
			var packed struct{ Envelope string }
			m.other.mustAsk(t, "didcomm pack", m.knows(m.alice, more), &packed)
			parsed, receipt, err := didcomm.New(m.options).Parse(t.Context(), bob, wireformat.Frame{Body: []byte(packed.Envelope)})
			if err != nil {
				t.Errorf("%s %s: %v", name, key, err)
				continue
			}
			signed, sent := more["sign"] != nil, more["from"] != nil
			if !strings.Contains(string(parsed.Payload), "héllo ✓") || receipt.ThreadID != "t" || receipt.Signed != signed || (receipt.Sender != "") != sent || !strings.HasPrefix(receipt.Recipient, m.bob.did+key) {
				t.Errorf("%s %s: %s, %+v", name, key, parsed.Payload, receipt)
			}
		}
	}
	for _, key := range []string{"#key-0", "#key-1"} {
		var packed struct{ Envelope string }
		m.other.mustAsk(t, "didcomm sign", m.knows(m.alice, map[string]any{"message": m.message(), "sign": m.alice.did + key}), &packed)
		_, receipt, err := didcomm.NewSigned(m.options).Parse(t.Context(), bob, wireformat.Frame{Body: []byte(packed.Envelope)})
		if err != nil || receipt.Sender != m.alice.did+key {
			t.Errorf("signed with %s: %+v, %v", key, receipt, err)
		}
	}
}

// TestDIDCommForwards: a router on either side opens the other's forward.
func TestDIDCommForwards(t *testing.T) {
	t.Parallel()
	m := newMeeting(t)
	payload, err := json.Marshal(m.message())
	if err != nil {
		t.Fatal(err)
	}
	var forward struct {
		Type        string
		Body        struct{ Next string }
		Attachments []struct {
			Data struct{ JSON json.RawMessage }
		}
	}
	check := func(what string) {
		t.Helper()
		if !strings.HasSuffix(forward.Type, "/routing/2.0/forward") || !strings.HasPrefix(forward.Body.Next, m.bob.did) || len(forward.Attachments) != 1 {
			t.Fatalf("%s: it is no forward: %+v", what, forward)
		}
		parsed, _, err := didcomm.NewV2(m.options).Parse(t.Context(), m.bob.tenant(t, nil), wireformat.Frame{Body: forward.Attachments[0].Data.JSON})
		if err != nil || !strings.Contains(string(parsed.Payload), "héllo ✓") {
			t.Errorf("%s: in it is %s, %v", what, parsed.Payload, err)
		}
	}
	// Alice is the router here.
	frame, err := didcomm.NewV2(m.options).Encode(t.Context(), m.alice.tenant(t, nil), wireformat.Message{Payload: payload}, wireformat.Target{Recipients: []string{m.bob.did}, Routing: []string{m.alice.did}})
	if err != nil {
		t.Fatal(err)
	}
	var read struct{ Message json.RawMessage }
	m.other.mustAsk(t, "didcomm unpack", m.knows(m.alice, map[string]any{"envelope": string(frame.Body)}), &read)
	if err := json.Unmarshal(read.Message, &forward); err != nil {
		t.Fatal(err)
	}
	check("ours")

	inner, err := didcomm.NewV2(m.options).Encode(t.Context(), m.alice.tenant(t, nil), wireformat.Message{Payload: payload}, wireformat.Target{Recipients: []string{m.bob.did}})
	if err != nil {
		t.Fatal(err)
	}
	var wrapped struct{ Envelope string }
	m.other.mustAsk(t, "didcomm forward", m.knows(m.alice, map[string]any{"envelope": string(inner.Body), "to": m.bob.did, "routing": []string{m.alice.did + "#key-2"}}), &wrapped)
	parsed, _, err := didcomm.NewV2(m.options).Parse(t.Context(), m.alice.tenant(t, nil), wireformat.Frame{Body: []byte(wrapped.Envelope)})
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(parsed.Payload, &forward); err != nil {
		t.Fatal(err)
	}
	check("the peer's")
}

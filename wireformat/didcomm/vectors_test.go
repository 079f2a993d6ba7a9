package didcomm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
)

// TestACAPyEnvelopes: envelopes that ACA-Py has packed.
func TestACAPyEnvelopes(t *testing.T) {
	t.Parallel()
	var all struct {
		Keys    map[string]struct{ Seed, Verkey string }
		Vectors []struct {
			Name, Message, Packed string
			Sender                *string
			Recipients, Routing   []string
		}
	}
	vectors.Load(t, "didcomm-v1/acapy-generated.json", &all)
	keys := map[string]secmod.Key{}
	for name, key := range all.Keys {
		made, verkey := seeded(t, key.Seed)
		if verkey != key.Verkey {
			t.Errorf("%s is %s, want %s", name, verkey, key.Verkey)
		}
		keys[name] = made
	}
	f := NewV1()
	for _, v := range all.Vectors {
		frame := wireformat.Frame{Body: []byte(v.Packed)}
		for _, name := range slices.Backward(v.Routing) {
			frame.Body = openForward(t, tenant(t, []secmod.Key{keys[name]}), frame)
		}
		for _, name := range v.Recipients {
			m, receipt, err := f.Parse(t.Context(), tenant(t, []secmod.Key{keys[name]}), frame)
			if err != nil {
				t.Errorf("%s: %v", v.Name, err)
				continue
			}
			wantSender := ""
			if v.Sender != nil {
				wantSender = all.Keys[*v.Sender].Verkey
			}
			if string(m.Payload) != v.Message || receipt.Sender != wantSender || receipt.Recipient != all.Keys[name].Verkey || receipt.ThreadID != "t-1" || receipt.ParentThreadID != "p-1" {
				t.Errorf("%s: %s, %+v", v.Name, m.Payload, receipt)
			}
		}
	}
}

// openForward opens a forward of v1 and returns what is in it.
func openForward(t *testing.T, p *profile.Profile, frame wireformat.Frame) []byte {
	t.Helper()
	m, receipt, err := NewV1().Parse(t.Context(), p, frame)
	if err != nil {
		t.Fatal(err)
	}
	var forward struct {
		Type    string `json:"@type"`
		To      string
		Message json.RawMessage `json:"msg"`
	}
	if err := json.Unmarshal(m.Payload, &forward); err != nil || !strings.HasSuffix(forward.Type, forwardType) || receipt.Sender != "" {
		t.Fatalf("it is no anonymous forward: %s, %v", m.Payload, err)
	}
	keys, err := NewV1().RecipientKeys(wireformat.Frame{Body: forward.Message})
	if err != nil || keys[0] != forward.To {
		t.Fatalf("it is to %s, and the envelope in it for %v, %v", forward.To, keys, err)
	}
	return forward.Message
}

// TestPythonEnvelopes: envelopes of older agents, with padding.
func TestPythonEnvelopes(t *testing.T) {
	t.Parallel()
	var all struct {
		Vectors []struct {
			Name, Message string
			Envelope      json.RawMessage
			Verkey        string `json:"recipient_verkey"`
			Private       string `json:"recipient_private_base58"`
			Valid         bool
		}
	}
	vectors.Load(t, "didcomm-v1/python-envelopes.json", &all)
	for _, v := range all.Vectors {
		key := parseKey(t, profile.Ed25519, "", v.Private)
		m, _, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{key}), wireformat.Frame{Body: v.Envelope})
		if v.Valid && (err != nil || string(m.Payload) != v.Message) {
			t.Errorf("%s: %q, %v; want %q", v.Name, m.Payload, err, v.Message)
		}
		if !v.Valid && !errors.Is(err, profile.ErrNoKey) {
			t.Errorf("%s: %v, want ErrNoKey", v.Name, err)
		}
	}
}

// TestRFC0019Examples: nobody has the private keys; the rest is read.
func TestRFC0019Examples(t *testing.T) {
	t.Parallel()
	var all map[string]json.RawMessage
	vectors.Load(t, "didcomm-v1/rfc0019-examples.json", &all)
	found := 0
	for name, text := range all {
		if strings.HasPrefix(name, "_") {
			continue
		}
		found++
		keys, err := NewV1().RecipientKeys(wireformat.Frame{Body: text})
		if err != nil || len(keys) != 2 {
			t.Errorf("%s: keys are %v, %v; want two", name, keys, err)
		}
		if _, _, err := NewV1().Parse(t.Context(), profile.Default(), wireformat.Frame{Body: text}); !errors.Is(err, profile.ErrNoKey) {
			t.Errorf("%s: %v, want ErrNoKey", name, err)
		}
		if !New(Options{}).Sniff(wireformat.Frame{Body: text}) {
			t.Errorf("%s: it is not recognised", name)
		}
	}
	if found == 0 {
		t.Error("there are none")
	}
}

// appendix is what Appendix A to C of the specification of v2 has.
type appendix struct {
	resolver Documents
	sender   []secmod.Key
	receiver []secmod.Key
	members  map[string]json.RawMessage
}

func loadAppendix(t *testing.T) *appendix {
	t.Helper()
	a := &appendix{resolver: Documents{}}
	vectors.Load(t, "didcomm-v2/appendix.json", &a.members)
	for _, name := range []string{"diddoc_sender", "diddoc_recipient"} {
		document, err := ParseDocument(a.members[name])
		if err != nil {
			t.Fatal(err)
		}
		a.resolver[document.ID] = document
	}
	for name, into := range map[string]*[]secmod.Key{"secrets_sender": &a.sender, "secrets_recipient": &a.receiver} {
		secrets, err := strictjson.Elements(a.members[name])
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			*into = append(*into, parseKey(t, "", "", string(secret)))
		}
	}
	return a
}

// TestAppendixC: the signed and encrypted messages of the specification.
func TestAppendixC(t *testing.T) {
	t.Parallel()
	a := loadAppendix(t)
	p := tenant(t, a.receiver)
	var want map[string]any
	if err := json.Unmarshal(a.members["c1_plaintext"], &want); err != nil {
		t.Fatal(err)
	}
	n := 0
	for name, text := range a.members {
		if !strings.HasPrefix(name, "c2_") && !strings.HasPrefix(name, "c3_") {
			continue
		}
		n++
		f := NewV2(Options{Resolver: a.resolver})
		if strings.HasPrefix(name, "c2_") {
			f = NewSigned(Options{Resolver: a.resolver})
		}
		m, receipt, err := f.Parse(t.Context(), p, wireformat.Frame{Body: text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(m.Payload, &got); err != nil || got["id"] != want["id"] || got["from"] != want["from"] {
			t.Errorf("%s: the message is %s, %v", name, m.Payload, err)
		}
		if receipt.Signed != strings.Contains(name, "signed") || strings.HasPrefix(receipt.Sender, "did:example:alice#") != (strings.Contains(name, "signed") || strings.Contains(name, "auth")) {
			t.Errorf("%s: the receipt is %+v", name, receipt)
		}
		if strings.HasPrefix(name, "c3_") {
			checkEachRecipient(t, f, a, name, text)
		}
	}
	if n < 9 {
		t.Errorf("there are %d messages, want 9", n)
	}
}

// checkEachRecipient opens an envelope with each of the keys that it is for.
func checkEachRecipient(t *testing.T, f *V2, a *appendix, name string, text []byte) {
	t.Helper()
	kids, err := f.RecipientKeys(wireformat.Frame{Body: text})
	if err != nil || len(kids) == 0 {
		t.Errorf("%s: recipient keys are %v, %v", name, kids, err)
	}
	for _, key := range a.receiver {
		if strings.Contains(name, "auth_x25519_anon_p521") || !slices.Contains(kids, key.ID()) {
			continue
		}
		alone := tenant(t, []secmod.Key{parseKey(t, "", "", secretOf(t, a, key.ID()))})
		if _, receipt, err := f.Parse(t.Context(), alone, wireformat.Frame{Body: text}); err != nil || receipt.Recipient != key.ID() {
			t.Errorf("%s with %s: %v, %+v", name, key.ID(), err, receipt)
		}
	}
}

func secretOf(t *testing.T, a *appendix, kid string) string {
	t.Helper()
	secrets, err := strictjson.Elements(a.members["secrets_recipient"])
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(secret), `"`+kid+`"`) {
			return string(secret)
		}
	}
	t.Fatalf("there is no secret of %s", kid)
	return ""
}

// TestECDH1PUDraft: the example of the draft, which is of another key wrap.
func TestECDH1PUDraft(t *testing.T) {
	t.Parallel()
	var v struct {
		Sender, Bob, Charlie json.RawMessage
		JWE                  struct {
			Protected, IV, Ciphertext, Tag string
			Recipients                     []struct {
				EncryptedKey string `json:"encrypted_key"`
			}
		}
		Plaintext string
	}
	vectors.Load(t, "ecdh-1pu/draft04-appendix-b.json", &v)
	header, err := base64.RawURLEncoding.DecodeString(v.JWE.Protected)
	if err != nil {
		t.Fatal(err)
	}
	members, err := strictjson.ParseObject(header, maxDepth)
	if err != nil {
		t.Fatal(err)
	}
	raw := func(text string) []byte {
		t.Helper()
		decoded, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return decoded
	}
	apu, err1 := strictBinary(members, "apu")
	apv, err2 := strictBinary(members, "apv")
	epk, err3 := parseEphemeral(members["epk"])
	sender, err4 := parseKey(t, "", "", string(v.Sender)).Exchanger()
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	info := &agreementInfo{alg: "ECDH-1PU+A128KW", apu: apu, apv: apv, tag: raw(v.JWE.Tag), size: 16}
	for i, secret := range []json.RawMessage{v.Bob, v.Charlie} {
		own, err := parseKey(t, "", "", string(secret)).Exchanger()
		if err != nil {
			t.Fatal(err)
		}
		shared, err := agree(own, epk, sender.PublicKey())
		if err != nil {
			t.Fatal(err)
		}
		cek, err := info.unwrap(shared, raw(v.JWE.Recipients[i].EncryptedKey))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := openContent(encCBC, cek, raw(v.JWE.IV), raw(v.JWE.Ciphertext), raw(v.JWE.Tag), []byte(v.JWE.Protected))
		if err != nil || string(plain) != v.Plaintext {
			t.Errorf("recipient %d reads %q, %v; want %q", i, plain, err, v.Plaintext)
		}
	}
}

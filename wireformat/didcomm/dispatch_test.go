package didcomm

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
)

// TestEitherVersion: the format follows the message, and the envelope.
func TestEitherVersion(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	p := tenant(t, []secmod.Key{alice, bob})
	registry, err := wireformat.NewRegistry(append(wireformat.Builtin(), Formats(Options{})...)...)
	if err != nil {
		t.Fatal(err)
	}
	f := New(Options{})
	from, recipient := "did:key:"+alice.ID(), "did:key:"+bob.ID()
	for _, test := range []struct{ message, mediaType, format string }{
		{aries, TypeV1, NameV1},
		{`{"@type":"t"}`, TypeV1, NameV1},
		{plainFrom(from, ""), TypeEncrypted, NameV2},
	} {
		frame := encode(t, f, p, test.message, wireformat.Target{Recipients: []string{recipient}, Sender: from})
		if frame.ContentType != test.mediaType {
			t.Errorf("the media type is %s, want %s", frame.ContentType, test.mediaType)
		}
		for contentType, want := range map[string]string{frame.ContentType: test.format, "": NameAny, "application/json; charset=utf-8": NameAny, "application/octet-stream": NameAny, "application/jwe": NameAny, "jwe": NameAny} {
			frame.ContentType = contentType
			found, err := registry.ForFrame(frame)
			if err != nil || found.Name() != want {
				t.Errorf("%q is read by %v, %v; want %s", contentType, found, err, want)
				continue
			}
			if m, receipt, err := found.Parse(t.Context(), p, frame); err != nil || string(m.Payload) != test.message || receipt.Format != want {
				t.Errorf("%q: %s, %+v, %v", contentType, m.Payload, receipt, err)
			}
		}
		if keys, err := f.RecipientKeys(frame); err != nil || len(keys) != 1 {
			t.Errorf("recipient keys are %v, %v", keys, err)
		}
	}
	for name, message := range map[string]string{"neither": `{"a":1}`, "both": `{"@id":"1","id":"1"}`, "no JSON": "text"} {
		_, err := f.Encode(t.Context(), p, wireformat.Message{Payload: []byte(message)}, wireformat.Target{Recipients: []string{recipient}})
		if !errors.Is(err, wireformat.ErrEncode) {
			t.Errorf("%s: %v, want ErrEncode", name, err)
		}
	}
	for _, body := range []string{aries, plainFrom(from, ""), `{"protected":"e30"}`, `{"protected":"bm8"}`} {
		if _, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: []byte(body)}); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %v, want ErrParse", body, err)
		}
	}
}

// TestPlaintextOnlyWithACAPy: what ACA-Py sends in the clear, only the format of
// that name does.
func TestPlaintextOnlyWithACAPy(t *testing.T) {
	t.Parallel()
	bob := newKey(t, profile.Ed25519)
	p := tenant(t, []secmod.Key{bob})
	lenient := NewACAPy(Options{})
	for _, target := range []wireformat.Target{{}, {Sender: verkeyOf(t, bob)}} {
		for _, f := range []wireformat.Format{NewV1(), NewV2(Options{}), New(Options{})} {
			for _, message := range []string{aries, plainFrom("", "")} {
				frame, err := f.Encode(t.Context(), p, wireformat.Message{Payload: []byte(message)}, target)
				if !errors.Is(err, wireformat.ErrEncode) || strings.Contains(string(frame.Body), "canary") {
					t.Errorf("%s: %s, %v, want ErrEncode", f.Name(), frame.Body, err)
				}
			}
		}
		frame, err := lenient.Encode(t.Context(), p, wireformat.Message{Payload: []byte(aries)}, target)
		if err != nil || string(frame.Body) != aries || frame.ContentType != "application/json" {
			t.Errorf("lenient: %s %s, %v", frame.ContentType, frame.Body, err)
		}
	}
	m, receipt, err := lenient.Parse(t.Context(), p, wireformat.Frame{Body: []byte(aries)})
	if err != nil || string(m.Payload) != aries || receipt.Format != NameACAPy || receipt.ThreadID != "t" {
		t.Errorf("lenient: %s, %+v, %v", m.Payload, receipt, err)
	}
	packed := encode(t, lenient, p, aries, wireformat.Target{Recipients: []string{verkeyOf(t, bob)}, Sender: verkeyOf(t, bob)})
	if m, receipt, err := lenient.Parse(t.Context(), p, packed); err != nil || string(m.Payload) != aries || receipt.Sender != verkeyOf(t, bob) {
		t.Errorf("lenient, packed: %s, %+v, %v", m.Payload, receipt, err)
	}
	if lenient.Sniff(packed) {
		t.Error("the lenient format was chosen by what a frame looks like")
	}
	if _, _, err := lenient.Parse(t.Context(), p, wireformat.Frame{Body: []byte("no JSON")}); !errors.Is(err, wireformat.ErrParse) {
		t.Errorf("lenient, no JSON: %v, want ErrParse", err)
	}
}

func TestResolvers(t *testing.T) {
	t.Parallel()
	r := DefaultResolver()
	alice := newParty(t, profile.Ed25519, profile.X25519, profile.P256)
	document, err := r.Resolve(t.Context(), alice.did)
	if err != nil || len(document.Authentication) != 1 || len(document.KeyAgreement) != 2 || document.KeyAgreement[1].ID != alice.did+"#key-3" {
		t.Errorf("%+v, %v", document, err)
	}
	old := alice.did + "#" + alice.keys[1].ID()[1:]
	if m := method(document.KeyAgreement, old); m == nil || m.ID != alice.did+"#key-2" {
		t.Errorf("%s is %v", old, m)
	}
	service := toBase64([]byte(`{"t":"dm","s":{"uri":"https://example.com/didcomm","a":["didcomm/v2"],"r":["did:example:router#1"]}}`))
	document, err = r.Resolve(t.Context(), alice.did+".S"+service)
	want := Service{Type: "DIDCommMessaging", URI: "https://example.com/didcomm"}
	if err != nil || len(document.Services) != 1 || document.Services[0].URI != want.URI || document.Services[0].Type != want.Type {
		t.Errorf("%+v, %v", document, err)
	}
	for _, did := range []string{
		"", "did:", "did:key", "did:key:", "did:key:z6Mk", "did:web:example.com", "did:peer:0z6Mk", "did:peer:2", "did:peer:2.", "did:peer:2.Xz6Mk",
		"did:peer:2.V", "did:peer:2.S%", "did:peer:2.SAAAA", "did:peer:2.Q" + alice.keys[0].ID(), alice.did + "#key-1", "did:key:" + alice.keys[0].ID() + "?a", "did:peer:2.V" + strings.Repeat("z", 10_000),
	} {
		if document, err := r.Resolve(t.Context(), did); !errors.Is(err, ErrDID) {
			t.Errorf("%q: %v, %v, want ErrDID", did, document, err)
		}
	}
	if _, err := (Documents{}).Resolve(t.Context(), "did:example:x"); !errors.Is(err, ErrDID) {
		t.Errorf("an unknown document: %v, want ErrDID", err)
	}
}

func TestParseDocument(t *testing.T) {
	t.Parallel()
	key := newKey(t, profile.X25519).ID()
	text := `{"id":"did:example:x","verificationMethod":[{"id":"#k","type":"Multikey","publicKeyMultibase":"` + key + `"},{"id":"#old","type":"RsaKey"}],
		"keyAgreement":["did:example:x#k","#missing"],"authentication":[{"id":"#a","publicKeyMultibase":"` + newKey(t, profile.Ed25519).ID() + `"}],
		"service":[{"id":"#s","type":"DIDCommMessaging","serviceEndpoint":{"uri":"https://example.com"}},{"id":"#t","type":"other","serviceEndpoint":"https://example.org"}]}`
	d, err := ParseDocument([]byte(text))
	if err != nil || len(d.KeyAgreement) != 1 || len(d.Authentication) != 1 || d.Authentication[0].ID != "did:example:x#a" || len(d.Services) != 2 || d.Services[1].URI != "https://example.org" {
		t.Errorf("%+v, %v", d, err)
	}
	for _, text := range []string{"", "[]", "{}", `{"id":"x"}`, `{"id":"did:a:b","keyAgreement":{}}`, `{"id":"did:a:b","id":"did:a:c"}`, `{"id":"did:a:b","service":1}`} {
		if _, err := ParseDocument([]byte(text)); !errors.Is(err, ErrDID) {
			t.Errorf("%s: %v, want ErrDID", text, err)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, did := range []string{
		"did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH",
		"did:peer:2.Ez6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc.Vz6MkqRYqQiSgvZQdnBytw86Qbs2ZWUkGv22od935YF4s8M7V.SeyJ0IjoiZG0iLCJzIjoiaHR0cHM6Ly9leGFtcGxlLmNvbSJ9",
		`{"id":"did:a:b","verificationMethod":[{"id":"#k","publicKeyJwk":{"kty":"OKP","crv":"X25519","x":"avH0O2Y4tqLAq8y9zpianr8ajii5m4F_mICrzNlatXs"}}],"keyAgreement":["#k"]}`,
	} {
		f.Add(did)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := DefaultResolver().Resolve(t.Context(), text); err != nil && !errors.Is(err, ErrDID) {
			t.Error(err)
		}
		if _, err := ParseDocument([]byte(text)); err != nil && !errors.Is(err, ErrDID) {
			t.Error(err)
		}
	})
}

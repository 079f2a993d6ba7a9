package didcomm

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

const aries = `{"@type":"https://didcomm.org/basicmessage/1.0/message","@id":"1","~thread":{"thid":"t","pthid":"p"},"~transport":{"return_route":"all"},"content":"canary"}`

// to returns a sample with a target.
func to(s wireformattest.Sample, target wireformat.Target) wireformattest.Sample {
	s.Target = target
	return s
}

func withTarget(samples []wireformattest.Sample, target wireformat.Target) []wireformattest.Sample {
	for i := range samples {
		samples[i].Target = target
	}
	return samples
}

func TestV1Conformance(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	aliceKey, bobKey, strangersKey := verkeyOf(t, alice), verkeyOf(t, bob), verkeyOf(t, newKey(t, profile.Ed25519))
	secret := wireformattest.Text("", `{"a":"`+wireformattest.Canary+`"}`)
	refused := []wireformattest.Sample{
		to(secret, wireformat.Target{}),
		to(secret, wireformat.Target{Sender: aliceKey}),
		to(secret, wireformat.Target{Recipients: []string{bobKey}, Sender: strangersKey}),
		to(secret, wireformat.Target{Recipients: []string{bobKey, bobKey}}),
		to(secret, wireformat.Target{Recipients: []string{bobKey, "did:key:" + bob.ID()}}),
		to(secret, wireformat.Target{Recipients: []string{"nobody"}}),
		to(secret, wireformat.Target{Recipients: []string{"did:key:z6LSbysY2xFMRpGMhb7tFTLMpeuPRaqaWM1yECx2AtzE3KCc"}}),
		to(secret, wireformat.Target{Recipients: []string{strings.Repeat("1", 32)}}), // small order
		to(secret, wireformat.Target{Recipients: []string{bobKey}, Routing: []string{"nowhere"}}),
		to(secret, wireformat.Target{Recipients: []string{bobKey}, Routing: slices.Repeat([]string{bobKey}, 9)}),
		to(secret, wireformat.Target{Recipients: slices.Repeat([]string{bobKey}, 65)}),
		to(wireformattest.Text("", `{"`+wireformattest.Canary+`":1,"`+wireformattest.Canary+`":1}`), wireformat.Target{Recipients: []string{bobKey}}),
		to(wireformattest.Bytes("", []byte(wireformattest.Canary+"\xff")), wireformat.Target{Recipients: []string{bobKey}}),
	}
	for name, target := range map[string]wireformat.Target{
		"authcrypt": {Recipients: []string{bobKey, strangersKey}, Sender: aliceKey},
		"anoncrypt": {Recipients: []string{"did:key:" + bob.ID()}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			samples := append(wireformattest.JSONSamples(), wireformattest.Text("text", "héllo ✓ "+wireformattest.Canary))
			wireformattest.Run(t, func(*testing.T) wireformat.Format { return NewV1() }, wireformattest.Features{
				Samples: withTarget(samples, target), Refused: refused, Profile: tenant(t, []secmod.Key{alice, bob}), Varies: true,
			})
		})
	}
}

func TestV1Receipt(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	target := wireformat.Target{Recipients: []string{verkeyOf(t, bob)}, Sender: "did:key:" + alice.ID() + "#" + alice.ID()}
	frame := encode(t, NewV1(), tenant(t, []secmod.Key{alice}), aries, target)
	if frame.ContentType != TypeV1 || frame.Text {
		t.Errorf("the frame is %q, text %v", frame.ContentType, frame.Text)
	}
	m, receipt, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{bob}), frame)
	want := wireformat.Receipt{Format: NameV1, Sender: verkeyOf(t, alice), Recipient: verkeyOf(t, bob), Authenticated: true, ThreadID: "t", ParentThreadID: "p", ReturnRoute: "all"}
	if err != nil || receipt != want || string(m.Payload) != aries {
		t.Errorf("%+v, %v; want %+v", receipt, err, want)
	}
	target.Sender = ""
	frame = encode(t, NewV1(), tenant(t, nil), aries, target)
	if _, receipt, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{bob}), frame); err != nil || receipt.Sender != "" {
		t.Errorf("anonymous: %+v, %v", receipt, err)
	}
	if _, _, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{alice}), frame); !errors.Is(err, profile.ErrNoKey) {
		t.Errorf("another's: %v, want ErrNoKey", err)
	}
}

// TestTargetOfTheProfile: a profile says for whom and from whom its messages are.
func TestTargetOfTheProfile(t *testing.T) {
	t.Parallel()
	alice, bob, router := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	p := tenant(t, []secmod.Key{alice, bob, router}, SettingRecipients, verkeyOf(t, bob)+" "+verkeyOf(t, router), SettingRoutingKeys, verkeyOf(t, router), SettingSender, verkeyOf(t, alice))
	frame := encode(t, New(Options{}), p, aries, wireformat.Target{})
	frame.Body = openForward(t, p, frame)
	_, receipt, err := NewV1().Parse(t.Context(), p, frame)
	if err != nil || receipt.Sender != verkeyOf(t, alice) || receipt.Recipient != verkeyOf(t, bob) {
		t.Errorf("%+v, %v", receipt, err)
	}
	frame = encode(t, NewV1(), p, aries, wireformat.Target{Recipients: []string{verkeyOf(t, alice)}})
	if keys, err := NewV1().RecipientKeys(frame); err != nil || len(keys) != 1 || keys[0] != verkeyOf(t, alice) {
		t.Errorf("a message with recipients of its own is for %v, %v", keys, err)
	}
}

// TestV1Routing: the last routing key opens the outermost forward.
func TestV1Routing(t *testing.T) {
	t.Parallel()
	bob, near, far := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	target := wireformat.Target{Recipients: []string{verkeyOf(t, bob)}, Routing: []string{verkeyOf(t, near), verkeyOf(t, far)}}
	for _, prefix := range []string{"true", "false"} {
		p := tenant(t, nil, SettingNewPrefix, prefix, SettingNewMediaType, prefix)
		frame := encode(t, NewV1(), p, aries, target)
		if want := map[string]string{"true": TypeV1, "false": TypeV1Old}[prefix]; frame.ContentType != want {
			t.Errorf("the media type is %s, want %s", frame.ContentType, want)
		}
		for _, router := range []secmod.Key{far, near} {
			frame.Body = openForward(t, tenant(t, []secmod.Key{router}), frame)
		}
		if m, _, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{bob}), frame); err != nil || string(m.Payload) != aries {
			t.Errorf("in the last envelope is %s, %v", m.Payload, err)
		}
	}
	if _, err := NewV1().Encode(t.Context(), tenant(t, nil, SettingNewPrefix, "maybe"), wireformat.Message{Payload: []byte(aries)}, target); !errors.Is(err, wireformat.ErrEncode) {
		t.Errorf("a setting that is none: %v, want ErrEncode", err)
	}
}

// TestV1Hostile changes one thing in an envelope at a time.
func TestV1Hostile(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	p := tenant(t, []secmod.Key{alice, bob})
	other := newKey(t, profile.Ed25519)
	frame := encode(t, NewV1(), p, aries, wireformat.Target{Recipients: []string{verkeyOf(t, bob)}, Sender: verkeyOf(t, alice)})
	anonymous := encode(t, NewV1(), p, aries, wireformat.Target{Recipients: []string{verkeyOf(t, bob)}})
	header := func(change func(h map[string]any, recipient, perKey map[string]any)) func(map[string]any) {
		return func(envelope map[string]any) {
			text, _ := fromBase64(envelope["protected"].(string)) //nolint:forcetypeassert // as it was made
			var h map[string]any
			if err := json.Unmarshal(text, &h); err != nil {
				t.Fatal(err)
			}
			recipient := h["recipients"].([]any)[0].(map[string]any) //nolint:forcetypeassert // as it was made
			change(h, recipient, recipient["header"].(map[string]any))
			text, _ = json.Marshal(h)
			envelope["protected"] = toBase64(text)
		}
	}
	flip := func(m map[string]any, name string) {
		text := m[name].(string) //nolint:forcetypeassert // as it was made
		raw, _ := fromBase64(text)
		raw[len(raw)/2] ^= 1
		m[name] = toBase64(raw)
	}
	for name, change := range map[string]func(map[string]any){
		"ciphertext":                func(e map[string]any) { flip(e, "ciphertext") },
		"tag":                       func(e map[string]any) { flip(e, "tag") },
		"short tag":                 func(e map[string]any) { e["tag"] = "AAAA" },
		"no tag":                    func(e map[string]any) { delete(e, "tag") },
		"iv":                        func(e map[string]any) { flip(e, "iv") },
		"short iv":                  func(e map[string]any) { e["iv"] = "AAAA" },
		"iv is a number":            func(e map[string]any) { e["iv"] = 1 },
		"no protected":              func(e map[string]any) { delete(e, "protected") },
		"protected is no base64":    func(e map[string]any) { e["protected"] = "%" },
		"recipients beside":         func(e map[string]any) { e["recipients"] = []any{} },
		"a header beside":           func(e map[string]any) { e["unprotected"] = map[string]any{} },
		"another cipher":            header(func(h, _, _ map[string]any) { h["enc"] = "XC20P" }),
		"another typ":               header(func(h, _, _ map[string]any) { h["typ"] = "JWM/2.0" }),
		"another alg":               header(func(h, _, _ map[string]any) { h["alg"] = "none" }),
		"anonymous, with a sender":  header(func(h, _, _ map[string]any) { h["alg"] = v1Anon }),
		"no sender":                 header(func(_, _, k map[string]any) { delete(k, "sender") }),
		"no iv of the key":          header(func(_, _, k map[string]any) { delete(k, "iv") }),
		"neither":                   header(func(_, _, k map[string]any) { delete(k, "iv"); delete(k, "sender") }),
		"sender changed":            header(func(_, _, k map[string]any) { flip(k, "sender") }),
		"key changed":               header(func(_, r, _ map[string]any) { flip(r, "encrypted_key") }),
		"key missing":               header(func(_, r, _ map[string]any) { delete(r, "encrypted_key") }),
		"no kid":                    header(func(_, _, k map[string]any) { delete(k, "kid") }),
		"another kid":               header(func(_, _, k map[string]any) { k["kid"] = verkeyOf(t, other) }),
		"no recipients":             header(func(h, _, _ map[string]any) { h["recipients"] = []any{} }),
		"recipients are an object":  header(func(h, _, _ map[string]any) { h["recipients"] = map[string]any{} }),
		"a recipient twice":         header(func(h, r, _ map[string]any) { h["recipients"] = []any{r, r} }),
		"many recipients":           header(func(h, r, _ map[string]any) { h["recipients"] = slices.Repeat([]any{r}, 65) }),
		"one member more":           header(func(h, _, _ map[string]any) { h["more"] = 1 }), // changes what is authenticated
		"envelope of another's key": header(func(_, r, _ map[string]any) { r["encrypted_key"] = toBase64(make([]byte, 48)) }),
	} {
		var envelope map[string]any
		if err := json.Unmarshal(frame.Body, &envelope); err != nil {
			t.Fatal(err)
		}
		change(envelope)
		body, err := json.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := NewV1().Parse(t.Context(), p, wireformat.Frame{Body: body}); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %s, %v, want ErrParse", name, m.Payload, err)
		}
	}
	twice := strings.Replace(string(frame.Body), `"tag"`, `"iv":"AAAA","tag"`, 1)
	if _, _, err := NewV1().Parse(t.Context(), p, wireformat.Frame{Body: []byte(twice)}); !errors.Is(err, wireformat.ErrParse) {
		t.Errorf("a member twice: %v, want ErrParse", err)
	}
	if _, _, err := NewV1().Parse(t.Context(), p, anonymous); err != nil {
		t.Error(err)
	}
}

// TestV1OwnVector: an envelope that ACA-Py would write, with its long tag: the
// message's characters are fewer than its bytes.
func TestV1OwnVector(t *testing.T) {
	t.Parallel()
	var v struct{ Seed, Message, Envelope string }
	loadTestdata(t, "v1-long-tag.json", &v)
	key, _ := seeded(t, v.Seed)
	m, _, err := NewV1().Parse(t.Context(), tenant(t, []secmod.Key{key}), wireformat.Frame{Body: []byte(v.Envelope)})
	if err != nil || string(m.Payload) != v.Message {
		t.Errorf("%q, %v; want %q", m.Payload, err, v.Message)
	}
}

func FuzzV1(f *testing.F) {
	bob := newKey(f, profile.Ed25519)
	p := tenant(f, []secmod.Key{bob})
	f.Add(encode(f, NewV1(), p, aries, wireformat.Target{Recipients: []string{verkeyOf(f, bob)}}).Body)
	f.Add(encode(f, NewV1(), p, aries, wireformat.Target{Recipients: []string{verkeyOf(f, bob)}, Sender: verkeyOf(f, bob)}).Body)
	f.Add([]byte(`{"protected":"e30=","iv":"","ciphertext":"","tag":"AAAAAAAAAAAAAAAAAAAAAA"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzParse(t, NewV1(), p, body)
	})
}

// fuzzParse asks for a message or a proper error.
func fuzzParse(t *testing.T, f interface {
	wireformat.Format
	wireformat.Recipienter
}, p *profile.Profile, body []byte) {
	t.Helper()
	if _, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: body}); err != nil && !errors.Is(err, wireformat.ErrParse) {
		t.Error(err)
	}
	if _, err := f.RecipientKeys(wireformat.Frame{Body: body}); err != nil && !errors.Is(err, wireformat.ErrRecipientKeys) {
		t.Error(err)
	}
}

// copyOf returns a JSON object's members, to be changed.
func copyOf(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return maps.Clone(m)
}

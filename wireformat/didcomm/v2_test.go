package didcomm

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

// party has a DID and its keys.
type party struct {
	did  string
	keys []secmod.Key
}

func newParty(t testing.TB, types ...profile.KeyType) party {
	t.Helper()
	var keys []secmod.Key
	for _, of := range types {
		keys = append(keys, newKey(t, of))
	}
	return party{peerDID(t, keys...), keys}
}

func plainFrom(from string, more string) string {
	text := `{"id":"1","type":"https://example.com/t/1.0/m","body":{"canary":"` + wireformattest.Canary + `"}`
	if from != "" {
		text += `,"from":"` + from + `"`
	}
	return text + more + "}"
}

func TestV2Conformance(t *testing.T) {
	t.Parallel()
	alice, bob := newParty(t, profile.Ed25519, profile.X25519, profile.P256), newParty(t, profile.X25519, profile.P256)
	p := tenant(t, slices.Concat(alice.keys, bob.keys))
	c := wireformattest.Canary
	stranger := newParty(t, profile.Ed25519, profile.X25519)
	ok := wireformat.Target{Recipients: []string{bob.did}}
	refused := []wireformattest.Sample{
		to(wireformattest.Text("no recipients", plainFrom("", "")), wireformat.Target{}),
		to(wireformattest.Text("no recipients, but a sender", plainFrom(alice.did, "")), wireformat.Target{Sender: alice.did}),
		to(wireformattest.Text("another's from", plainFrom(bob.did, "")), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}),
		to(wireformattest.Text("no from", plainFrom("", "")), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}),
		to(wireformattest.Text("no key of the sender's", plainFrom(stranger.did, "")), wireformat.Target{Recipients: []string{bob.did}, Sender: stranger.did}),
		to(wireformattest.Text("two DIDs", plainFrom("", "")), wireformat.Target{Recipients: []string{bob.did, alice.did}}),
		to(wireformattest.Text("to another", plainFrom("", `,"to":["did:example:x"]`)), ok),
		to(wireformattest.Text("an unknown method", plainFrom("", "")), wireformat.Target{Recipients: []string{"did:example:" + c}}),
		to(wireformattest.Text("no DID", plainFrom("", "")), wireformat.Target{Recipients: []string{c}}),
		to(wireformattest.Text("an unknown key", plainFrom("", "")), wireformat.Target{Recipients: []string{bob.did + "#key-9"}}),
		to(wireformattest.Text("no id", `{"type":"`+c+`"}`), ok),
		to(wireformattest.Text("no object", `"`+c+`"`), ok),
		to(wireformattest.Text("a name twice", plainFrom("", `,"id":"2"`)), ok),
		to(wireformattest.Text("another typ", plainFrom("", `,"typ":"`+c+`"`)), ok),
		to(wireformattest.Text("no router", plainFrom("", "")), wireformat.Target{Recipients: []string{bob.did}, Routing: []string{c}}),
	}
	for name, test := range map[string]struct {
		format wireformat.Format
		target wireformat.Target
	}{
		"authcrypt":     {NewV2(Options{}), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}},
		"authcrypt key": {NewV2(Options{}), wireformat.Target{Recipients: []string{bob.did + "#key-2"}, Sender: alice.did + "#key-3"}},
		"anoncrypt":     {NewV2(Options{}), wireformat.Target{Recipients: []string{bob.did}}},
		"signed":        {NewSigned(Options{}), wireformat.Target{Sender: alice.did}},
		"either":        {New(Options{}), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			features := wireformattest.Features{
				Samples: withTarget([]wireformattest.Sample{
					wireformattest.Text("message", plainFrom(alice.did, "")),
					wireformattest.Text("more", " "+plainFrom(alice.did, `,"to":["`+bob.did+`"],"typ":"didcomm-plain+json","long":"`+strings.Repeat("é", 1<<16)+`"`)),
				}, test.target),
				Refused: refused, Profile: p, Varies: name != "signed",
			}
			if name == "signed" || name == "either" {
				features.Refused = refused[10:13]
			}
			wireformattest.Run(t, func(*testing.T) wireformat.Format { return test.format }, features)
		})
	}
}

// TestV2EveryCurve: both ways, on each curve and with each setting.
func TestV2EveryCurve(t *testing.T) {
	t.Parallel()
	for _, of := range []profile.KeyType{profile.X25519, profile.P256, profile.P384, profile.P521} {
		for _, signing := range []profile.KeyType{profile.Ed25519, ""} {
			for settings := range 4 {
				t.Run(fmt.Sprintf("%s %s %d", of, signing, settings), func(t *testing.T) {
					t.Parallel()
					alice, bob := newParty(t, profile.Ed25519, of), newParty(t, of, of)
					signs, protects := settings&1 > 0 && signing != "", settings&2 > 0
					p := tenant(t, alice.keys, SettingSign, fmt.Sprint(signs), SettingProtectSender, fmt.Sprint(protects))
					frame := encode(t, NewV2(Options{}), p, plainFrom(alice.did, `,"thid":"t","pthid":"p","return_route":"all"`), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did})
					_, receipt, err := NewV2(Options{}).Parse(t.Context(), tenant(t, bob.keys[1:]), frame)
					want := wireformat.Receipt{Format: NameV2, Sender: alice.did + "#key-2", Recipient: bob.did + "#key-2", Signed: signs, Authenticated: true, ThreadID: "t", ParentThreadID: "p", ReturnRoute: "all"}
					if err != nil || receipt != want {
						t.Errorf("%+v, %v; want %+v", receipt, err, want)
					}
					if strings.Contains(string(frame.Body), base64.RawURLEncoding.EncodeToString([]byte(`"skid"`))[:6]) && protects {
						t.Error("the sender shows")
					}
				})
			}
		}
	}
}

// TestV2DIDKeys: an Ed25519 key is enough to sign, to encrypt and to decrypt.
func TestV2DIDKeys(t *testing.T) {
	t.Parallel()
	alice, bob := newKey(t, profile.Ed25519), newKey(t, profile.Ed25519)
	from, recipient := "did:key:"+alice.ID(), "did:key:"+bob.ID()
	p := tenant(t, []secmod.Key{alice}, SettingSign, "true")
	frame := encode(t, NewV2(Options{}), p, plainFrom(from, ""), wireformat.Target{Recipients: []string{recipient}, Sender: from})
	_, receipt, err := NewV2(Options{}).Parse(t.Context(), tenant(t, []secmod.Key{bob}), frame)
	if err != nil || !receipt.Signed || !strings.HasPrefix(receipt.Sender, from+"#z6LS") || !strings.HasPrefix(receipt.Recipient, recipient+"#z6LS") {
		t.Errorf("%+v, %v", receipt, err)
	}
	if _, _, err := NewV2(Options{}).Parse(t.Context(), tenant(t, []secmod.Key{alice}), frame); !errors.Is(err, profile.ErrNoKey) {
		t.Errorf("another's: %v, want ErrNoKey", err)
	}
}

// TestV2Routing: the first router opens the outermost forward.
func TestV2Routing(t *testing.T) {
	t.Parallel()
	bob, near, far := newParty(t, profile.X25519), newParty(t, profile.P256), newParty(t, profile.X25519)
	target := wireformat.Target{Recipients: []string{bob.did}, Routing: []string{far.did, near.did}}
	frame := encode(t, NewV2(Options{}), tenant(t, nil), plainFrom("", ""), target)
	for i, router := range []party{far, near} {
		m, _, err := NewV2(Options{}).Parse(t.Context(), tenant(t, router.keys), frame)
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
		if err := json.Unmarshal(m.Payload, &forward); err != nil || forward.Type != forwardV2 || forward.Body.Next != []string{near.did, bob.did}[i] {
			t.Fatalf("router %d reads %s, %v", i, m.Payload, err)
		}
		frame.Body = forward.Attachments[0].Data.JSON
	}
	if _, _, err := NewV2(Options{}).Parse(t.Context(), tenant(t, bob.keys), frame); err != nil {
		t.Error(err)
	}
}

// TestV2Layers: layers that lie around each other in another order are refused, and
// so is a message in the clear.
func TestV2Layers(t *testing.T) {
	t.Parallel()
	alice, bob := newParty(t, profile.Ed25519, profile.X25519), newParty(t, profile.X25519)
	p := tenant(t, slices.Concat(alice.keys, bob.keys))
	f := NewV2(Options{})
	_, keys, err := agreementKeys(t.Context(), f.resolver, []string{bob.did})
	if err != nil {
		t.Fatal(err)
	}
	chosen, static, err := chooseKeys(t.Context(), p, f.resolver, keys, alice.did)
	if err != nil {
		t.Fatal(err)
	}
	wrap := map[byte]func([]byte) []byte{
		'n': func(m []byte) []byte { return must(t)(packJWE(m, chosen, nil)) },
		'a': func(m []byte) []byte { return must(t)(packJWE(m, chosen, static)) },
		's': func(m []byte) []byte { return must(t)(f.sign(t.Context(), p, m, alice.did)) },
	}
	for layers, ok := range map[string]bool{
		"n": true, "a": true, "na": true, "ns": true, "as": true, "nas": true,
		"": false, "s": false, "nn": false, "aa": false, "an": false, "sn": false, "sa": false, "nss": false, "nan": false, "nass": false,
	} {
		body := []byte(plainFrom(alice.did, ""))
		for _, layer := range slices.Backward([]byte(layers)) {
			body = wrap[layer](body)
		}
		_, receipt, err := f.Parse(t.Context(), p, wireformat.Frame{Body: body})
		if ok != (err == nil) || err != nil && !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%q: %v, want it to be read: %v", layers, err, ok)
		}
		if ok && (receipt.Signed != strings.Contains(layers, "s") || (receipt.Sender != "") != strings.ContainsAny(layers, "as")) {
			t.Errorf("%q: the receipt is %+v", layers, receipt)
		}
	}
	for name, message := range map[string]string{"from another": plainFrom(bob.did, ""), "from nobody": plainFrom("", ""), "to another": plainFrom(alice.did, `,"to":["did:example:x"]`)} {
		if _, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: wrap['a']([]byte(message))}); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %v, want ErrParse", name, err)
		}
	}
	if _, _, err := NewSigned(Options{}).Parse(t.Context(), p, wireformat.Frame{Body: wrap['a'](wrap['s']([]byte(plainFrom(alice.did, ""))))}); !errors.Is(err, wireformat.ErrParse) {
		t.Errorf("the signed format reads what is encrypted: %v", err)
	}
}

func must(t *testing.T) func([]byte, error) []byte {
	t.Helper()
	return func(body []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
}

// TestV2Hostile changes one thing in an envelope at a time.
func TestV2Hostile(t *testing.T) {
	t.Parallel()
	alice, bob := newParty(t, profile.Ed25519, profile.X25519), newParty(t, profile.X25519)
	p := tenant(t, slices.Concat(alice.keys, bob.keys))
	f := NewV2(Options{})
	frame := encode(t, f, p, plainFrom(alice.did, ""), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did})
	p256 := newKey(t, profile.P256).PublicKey()
	header := func(change func(h map[string]any)) func(map[string]any) {
		return func(e map[string]any) {
			text, _ := fromBase64(e["protected"].(string)) //nolint:forcetypeassert // as it was made
			h := copyOf(t, text)
			change(h)
			text, _ = json.Marshal(h)
			e["protected"] = toBase64(text)
		}
	}
	recipient := func(change func(r map[string]any)) func(map[string]any) {
		return func(e map[string]any) { change(e["recipients"].([]any)[0].(map[string]any)) } //nolint:forcetypeassert // as it was made
	}
	epk := func(members map[string]string) func(map[string]any) {
		return header(func(h map[string]any) { h["epk"] = members })
	}
	for name, change := range map[string]func(map[string]any){
		"zip":                    header(func(h map[string]any) { h["zip"] = "DEF" }),
		"crit":                   header(func(h map[string]any) { h["crit"] = []string{"x"} }),
		"typ":                    header(func(h map[string]any) { h["typ"] = "JWT" }),
		"alg none":               header(func(h map[string]any) { h["alg"] = "none" }),
		"alg dir":                header(func(h map[string]any) { h["alg"] = "dir" }),
		"alg anonymous":          header(func(h map[string]any) { h["alg"] = algAnon }),
		"alg anonymous, whole":   header(func(h map[string]any) { h["alg"] = algAnon; delete(h, "skid"); delete(h, "apu") }),
		"enc":                    header(func(h map[string]any) { h["enc"] = "A128GCM" }),
		"enc without commitment": header(func(h map[string]any) { h["enc"] = encXC }),
		"no apv":                 header(func(h map[string]any) { delete(h, "apv") }),
		"another apv":            header(func(h map[string]any) { h["apv"] = "AAAA" }),
		"another apu":            header(func(h map[string]any) { h["apu"] = "AAAA" }),
		"no sender":              header(func(h map[string]any) { delete(h, "apu"); delete(h, "skid") }),
		"an unknown sender":      header(func(h map[string]any) { h["skid"] = "did:example:x#1"; h["apu"] = toBase64([]byte("did:example:x#1")) }),
		"skid of the recipient": header(func(h map[string]any) {
			h["skid"] = bob.did + "#key-1"
			h["apu"] = toBase64([]byte(bob.did + "#key-1"))
		}),
		"no epk":               header(func(h map[string]any) { delete(h, "epk") }),
		"epk of zeros":         epk(map[string]string{"kty": "OKP", "crv": "X25519", "x": toBase64(make([]byte, 32))}),
		"epk of order one":     epk(map[string]string{"kty": "OKP", "crv": "X25519", "x": toBase64(append([]byte{1}, make([]byte, 31)...))}),
		"epk too short":        epk(map[string]string{"kty": "OKP", "crv": "X25519", "x": "AAAA"}),
		"epk Ed25519":          epk(map[string]string{"kty": "OKP", "crv": "Ed25519", "x": toBase64(make([]byte, 32))}),
		"epk on another curve": epk(map[string]string{"kty": "EC", "crv": "P-256", "x": toBase64(p256[1:33]), "y": toBase64(p256[33:])}),
		"epk off its curve":    epk(map[string]string{"kty": "EC", "crv": "P-256", "x": toBase64(p256[1:33]), "y": toBase64(p256[1:33])}),
		"epk of infinity":      epk(map[string]string{"kty": "EC", "crv": "P-256", "x": toBase64(make([]byte, 32)), "y": toBase64(make([]byte, 32))}),
		"epk without kty":      epk(map[string]string{"crv": "X25519", "x": toBase64(make([]byte, 32))}),
		"protected":            func(e map[string]any) { e["protected"] = "" },
		"padded":               func(e map[string]any) { e["iv"] = e["iv"].(string) + "==" }, //nolint:forcetypeassert // as it was made
		"short iv":             func(e map[string]any) { e["iv"] = "AAAA" },
		"short tag":            func(e map[string]any) { e["tag"] = "AAAA" },
		"no tag":               func(e map[string]any) { delete(e, "tag") },
		"ciphertext":           func(e map[string]any) { e["ciphertext"] = toBase64(make([]byte, 64)) },
		"empty ciphertext":     func(e map[string]any) { e["ciphertext"] = "" },
		"aad":                  func(e map[string]any) { e["aad"] = "AAAA" },
		"no recipients":        func(e map[string]any) { e["recipients"] = []any{} },
		"a recipient twice":    func(e map[string]any) { e["recipients"] = append(e["recipients"].([]any), e["recipients"].([]any)...) }, //nolint:forcetypeassert // as it was made
		"another recipient":    recipient(func(r map[string]any) { r["header"] = map[string]any{"kid": alice.did + "#key-2"} }),
		"no kid":               recipient(func(r map[string]any) { r["header"] = map[string]any{} }),
		"no header":            recipient(func(r map[string]any) { delete(r, "header") }),
		"alg per recipient":    recipient(func(r map[string]any) { r["header"].(map[string]any)["alg"] = "dir" }), //nolint:forcetypeassert // as it was made
		"another key":          recipient(func(r map[string]any) { r["encrypted_key"] = toBase64(make([]byte, 72)) }),
		"a short key":          recipient(func(r map[string]any) { r["encrypted_key"] = "AAAA" }),
		"an empty key":         recipient(func(r map[string]any) { r["encrypted_key"] = "" }),
	} {
		envelope := copyOf(t, frame.Body)
		change(envelope)
		body, err := json.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: body}); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %s, %v, want ErrParse", name, m.Payload, err)
		}
	}
}

// TestSignedHostile changes one thing in a signed message at a time.
func TestSignedHostile(t *testing.T) {
	t.Parallel()
	alice, mallory := newParty(t, profile.Ed25519), newParty(t, profile.Ed25519)
	p := tenant(t, slices.Concat(alice.keys, mallory.keys))
	f := NewSigned(Options{})
	frame := encode(t, f, p, plainFrom(alice.did, ""), wireformat.Target{Sender: alice.did})
	if _, receipt, err := f.Parse(t.Context(), profile.Default(), frame); err != nil || !receipt.Signed || receipt.Sender != alice.did+"#key-1" {
		t.Fatalf("%+v, %v", receipt, err)
	}
	part := func(change func(s map[string]any)) func(map[string]any) {
		return func(e map[string]any) { change(e["signatures"].([]any)[0].(map[string]any)) } //nolint:forcetypeassert // as it was made
	}
	protected := func(text string) func(map[string]any) {
		return part(func(s map[string]any) { s["protected"] = toBase64([]byte(text)) })
	}
	for name, change := range map[string]func(map[string]any){
		"another payload":   func(e map[string]any) { e["payload"] = toBase64([]byte(plainFrom(alice.did, `,"more":1`))) },
		"no payload":        func(e map[string]any) { delete(e, "payload") },
		"no signatures":     func(e map[string]any) { e["signatures"] = []any{} },
		"two forms":         func(e map[string]any) { e["signature"] = "AAAA" },
		"another's key":     part(func(s map[string]any) { s["header"] = map[string]any{"kid": mallory.did + "#key-1"} }),
		"an unknown key":    part(func(s map[string]any) { s["header"] = map[string]any{"kid": alice.did + "#key-2"} }),
		"no kid":            part(func(s map[string]any) { delete(s, "header") }),
		"another signature": part(func(s map[string]any) { s["signature"] = toBase64(make([]byte, 64)) }),
		"a short one":       part(func(s map[string]any) { s["signature"] = "AAAA" }),
		"alg none":          protected(`{"alg":"none"}`),
		"alg of another":    protected(`{"alg":"ES256"}`),
		"crit":              protected(`{"alg":"EdDSA","crit":["b64"],"b64":false}`),
		"typ":               protected(`{"alg":"EdDSA","typ":"JWT"}`),
		"one too many":      func(e map[string]any) { e["signatures"] = slices.Repeat(e["signatures"].([]any), 9) }, //nolint:forcetypeassert // as it was made
	} {
		envelope := copyOf(t, frame.Body)
		change(envelope)
		body, err := json.Marshal(envelope)
		if err != nil {
			t.Fatal(err)
		}
		if m, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: body}); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %s, %v, want ErrParse", name, m.Payload, err)
		}
	}
	stolen := must(t)(f.sign(t.Context(), p, []byte(plainFrom(alice.did, "")), mallory.did))
	if _, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: stolen}); !errors.Is(err, wireformat.ErrParse) {
		t.Errorf("signed by another than from: %v, want ErrParse", err)
	}
	flat := copyOf(t, frame.Body)
	one := flat["signatures"].([]any)[0].(map[string]any) //nolint:forcetypeassert // as it was made
	body, _ := json.Marshal(map[string]any{"payload": flat["payload"], "protected": one["protected"], "signature": one["signature"], "header": one["header"]})
	if _, _, err := f.Parse(t.Context(), p, wireformat.Frame{Body: body}); err != nil {
		t.Errorf("the flat form: %v", err)
	}
}

func FuzzV2(f *testing.F) {
	alice, bob := newParty(f, profile.Ed25519, profile.X25519), newParty(f, profile.X25519, profile.P256)
	p := tenant(f, slices.Concat(alice.keys, bob.keys))
	f.Add(encode(f, NewV2(Options{}), p, plainFrom("", ""), wireformat.Target{Recipients: []string{bob.did}}).Body)
	f.Add(encode(f, NewV2(Options{}), p, plainFrom(alice.did, ""), wireformat.Target{Recipients: []string{bob.did}, Sender: alice.did}).Body)
	f.Add(encode(f, NewSigned(Options{}), p, plainFrom(alice.did, ""), wireformat.Target{Sender: alice.did}).Body)
	f.Add([]byte(`{"protected":"e30","iv":"","ciphertext":"","tag":"","recipients":[{"header":{"kid":"x"},"encrypted_key":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fuzzParse(t, NewV2(Options{}), p, body)
		fuzzParse(t, NewSigned(Options{}), p, body)
		fuzzParse(t, New(Options{}), p, body)
		New(Options{}).Sniff(wireformat.Frame{Body: body})
	})
}

package webhook

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

func timestamp(seconds int64) string { return strconv.FormatInt(seconds, 10) }

func withSecret(t *testing.T, text string) *profile.Profile {
	t.Helper()
	p, err := profile.New("tenant", profile.Options{Secrets: map[string]transport.Secret{"webhook": transport.NewSecret(text)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newFormat(t *testing.T, options Options) *Format {
	t.Helper()
	f, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestConformance(t *testing.T) {
	t.Parallel()
	private, _, err := NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	taken := wireformattest.Text("a header of the format", `{}`)
	taken.Message.Metadata = transport.Metadata{"Webhook-Id": wireformattest.Canary}
	for name, inner := range map[string]wireformat.Format{"json": &wireformat.JSON{}, "raw": &wireformat.Raw{}} {
		samples := wireformattest.JSONSamples()
		if name == "raw" {
			samples = wireformattest.AnySamples()
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wireformattest.Run(t, func(t *testing.T) wireformat.Format { return newFormat(t, Options{Inner: inner}) }, wireformattest.Features{
				Samples: samples,
				Refused: []wireformattest.Sample{taken},
				Profile: withSecret(t, NewSecret().Reveal()+" "+private.Reveal()),
			})
		})
	}
}

// stamped encodes a payload and stamps an attempt at now.
func stamped(t *testing.T, f *Format, p *profile.Profile, payload string, now time.Time) wireformat.Frame {
	t.Helper()
	m := wireformat.Message{ID: transport.NewID(now), Payload: []byte(payload), Text: true}
	frame, err := f.Encode(t.Context(), p, m, wireformat.Target{})
	if err != nil {
		t.Fatal(err)
	}
	frame.Header = maps.Clone(frame.Header)
	if err := f.Stamp(t.Context(), p, &frame, wireformat.Attempt{ID: m.ID, Number: 1, At: now}); err != nil {
		t.Fatal(err)
	}
	return frame
}

// TestEachAttemptHasItsOwnTime: the id stays, time and signature do not.
func TestEachAttemptHasItsOwnTime(t *testing.T) {
	t.Parallel()
	secret := NewSecret()
	f, p := newFormat(t, Options{}), withSecret(t, secret.Reveal())
	m := wireformat.Message{ID: transport.NewID(time.Now()), Payload: []byte(`{"a":1}`)}
	frame, err := f.Encode(t.Context(), p, m, wireformat.Target{})
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := NewVerifier(VerifierOptions{}, secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for number := range 2 {
		attempt := frame
		attempt.Header = maps.Clone(frame.Header)
		at := time.Now().Add(time.Duration(number) * time.Minute)
		if err := f.Stamp(t.Context(), p, &attempt, wireformat.Attempt{ID: m.ID, Number: number + 1, At: at}); err != nil {
			t.Fatal(err)
		}
		header := http.Header{}
		for name, value := range attempt.Header {
			header.Set(name, value)
		}
		id, err := verifier.VerifyRequest(header, attempt.Body)
		if err != nil || id != m.ID.String() {
			t.Errorf("attempt %d: id %q, %v; want %s", number+1, id, err, m.ID)
		}
		seen[attempt.Header[HeaderTimestamp]+attempt.Header[HeaderSignature]] = true
	}
	if len(seen) != 2 {
		t.Error("two attempts have the same time or signature")
	}
}

// TestRotation: while both secrets sign, receivers of either verify.
func TestRotation(t *testing.T) {
	t.Parallel()
	next, last, other := NewSecret(), NewSecret(), NewSecret()
	f, p := newFormat(t, Options{}), withSecret(t, next.Reveal()+" "+last.Reveal())
	frame := stamped(t, f, p, `{}`, time.Now())
	verify := func(secrets ...transport.Secret) error {
		verifier, err := NewVerifier(VerifierOptions{}, secrets...)
		if err != nil {
			t.Fatal(err)
		}
		return verifier.Verify(frame.Header[HeaderID], frame.Header[HeaderTimestamp], frame.Header[HeaderSignature], frame.Body)
	}
	for _, secrets := range [][]transport.Secret{{next}, {last}, {other, last}} {
		if err := verify(secrets...); err != nil {
			t.Error(err)
		}
	}
	if err := verify(other); !errors.Is(err, ErrVerify) {
		t.Errorf("a stranger's secret: %v, want ErrVerify", err)
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	f, p := newFormat(t, Options{}), withSecret(t, NewSecret().Reveal())
	for name, change := range map[string]func(*wireformat.Frame){
		"another body":    func(f *wireformat.Frame) { f.Body = []byte(`{"b":2}`) },
		"another id":      func(f *wireformat.Frame) { f.Header[HeaderID] += "0" },
		"an id with dots": func(f *wireformat.Frame) { f.Header[HeaderID] = "a.b" },
		"no signature":    func(f *wireformat.Frame) { delete(f.Header, HeaderSignature) },
		"no header":       func(f *wireformat.Frame) { f.Header = nil },
		"a later time":    func(f *wireformat.Frame) { f.Header[HeaderTimestamp] = timestamp(time.Now().Unix() + 1) },
		"no number":       func(f *wireformat.Frame) { f.Header[HeaderTimestamp] = "+1" },
		"years":           func(f *wireformat.Frame) { f.Header[HeaderTimestamp] = "99999999999999999999" },
		"another scheme": func(f *wireformat.Frame) {
			f.Header[HeaderSignature] = strings.Replace(f.Header[HeaderSignature], "v1,", "v1a,", 1)
		},
	} {
		frame := stamped(t, f, p, `{"a":1}`, time.Now())
		change(&frame)
		if _, _, err := f.Parse(t.Context(), p, frame); !errors.Is(err, wireformat.ErrParse) {
			t.Errorf("%s: %v, want ErrParse", name, err)
		}
	}
	for _, age := range []time.Duration{6 * time.Minute, -6 * time.Minute} {
		if _, _, err := f.Parse(t.Context(), p, stamped(t, f, p, `{}`, time.Now().Add(-age))); !errors.Is(err, ErrVerify) {
			t.Errorf("%s old: %v, want ErrVerify", age, err)
		}
	}
	frame := stamped(t, f, p, `{"a":1}`, time.Now())
	if m, receipt, err := f.Parse(t.Context(), p, frame); err != nil || !receipt.Signed || m.ID.String() != frame.Header[HeaderID] {
		t.Errorf("an untouched frame: %+v, %+v, %v", m, receipt, err)
	}
}

func TestEncodeNeedsASecret(t *testing.T) {
	t.Parallel()
	f := newFormat(t, Options{})
	for name, p := range map[string]*profile.Profile{
		"none":       profile.Default(),
		"blank":      withSecret(t, " "),
		"not base64": withSecret(t, "whsec_%canary%"),
		"too short":  withSecret(t, "whsec_Y2FuYXJ5"),
		"public":     withSecret(t, "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4="),
		"too many":   withSecret(t, strings.Repeat(NewSecret().Reveal()+" ", 17)),
	} {
		_, err := f.Encode(t.Context(), p, wireformat.Message{Payload: []byte(`{}`)}, wireformat.Target{})
		if !errors.Is(err, wireformat.ErrEncode) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "Y2FuYXJ5") {
			t.Errorf("%s: %v, want ErrEncode without the secret", name, err)
		}
	}
}

func TestKeyPairHalvesMustAgree(t *testing.T) {
	t.Parallel()
	one, _, err1 := NewKeyPair()
	two, _, err2 := NewKeyPair()
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	a, _ := decode(strings.TrimPrefix(one.Reveal(), privatePrefix))
	b, _ := decode(strings.TrimPrefix(two.Reveal(), privatePrefix))
	mixed := privatePrefix + base64.StdEncoding.EncodeToString(append(a[:32:32], b[32:]...))
	if _, err := NewSigner(transport.NewSecret(mixed)); !errors.Is(err, ErrSecret) {
		t.Errorf("halves of two pairs: %v, want ErrSecret", err)
	}
}

// TestSecretsDoNotShow prints all that holds a secret.
func TestSecretsDoNotShow(t *testing.T) {
	t.Parallel()
	secret := transport.NewSecret("whsec_Y2FuYXJ5LWNhbmFyeS1jYW5hcnktY2FuYXJ5")
	signer, err1 := NewSigner(secret)
	verifier, err2 := NewVerifier(VerifierOptions{}, secret)
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for _, value := range []any{signer, verifier, *signer, *verifier} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
			text := fmt.Sprintf(verb, value)
			if strings.Contains(text, "canary") || strings.Contains(text, "63616e617279") || strings.Contains(text, "99 97 110") {
				t.Errorf("%s of %T shows the secret", verb, value)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Tolerance: -1, Inner: newFormat(t, Options{})}); err == nil ||
		!strings.Contains(err.Error(), "Tolerance") || !strings.Contains(err.Error(), "Inner") {
		t.Errorf("error is %v, want one that names both fields", err)
	}
	if _, err := NewVerifier(VerifierOptions{Tolerance: -1}, NewSecret()); err == nil {
		t.Error("a negative tolerance was taken")
	}
	if _, err := NewVerifier(VerifierOptions{}); !errors.Is(err, ErrSecret) {
		t.Errorf("no secret: %v, want ErrSecret", err)
	}
}

func FuzzVerify(f *testing.F) {
	secret := NewSecret()
	verifier, err := NewVerifier(VerifierOptions{}, secret)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("id", "1614265330", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", []byte(`{}`), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	f.Add("", "-1", "v1a,", []byte(nil), "whsk_ whpk_")
	f.Add("a.b", "9223372036854775808", " v1 ,v1,, v1a,====", []byte("x"), "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=")
	f.Fuzz(func(t *testing.T, id, stamp, signatures string, body []byte, text string) {
		if err := verifier.Verify(id, stamp, signatures, body); err == nil {
			t.Error("something verifies that nobody signed")
		}
		if _, err := NewVerifier(VerifierOptions{}, transport.NewSecret(text)); err != nil && !errors.Is(err, ErrSecret) {
			t.Error(err)
		}
	})
}

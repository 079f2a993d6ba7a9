package webhook

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"encoding/json"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/transport"
)

// vector is a message and what it is signed as.
type vector struct {
	Secret, Public, ID, Payload, Signature string
	Timestamp                              int64
}

// atTime runs a test in a bubble whose clock has come to an instant.
func atTime(t *testing.T, at time.Time, test func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		<-time.After(time.Until(at)) // the bubble's clock begins in 2000
		test(t)
	})
}

func checkVector(t *testing.T, v vector) {
	t.Helper()
	atTime(t, time.Unix(v.Timestamp, 0), func(t *testing.T) {
		secret := transport.NewSecret(v.Secret)
		signer, err := NewSigner(secret)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := signer.Sign(v.ID, time.Unix(v.Timestamp, 0), []byte(v.Payload)); err != nil || got != v.Signature {
			t.Errorf("Sign = %q, %v; want %q", got, err, v.Signature)
		}
		texts := []transport.Secret{secret}
		if v.Public != "" {
			texts = append(texts, transport.NewSecret(v.Public))
		}
		for _, text := range texts {
			verifier, err := NewVerifier(VerifierOptions{}, text)
			if err != nil {
				t.Fatal(err)
			}
			stamp := timestamp(v.Timestamp)
			if err := verifier.Verify(v.ID, stamp, v.Signature, []byte(v.Payload)); err != nil {
				t.Error(err)
			}
			if err := verifier.Verify(v.ID, stamp, v.Signature, []byte(v.Payload+" ")); !errors.Is(err, ErrVerify) {
				t.Errorf("another body: %v, want ErrVerify", err)
			}
		}
	})
}

func TestOwnVectors(t *testing.T) {
	t.Parallel()
	var own []vector
	content, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &own); err != nil {
		t.Fatal(err)
	}
	if len(own) < 2 {
		t.Fatalf("there are %d vectors", len(own))
	}
	for _, v := range own {
		checkVector(t, v)
	}
}

func TestOfficialVectors(t *testing.T) {
	t.Parallel()
	var all struct {
		Valid           []vector
		Invalid         []string `json:"invalid_signatures"`
		MultiOK         string   `json:"multi_ok"`
		UnpaddedSecrets []string `json:"unpadded_secrets"`
		BadSecrets      []string `json:"bad_secrets"`
	}
	vectors.Load(t, "standard-webhooks/vectors.json", &all)
	for _, v := range all.Valid {
		checkVector(t, v)
	}
	v := all.Valid[0]
	verifier, err := NewVerifier(VerifierOptions{}, transport.NewSecret(v.Secret))
	if err != nil {
		t.Fatal(err)
	}
	atTime(t, time.Unix(v.Timestamp, 0), func(t *testing.T) {
		for _, signature := range all.Invalid {
			if err := verifier.Verify(v.ID, timestamp(v.Timestamp), signature, []byte(v.Payload)); !errors.Is(err, ErrVerify) {
				t.Errorf("%q: %v, want ErrVerify", signature, err)
			}
		}
		if err := verifier.Verify(v.ID, timestamp(v.Timestamp), all.MultiOK, []byte(v.Payload)); err != nil {
			t.Errorf("several signatures: %v", err)
		}
	})
	for _, text := range all.UnpaddedSecrets {
		padded := text + strings.Repeat("=", (4-len(text)%4)%4)
		if raw, err := base64.StdEncoding.DecodeString(padded); err != nil || len(raw) < minSecret {
			t.Fatalf("vector %q: %v", text, err)
		}
		one, err1 := NewSigner(transport.NewSecret(text))
		two, err2 := NewSigner(transport.NewSecret("whsec_" + padded))
		if err := errors.Join(err1, err2); err != nil {
			t.Errorf("without padding: %v", err)
			continue
		}
		a, _ := one.Sign("id", time.Unix(1, 0), nil)
		if b, _ := two.Sign("id", time.Unix(1, 0), nil); a != b {
			t.Errorf("a secret without padding signs otherwise than with")
		}
	}
	for _, text := range all.BadSecrets {
		if _, err := NewSigner(transport.NewSecret(text)); !errors.Is(err, ErrSecret) {
			t.Errorf("bad secret: %v, want ErrSecret", err)
		}
	}
}

// TestPublicKeyText: what is given to receivers verifies what the key signs.
func TestPublicKeyText(t *testing.T) {
	t.Parallel()
	private, public, err := NewKeyPair()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := NewVerifier(VerifierOptions{}, transport.NewSecret(public))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signed, err := signer.Sign("id", now, []byte("body"))
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.Verify("id", timestamp(now.Unix()), signed, []byte("body")); err != nil {
		t.Error(err)
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(public, publicPrefix))
	if err != nil || PublicKey(ed25519.PublicKey(raw)) != public {
		t.Errorf("the public key does not read back: %v", err)
	}
}

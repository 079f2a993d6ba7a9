package webhook

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/transport"
)

// ErrSecret is returned for a text that is no secret of Standard Webhooks.
var ErrSecret = errors.New("not a webhook secret")

// Schemes, in front of each signature.
const (
	symmetric  = "v1"
	asymmetric = "v1a"
)

// Prefixes of secrets and public keys.
const (
	secretPrefix  = "whsec_"
	privatePrefix = "whsk_"
	publicPrefix  = "whpk_"
)

// Sizes of symmetric secrets, in bytes. The specification wants 24 to 64; its own
// libraries test with 23, so that the least is what is still out of reach.
const (
	minSecret = 16
	maxSecret = 64
	newSecret = 32
)

// maxSecrets bounds a list of secrets: each signs every message.
const maxSecrets = 16

// secret signs and verifies. What it signs with is in a function, so that no dump
// of a struct shows it.
type secret struct {
	scheme string
	raw    func(content []byte) []byte // signs; nil for a public key
	public ed25519.PublicKey           // of v1a
}

// NewSecret returns a new random secret of the scheme v1.
func NewSecret() transport.Secret {
	raw := make([]byte, newSecret)
	_, _ = rand.Read(raw) // never fails: crypto/rand aborts the program instead
	return transport.NewSecret(secretPrefix + base64.StdEncoding.EncodeToString(raw))
}

// NewKeyPair returns a new key pair of the scheme v1a: the secret that signs, and
// the public key that receivers verify with.
func NewKeyPair() (private transport.Secret, public string, err error) {
	publicKey, privateKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		return transport.Secret{}, "", err
	}
	text := privatePrefix + base64.StdEncoding.EncodeToString(privateKey)
	return transport.NewSecret(text), PublicKey(publicKey), nil
}

// PublicKey returns the text of an Ed25519 public key, for receivers.
func PublicKey(key ed25519.PublicKey) string {
	return publicPrefix + base64.StdEncoding.EncodeToString(key)
}

// parseSecrets reads secrets with blanks between them.
func parseSecrets(list transport.Secret) ([]*secret, error) {
	texts := strings.Fields(list.Reveal())
	if len(texts) > maxSecrets {
		return nil, fmt.Errorf("%w: there are %d, and at most %d are allowed", ErrSecret, len(texts), maxSecrets)
	}
	secrets := make([]*secret, len(texts))
	for i, text := range texts {
		var err error
		if secrets[i], err = parseSecret(text); err != nil {
			return nil, fmt.Errorf("secret %d of %d: %w", i+1, len(texts), err)
		}
	}
	return secrets, nil
}

func parseSecret(text string) (*secret, error) {
	if body, ok := strings.CutPrefix(text, privatePrefix); ok {
		return parsePair(body)
	}
	if body, ok := strings.CutPrefix(text, publicPrefix); ok {
		raw, err := decode(body)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, fmt.Errorf("%w: behind %s, want the base64 of %d bytes", ErrSecret, publicPrefix, ed25519.PublicKeySize)
		}
		return publicSecret(raw), nil
	}
	raw, err := decode(strings.TrimPrefix(text, secretPrefix))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: want %s or %s and base64", ErrSecret, secretPrefix, privatePrefix)
	case len(raw) < minSecret || len(raw) > maxSecret:
		return nil, fmt.Errorf("%w: it has %d bytes, and %d to %d are allowed", ErrSecret, len(raw), minSecret, maxSecret)
	}
	return &secret{scheme: symmetric, raw: func(content []byte) []byte {
		mac := hmac.New(sha256.New, raw)
		mac.Write(content)
		return mac.Sum(nil)
	}}, nil
}

// parsePair reads seed and public key, which must belong together: signing with a
// foreign public key gives the private one away.
func parsePair(body string) (*secret, error) {
	raw, err := decode(body)
	if err != nil || len(raw) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: behind %s, want the base64 of %d bytes", ErrSecret, privatePrefix, ed25519.PrivateKeySize)
	}
	private := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if !bytes.Equal(private, raw) {
		return nil, fmt.Errorf("%w: the halves behind %s do not belong together", ErrSecret, privatePrefix)
	}
	s := publicSecret(raw[ed25519.SeedSize:])
	s.raw = func(content []byte) []byte { return ed25519.Sign(private, content) }
	return s, nil
}

// publicSecret verifies and cannot sign.
func publicSecret(public []byte) *secret { return &secret{scheme: asymmetric, public: public} }

// decode reads base64 with or without padding.
func decode(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
}

// canSign reports a secret that is more than a public key.
func (s *secret) canSign() bool { return s.raw != nil }

// sign returns one signature with its scheme.
func (s *secret) sign(content []byte) string { return signature(s.scheme, s.raw(content)) }

// verifies reports a signature of its scheme, without telling by its time where it
// is wrong.
func (s *secret) verifies(scheme string, raw, content []byte) bool {
	switch {
	case scheme != s.scheme:
		return false
	case s.public != nil:
		return ed25519.Verify(s.public, content, raw)
	}
	return hmac.Equal(s.raw(content), raw)
}

func signature(scheme string, raw []byte) string {
	return scheme + "," + base64.StdEncoding.EncodeToString(raw)
}

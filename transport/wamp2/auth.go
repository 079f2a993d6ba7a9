package wamp2

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Authenticator is a method of authentication that a session offers: autobahn's
// IAuthenticator.
type Authenticator interface {
	// Method is its name in WAMP: "ticket".
	Method() string
	// Extra is what it adds to HELLO.Details.authextra; nil for nothing.
	Extra() wamp.Dict
	// Answer answers the router's challenge. channel identifies the TLS connection
	// (RFC 9266, tls-exporter); it is nil without TLS 1.3.
	Answer(ctx context.Context, c *wamp.Challenge, channel []byte) (signature string, err error)
}

// Welcomer is an Authenticator that has to check the router's last word, as for
// mutual authentication: autobahn's on_welcome.
type Welcomer interface {
	// Welcomed checks WELCOME.Details.authextra, nil where there is none. After an
	// error the session is not joined.
	Welcomed(ctx context.Context, extra wamp.Dict) error
}

// Anonymous authenticates nobody.
type Anonymous struct{}

// Method implements [Authenticator].
func (Anonymous) Method() string { return "anonymous" }

// Extra implements [Authenticator].
func (Anonymous) Extra() wamp.Dict { return nil }

// Answer implements [Authenticator]. There is nothing to answer.
func (Anonymous) Answer(context.Context, *wamp.Challenge, []byte) (string, error) {
	return "", fmt.Errorf("%w: anonymous has no answer to a challenge", ErrAuth)
}

// Ticket shows a ticket, which the router then knows.
type Ticket struct{ Ticket transport.Secret }

// Method implements [Authenticator].
func (Ticket) Method() string { return "ticket" }

// Extra implements [Authenticator].
func (Ticket) Extra() wamp.Dict { return nil }

// Answer implements [Authenticator].
func (t Ticket) Answer(context.Context, *wamp.Challenge, []byte) (string, error) {
	return t.Ticket.Reveal(), nil
}

// CRA proves that a secret is known (WAMP-CRA), salted where the router says so.
type CRA struct{ Secret transport.Secret }

// Method implements [Authenticator].
func (CRA) Method() string { return "wampcra" }

// Extra implements [Authenticator].
func (CRA) Extra() wamp.Dict { return nil }

// Bounds of what a router may ask of PBKDF2.
const (
	maxIterations = 1_000_000
	maxKeyLength  = 64
)

// Answer implements [Authenticator].
func (a CRA) Answer(_ context.Context, c *wamp.Challenge, _ []byte) (string, error) {
	challenge, ok := c.Extra["challenge"].(string)
	if !ok {
		return "", fmt.Errorf("%w: wampcra: the challenge has no text", ErrAuth)
	}
	key := []byte(a.Secret.Reveal())
	if salt, ok := c.Extra["salt"].(string); ok {
		iterations, length := number(c.Extra, "iterations", 1000), number(c.Extra, "keylen", 32)
		if iterations < 1 || iterations > maxIterations || length < 16 || length > maxKeyLength {
			return "", fmt.Errorf("%w: wampcra: want 1 to %d iterations and a key of 16 to %d bytes", ErrAuth, maxIterations, maxKeyLength)
		}
		derived, err := pbkdf2.Key(sha256.New, a.Secret.Reveal(), []byte(salt), int(iterations), int(length))
		if err != nil {
			return "", fmt.Errorf("%w: wampcra: %w", ErrAuth, err)
		}
		key = []byte(base64.StdEncoding.EncodeToString(derived))
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(challenge))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}

func number(d wamp.Dict, name string, fallback int64) int64 {
	if n, ok := d[name].(int64); ok {
		return n
	}
	return fallback
}

// Signer is an Ed25519 key that may be out of reach: in a file, a module or a
// device. Keys of a security module are signers.
type Signer interface {
	// PublicKey returns the 32 bytes of the public half.
	PublicKey() []byte
	secmod.Signer
}

// Binding is how cryptosign ties a session to its TLS connection.
const Binding = secmod.TLSExporter

// Cryptosign signs the router's challenge with an Ed25519 key (WAMP-cryptosign).
type Cryptosign struct {
	Key Signer
	// Bind ties the signature to the TLS connection, so that a router in the middle
	// cannot pass it on. The router must know the binding "tls-exporter"; joining
	// without TLS is refused.
	Bind bool
}

// Method implements [Authenticator].
func (Cryptosign) Method() string { return "cryptosign" }

// Extra implements [Authenticator].
func (a Cryptosign) Extra() wamp.Dict {
	var binding any
	if a.Bind {
		binding = Binding
	}
	return wamp.Dict{"pubkey": hex.EncodeToString(a.Key.PublicKey()), "channel_binding": binding}
}

// Answer implements [Authenticator].
func (a Cryptosign) Answer(ctx context.Context, c *wamp.Challenge, channel []byte) (string, error) {
	challenge, err := secmod.ParseChallenge(c.Extra)
	var binding *secmod.Binding
	if err == nil && a.Bind {
		if channel == nil {
			err = errors.New("there is no connection of TLS 1.3 to bind to")
		}
		binding = &secmod.Binding{Type: Binding, ID: channel}
	}
	var signature string
	if err == nil {
		signature, err = challenge.Sign(ctx, a.Key, binding)
	}
	if err != nil {
		return "", fmt.Errorf("%w: cryptosign: %w", ErrAuth, err)
	}
	return signature, nil
}

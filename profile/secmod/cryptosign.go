package secmod

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
)

// challengeSize is the length of challenges and channel ids, in bytes.
const challengeSize = 32

// TLSExporter is the type of channel binding that TLS 1.3 has (RFC 9266). The
// older "tls-unique" does not exist there.
const TLSExporter = "tls-exporter"

// Challenge is what a WAMP router asks to have signed.
type Challenge struct {
	Challenge      []byte // 32 bytes
	ChannelBinding string // type of binding the router asks for; empty for none
}

// Binding ties a challenge to the connection it came on, so that nobody can pass it
// on.
type Binding struct {
	Type string // such as TLSExporter
	ID   []byte // 32 bytes
}

// ParseChallenge reads the Extra of a WAMP CHALLENGE of the method cryptosign.
func ParseChallenge(extra map[string]any) (Challenge, error) {
	text, _ := extra["challenge"].(string)
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != challengeSize {
		return Challenge{}, fmt.Errorf("challenge of cryptosign: want %d bytes in hex", challengeSize)
	}
	binding, _ := extra["channel_binding"].(string)
	return Challenge{raw, binding}, nil
}

// BindTLS returns the binding to a TLS connection.
func BindTLS(state *tls.ConnectionState) (*Binding, error) {
	if state.Version < tls.VersionTLS13 {
		return nil, errors.New("channel binding: the connection is not of TLS 1.3")
	}
	id, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, challengeSize)
	if err != nil {
		return nil, fmt.Errorf("channel binding: %w", err)
	}
	return &Binding{TLSExporter, id}, nil
}

// message returns what is signed: the challenge, and the channel's id over it.
func (c Challenge) message(binding *Binding) ([]byte, error) {
	if len(c.Challenge) != challengeSize {
		return nil, fmt.Errorf("challenge of cryptosign has %d bytes, want %d", len(c.Challenge), challengeSize)
	}
	asked := ""
	if binding != nil {
		asked = binding.Type
	}
	if c.ChannelBinding != asked { // whose words are the peer's
		return nil, errors.New("challenge of cryptosign has another channel binding than was asked for")
	}
	message := append([]byte(nil), c.Challenge...)
	if binding == nil {
		return message, nil
	}
	if len(binding.ID) != challengeSize {
		return nil, fmt.Errorf("channel id has %d bytes, want %d", len(binding.ID), challengeSize)
	}
	subtle.XORBytes(message, message, binding.ID)
	return message, nil
}

// Signer is an Ed25519 key, or another that signs as they do. Keys of a module are
// signers.
type Signer interface {
	// Sign returns the 64 bytes of the signature of data.
	Sign(ctx context.Context, data []byte) ([]byte, error)
}

// Sign returns what a client answers: the signature and what was signed, in hex.
// binding is that of its connection; nil where the session is not bound to it.
func (c Challenge) Sign(ctx context.Context, key Signer, binding *Binding) (string, error) {
	message, err := c.message(binding)
	if err != nil {
		return "", err
	}
	signature, err := key.Sign(ctx, message)
	if err != nil {
		return "", err
	}
	return hex.EncodeToString(signature) + hex.EncodeToString(message), nil
}

// cryptosignKey is an Ed25519 key.
type cryptosignKey struct{ *key }

// SignChallenge implements [CryptosignKey].
func (k cryptosignKey) SignChallenge(ctx context.Context, challenge Challenge, binding *Binding) (string, error) {
	return challenge.Sign(ctx, k, binding)
}

// VerifyChallenge implements [CryptosignKey].
func (k cryptosignKey) VerifyChallenge(ctx context.Context, challenge Challenge, signature string, binding *Binding) error {
	message, err := challenge.message(binding)
	if err != nil {
		return err
	}
	const size = 64
	raw, err := hex.DecodeString(signature)
	if err != nil || len(raw) != size+challengeSize {
		return fmt.Errorf("%w: want %d bytes in hex", ErrSignature, size+challengeSize)
	}
	if subtle.ConstantTimeCompare(raw[size:], message) != 1 {
		return fmt.Errorf("%w: another challenge or channel was signed", ErrSignature)
	}
	return k.Verify(ctx, message, raw[:size])
}

package profile

import (
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
)

// KeyType says what a key is and how it signs. The first two are the names of
// the WAMP interfaces.
type KeyType string

// The types of keys.
const (
	Ed25519  KeyType = "ed25519" // EdDSA of RFC 8032; agrees as X25519
	Ethereum KeyType = "eth"     // ECDSA on secp256k1 over Keccak-256; does not agree
	X25519   KeyType = "x25519"  // RFC 7748; does not sign
	P256     KeyType = "p-256"   // ECDSA over SHA-256, or ECDH
	P384     KeyType = "p-384"   // ECDSA over SHA-384, or ECDH
	P521     KeyType = "p-521"   // ECDSA over SHA-512, or ECDH
)

// Kinds of failure of keys, for errors.Is.
var (
	// ErrNoKey: there is no key of that id or number.
	ErrNoKey = errors.New("no such key")
	// ErrKeyUse: keys of that type, or this one, cannot be used that way.
	ErrKeyUse = errors.New("the key cannot be used for that")
)

// Key is a private key that stays where it is kept: formats ask it to sign and to
// agree, and never see it. Its public half is no secret.
type Key interface {
	Type() KeyType
	// ID is what [Keys] finds it by.
	ID() string
	// PublicKey returns the public half: 32 bytes for Ed25519 and X25519, the
	// uncompressed point for the others (SEC 1 section 2.3.3).
	PublicKey() []byte
	// Sign signs data as the type says: ECDSA gives r and s, each of the curve's
	// size, and Ethereum the recovery id after them. Data is hashed where the type
	// says so.
	Sign(ctx context.Context, data []byte) ([]byte, error)
	// Exchanger returns the key for Diffie-Hellman, or an error that wraps
	// [ErrKeyUse].
	Exchanger() (ecdh.KeyExchanger, error)
}

// Keys holds the private keys of a profile: a security module, package
// profile/secmod. It is used by many goroutines at once.
type Keys interface {
	// Find returns the key with that id, or an error that wraps [ErrNoKey].
	Find(ctx context.Context, id string) (Key, error)
}

// noKeys is what a profile has that was given no keys.
type noKeys struct{}

func (noKeys) Find(_ context.Context, id string) (Key, error) {
	return nil, fmt.Errorf("%w %q: the profile has no keys", ErrNoKey, id)
}

package secmod

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha512"
	"fmt"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/outrider-go/outrider/profile"
)

// private is the private half of a key. Its parts are functions, so that no dump of
// a struct shows what is in them; one that is nil cannot be done.
type private struct {
	sign       func(data []byte) ([]byte, error)
	signDigest func(digest []byte) []byte // Ethereum
	agree      func(peer *ecdh.PublicKey) ([]byte, error)
	export     func() []byte // for the sealed part of a file
}

// curves are those of the NIST types.
var curves = map[profile.KeyType]struct {
	elliptic elliptic.Curve
	ecdh     ecdh.Curve
	hash     crypto.Hash
}{
	profile.P256: {elliptic.P256(), ecdh.P256(), crypto.SHA256},
	profile.P384: {elliptic.P384(), ecdh.P384(), crypto.SHA384},
	profile.P521: {elliptic.P521(), ecdh.P521(), crypto.SHA512},
}

// typeOf reads the name of a type, those of the seed too.
func typeOf(name profile.KeyType) (profile.KeyType, error) {
	switch name {
	case "cryptosign":
		return profile.Ed25519, nil
	case "ethereum":
		return profile.Ethereum, nil
	case profile.Ed25519, profile.Ethereum, profile.X25519, profile.P256, profile.P384, profile.P521:
		return name, nil
	}
	return "", fmt.Errorf("%w: type %q is unknown: want ed25519, eth, x25519, p-256, p-384 or p-521", profile.ErrKeyUse, name)
}

// generate returns the secret bytes of a new key: a seed or a scalar.
func generate(of profile.KeyType) ([]byte, error) {
	if c, ok := curves[of]; ok {
		key, err := c.ecdh.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		return key.Bytes(), nil
	}
	if of == profile.Ethereum {
		key, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return nil, err
		}
		return key.Serialize(), nil
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails: crypto/rand aborts the program instead
	return secret, nil
}

// newPrivate returns both halves of a key of secret bytes, which it copies.
func newPrivate(of profile.KeyType, secret []byte) (*private, []byte, error) {
	secret = append([]byte(nil), secret...)
	switch of {
	case profile.Ed25519:
		return newEd25519(secret)
	case profile.X25519:
		key, err := ecdh.X25519().NewPrivateKey(secret)
		if err != nil {
			return nil, nil, fmt.Errorf("%w: a key of type x25519 has 32 bytes", ErrSecret)
		}
		return &private{agree: key.ECDH, export: key.Bytes}, key.PublicKey().Bytes(), nil
	case profile.Ethereum:
		return newEthereum(secret)
	case profile.P256, profile.P384, profile.P521:
		return newNIST(of, secret)
	}
	return nil, nil, fmt.Errorf("%w: type %q is unknown", ErrSecret, of)
}

func newEd25519(seed []byte) (*private, []byte, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, nil, fmt.Errorf("%w: a key of type ed25519 has 32 bytes", ErrSecret)
	}
	key := ed25519.NewKeyFromSeed(seed)
	digest := sha512.Sum512(seed)
	agreement, err := ecdh.X25519().NewPrivateKey(digest[:32])
	if err != nil {
		return nil, nil, err
	}
	return &private{
		sign:   func(data []byte) ([]byte, error) { return ed25519.Sign(key, data), nil },
		agree:  agreement.ECDH,
		export: key.Seed,
	}, key[ed25519.SeedSize:], nil
}

func newEthereum(secret []byte) (*private, []byte, error) {
	var scalar secp256k1.ModNScalar
	if len(secret) != secp256k1.PrivKeyBytesLen || scalar.SetByteSlice(secret) || scalar.IsZero() {
		return nil, nil, fmt.Errorf("%w: a key of type eth is a number of 32 bytes, from 1 to less than the order of secp256k1", ErrSecret)
	}
	key := secp256k1.NewPrivateKey(&scalar)
	signDigest := func(digest []byte) []byte {
		compact := secp.SignCompact(key, digest, false)
		return append(compact[1:], compact[0]) // v is 27 or 28
	}
	return &private{
		sign:       func(data []byte) ([]byte, error) { return signDigest(keccak(data)), nil },
		signDigest: signDigest,
		export:     key.Serialize,
	}, key.PubKey().SerializeUncompressed(), nil
}

func newNIST(of profile.KeyType, secret []byte) (*private, []byte, error) {
	c := curves[of]
	key, err := ecdsa.ParseRawPrivateKey(c.elliptic, secret)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: a key of type %s is a number of %d bytes, from 1 to less than the order of the curve", ErrSecret, of, coordinateSize(of))
	}
	agreement, err := key.ECDH()
	if err != nil {
		return nil, nil, err
	}
	sign := func(data []byte) ([]byte, error) {
		r, s, err := ecdsa.Sign(rand.Reader, key, hashed(c.hash, data))
		if err != nil {
			return nil, err
		}
		return joinSignature(of, r, s), nil
	}
	return &private{sign: sign, agree: agreement.ECDH, export: agreement.Bytes}, agreement.PublicKey().Bytes(), nil
}

func coordinateSize(of profile.KeyType) int { return (curves[of].elliptic.Params().BitSize + 7) / 8 }

// joinSignature writes r and s, each of the curve's size (RFC 7518 section 3.4).
func joinSignature(of profile.KeyType, r, s *big.Int) []byte {
	size := coordinateSize(of)
	signature := make([]byte, 2*size)
	r.FillBytes(signature[:size])
	s.FillBytes(signature[size:])
	return signature
}

func hashed(hash crypto.Hash, data []byte) []byte {
	h := hash.New()
	h.Write(data)
	return h.Sum(nil)
}

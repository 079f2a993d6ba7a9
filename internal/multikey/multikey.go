// Package multikey writes and reads public keys as text: base58btc with the prefix
// "z", and in it the type of the key before its bytes (Multikey and Multicodec, as
// in did:key). It also turns Ed25519 keys into X25519 keys.
package multikey

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"errors"
	"fmt"

	"filippo.io/edwards25519"
	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/mr-tron/base58"

	"github.com/outrider-go/outrider/profile"
)

// ErrKey is returned for a text or bytes that are no public key.
var ErrKey = errors.New("not a public key")

// maxText is the longest text that is decoded: base58 takes the square of the
// time.
const maxText = 128

// kind is a type of key and its code, as a varint of two bytes.
type kind struct {
	of    profile.KeyType
	code  [2]byte
	curve elliptic.Curve // nil for others than the NIST curves
}

var kinds = [...]kind{
	{profile.Ed25519, [2]byte{0xed, 0x01}, nil},
	{profile.X25519, [2]byte{0xec, 0x01}, nil},
	{profile.Ethereum, [2]byte{0xe7, 0x01}, nil},
	{profile.P256, [2]byte{0x80, 0x24}, elliptic.P256()},
	{profile.P384, [2]byte{0x81, 0x24}, elliptic.P384()},
	{profile.P521, [2]byte{0x82, 0x24}, elliptic.P521()},
}

// Encode returns the text of a public key in the form of [profile.Key].
func Encode(of profile.KeyType, public []byte) (string, error) {
	for _, k := range kinds {
		if k.of != of {
			continue
		}
		short, err := k.compress(public)
		if err != nil {
			return "", err
		}
		return "z" + base58.Encode(append(k.code[:], short...)), nil
	}
	return "", fmt.Errorf("%w: type %q", ErrKey, of)
}

// Decode reads such a text. A point that is not on its curve is refused.
func Decode(text string) (profile.KeyType, []byte, error) {
	if len(text) < 2 || text[0] != 'z' {
		return "", nil, fmt.Errorf("%w: want base58btc with the prefix z", ErrKey)
	}
	raw, err := DecodeBase58(text[1:])
	if err != nil || len(raw) < 2 {
		return "", nil, fmt.Errorf("%w: it is not base58", ErrKey)
	}
	for _, k := range kinds {
		if bytes.HasPrefix(raw, k.code[:]) {
			public, err := k.expand(raw[2:])
			return k.of, public, err
		}
	}
	return "", nil, fmt.Errorf("%w: its type is not known here", ErrKey)
}

// DecodeBase58 decodes text of the length that keys have.
func DecodeBase58(text string) ([]byte, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("%w: it has more than %d characters", ErrKey, maxText)
	}
	raw, err := base58.Decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not base58", ErrKey)
	}
	return raw, nil
}

// EncodeBase58 encodes bytes of a key.
func EncodeBase58(raw []byte) string { return base58.Encode(raw) }

func (k *kind) compress(public []byte) ([]byte, error) {
	switch {
	case k.curve != nil:
		point, err := ecdsa.ParseUncompressedPublicKey(k.curve, public)
		if err != nil {
			return nil, fmt.Errorf("%w: the point is not on the curve", ErrKey)
		}
		return elliptic.MarshalCompressed(k.curve, point.X, point.Y), nil //nolint:staticcheck // there is no other way to compress
	case k.of == profile.Ethereum:
		point, err := secp256k1.ParsePubKey(public)
		if err != nil {
			return nil, fmt.Errorf("%w: the point is not on the curve", ErrKey)
		}
		return point.SerializeCompressed(), nil
	case len(public) != 32:
		return nil, fmt.Errorf("%w: it has %d bytes, want 32", ErrKey, len(public))
	}
	return public, nil
}

func (k *kind) expand(short []byte) ([]byte, error) {
	switch {
	case k.curve != nil:
		size := (k.curve.Params().BitSize + 7) / 8
		x, y := elliptic.UnmarshalCompressed(k.curve, short)
		if x == nil {
			return nil, fmt.Errorf("%w: the point is not on the curve", ErrKey)
		}
		return append(append([]byte{4}, x.FillBytes(make([]byte, size))...), y.FillBytes(make([]byte, size))...), nil
	case k.of == profile.Ethereum:
		point, err := secp256k1.ParsePubKey(short)
		if err != nil || len(short) != secp256k1.PubKeyBytesLenCompressed {
			return nil, fmt.Errorf("%w: the point is not on the curve", ErrKey)
		}
		return point.SerializeUncompressed(), nil
	case len(short) != 32:
		return nil, fmt.Errorf("%w: it has %d bytes, want 32", ErrKey, len(short))
	}
	return short, nil
}

// Montgomery turns an Ed25519 public key into the X25519 key of the same secret
// (RFC 7748 section 4.1). Points of small order, and others outside of the group
// that keys are in, are refused, as libsodium does.
func Montgomery(public []byte) ([]byte, error) {
	point, err := new(edwards25519.Point).SetBytes(public)
	if err != nil || !bytes.Equal(point.Bytes(), public) {
		return nil, fmt.Errorf("%w: it is no point of Ed25519", ErrKey)
	}
	identity := edwards25519.NewIdentityPoint()
	if new(edwards25519.Point).MultByCofactor(point).Equal(identity) == 1 || !torsionFree(point) {
		return nil, fmt.Errorf("%w: it is a point of small order", ErrKey)
	}
	return point.BytesMontgomery(), nil
}

// torsionFree reports a point whose order is that of the group: the order less one,
// times the point, is its negative.
func torsionFree(point *edwards25519.Point) bool {
	minusOne := new(edwards25519.Scalar).Negate(one())
	product := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(minusOne, point, edwards25519.NewScalar())
	return product.Equal(new(edwards25519.Point).Negate(point)) == 1
}

func one() *edwards25519.Scalar {
	scalar, _ := edwards25519.NewScalar().SetCanonicalBytes(append([]byte{1}, make([]byte, 31)...)) // one is canonical
	return scalar
}

package secmod

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"fmt"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/profile"
)

// checkPublic refuses bytes that are no public key of that type.
func checkPublic(of profile.KeyType, public []byte) error {
	_, err := multikey.Encode(of, public)
	return err
}

// verify returns nil for a signature over data.
func verify(of profile.KeyType, public, data, signature []byte) error {
	fail := fmt.Errorf("%w with the key of type %s", ErrSignature, of)
	switch of {
	case profile.Ed25519:
		if ed25519.Verify(public, data, signature) {
			return nil
		}
		return fail
	case profile.Ethereum:
		signer, err := recoverDigest(keccak(data), signature)
		if err != nil || !bytes.Equal(signer, public) {
			return fail
		}
		return nil
	case profile.P256, profile.P384, profile.P521:
		c, size := curves[of], coordinateSize(of)
		key, err := ecdsa.ParseUncompressedPublicKey(c.elliptic, public)
		if err != nil || len(signature) != 2*size {
			return fail
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		if ecdsa.Verify(key, hashed(c.hash, data), r, s) {
			return nil
		}
		return fail
	case profile.X25519:
	}
	return fmt.Errorf("%w: keys of type %s do not sign", profile.ErrKeyUse, of)
}

// Lengths and values of an Ethereum signature.
const (
	ethSignature = 65
	ethV         = 27 // and 28; some write 0 and 1
)

// recoverDigest returns the public key of a signature over a digest. It takes only
// signatures with the lower s (EIP-2), so that each has one form.
func recoverDigest(digest, signature []byte) ([]byte, error) {
	if len(signature) != ethSignature {
		return nil, fmt.Errorf("%w: it has %d bytes, want %d", ErrSignature, len(signature), ethSignature)
	}
	v := signature[64]
	if v < ethV {
		v += ethV
	}
	var s secp256k1.ModNScalar
	if v > ethV+1 || s.SetByteSlice(signature[32:64]) || s.IsOverHalfOrder() {
		return nil, fmt.Errorf("%w: v is not 27 or 28, or s is the higher one", ErrSignature)
	}
	key, _, err := secp.RecoverCompact(append([]byte{v}, signature[:64]...), digest)
	if err != nil {
		return nil, fmt.Errorf("%w: no key has made it", ErrSignature)
	}
	return key.SerializeUncompressed(), nil
}

func keccak(data []byte) []byte {
	h := sha3.NewLegacyKeccak256()
	h.Write(data)
	return h.Sum(nil)
}

// agreement returns the public half for Diffie-Hellman.
func agreement(of profile.KeyType, public []byte) (*ecdh.PublicKey, error) {
	curve := ecdh.X25519()
	switch of {
	case profile.Ed25519:
		montgomery, err := multikey.Montgomery(public)
		if err != nil {
			return nil, err
		}
		public = montgomery
	case profile.X25519:
	case profile.P256, profile.P384, profile.P521:
		curve = curves[of].ecdh
	case profile.Ethereum:
		return nil, fmt.Errorf("%w: keys of type %s do not agree", profile.ErrKeyUse, of)
	}
	return curve.NewPublicKey(public)
}

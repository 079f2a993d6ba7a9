package didcomm

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"fmt"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/nacl/box"
	"golang.org/x/crypto/salsa20/salsa" //nolint:staticcheck // box takes a private key; the key of one that agrees elsewhere is made with its core
)

var errOpen = errors.New("it was not encrypted for this key, or was changed")

// boxKey returns the key of a NaCl box between two keys: what x/crypto computes of
// a private key, here of one that does not leave its module.
func boxKey(own ecdh.KeyExchanger, peer *ecdh.PublicKey) (*[32]byte, error) {
	if own.Curve() != ecdh.X25519() {
		return nil, errors.New("the key is not of X25519")
	}
	shared, err := own.ECDH(peer)
	if err != nil {
		return nil, fmt.Errorf("agree: %w", err)
	}
	var key [32]byte
	salsa.HSalsa20(&key, new([16]byte), (*[32]byte)(shared), &salsa.Sigma)
	return &key, nil
}

// sealBox seals from one key to another (crypto_box).
func sealBox(own ecdh.KeyExchanger, peer *ecdh.PublicKey, message []byte) (nonce, sealed []byte, err error) {
	key, err := boxKey(own, peer)
	if err != nil {
		return nil, nil, err
	}
	var n [24]byte
	_, _ = rand.Read(n[:]) // never fails: crypto/rand aborts the program instead
	return n[:], box.SealAfterPrecomputation(nil, message, &n, key), nil
}

// openBox opens what sealBox made.
func openBox(own ecdh.KeyExchanger, peer *ecdh.PublicKey, nonce, sealed []byte) ([]byte, error) {
	if len(nonce) != 24 {
		return nil, errOpen
	}
	key, err := boxKey(own, peer)
	if err != nil {
		return nil, err
	}
	message, ok := box.OpenAfterPrecomputation(nil, sealed, (*[24]byte)(nonce), key)
	if !ok {
		return nil, errOpen
	}
	return message, nil
}

// sealAnonymous seals to a key, from nobody (crypto_box_seal).
func sealAnonymous(peer *ecdh.PublicKey, message []byte) ([]byte, error) {
	return box.SealAnonymous(nil, message, (*[32]byte)(peer.Bytes()), rand.Reader)
}

// openAnonymous opens what sealAnonymous made.
func openAnonymous(own ecdh.KeyExchanger, sealed []byte) ([]byte, error) {
	if len(sealed) < box.AnonymousOverhead {
		return nil, errOpen
	}
	ephemeral, err := ecdh.X25519().NewPublicKey(sealed[:32])
	if err != nil {
		return nil, errOpen
	}
	hash, err := blake2b.New(24, nil)
	if err != nil {
		return nil, err
	}
	hash.Write(sealed[:32])
	hash.Write(own.PublicKey().Bytes())
	return openBox(own, ephemeral, hash.Sum(nil), sealed[32:])
}

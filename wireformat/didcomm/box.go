package didcomm

import (
	"crypto/ecdh"
	"crypto/rand"
	"errors"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/internal/naclbox"
)

var errOpen = errors.New("it was not encrypted for this key, or was changed")

// sealBox seals from one key to another (crypto_box).
func sealBox(own ecdh.KeyExchanger, peer *ecdh.PublicKey, message []byte) (nonce, sealed []byte, err error) {
	key, err := naclbox.Key(own, peer)
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
	key, err := naclbox.Key(own, peer)
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

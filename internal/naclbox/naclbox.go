// Package naclbox makes the keys of NaCl boxes with private keys that do not leave
// their modules.
package naclbox

import (
	"crypto/ecdh"
	"errors"
	"fmt"

	"golang.org/x/crypto/salsa20/salsa" //nolint:staticcheck // box takes a private key; the key of one that agrees elsewhere is made with its core
)

// Key returns what two keys of X25519 share, for the functions of nacl/box that end
// in AfterPrecomputation. A point of small order is an error.
func Key(own ecdh.KeyExchanger, peer *ecdh.PublicKey) (*[32]byte, error) {
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

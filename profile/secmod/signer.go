package secmod

import (
	"crypto"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"

	"github.com/outrider-go/outrider/profile"
)

// FromSigner returns a key whose private half is elsewhere: in a hardware module,
// in a key service. It is Ed25519, or ECDSA on P-256, P-384 or P-521. It agrees if
// the signer is an ecdh.KeyExchanger. A [Memory] module takes it; a [File] cannot
// keep it.
func FromSigner(signer crypto.Signer, id string) (Key, error) {
	if signer == nil {
		return nil, fmt.Errorf("%w: the signer is nil", ErrSecret)
	}
	half := &private{}
	if exchanger, ok := signer.(ecdh.KeyExchanger); ok {
		half.agree = exchanger.ECDH
	}
	switch public := signer.Public().(type) {
	case ed25519.PublicKey:
		half.sign = func(data []byte) ([]byte, error) { return signer.Sign(rand.Reader, data, crypto.Hash(0)) }
		return newKey(profile.Ed25519, id, public, half)
	case *ecdsa.PublicKey:
		for of, c := range curves {
			if c.elliptic != public.Curve {
				continue
			}
			raw, err := public.Bytes()
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrSecret, err)
			}
			half.sign = func(data []byte) ([]byte, error) {
				der, err := signer.Sign(rand.Reader, hashed(c.hash, data), c.hash)
				if err != nil {
					return nil, err
				}
				return fromDER(of, der)
			}
			return newKey(of, id, raw, half)
		}
	}
	return nil, fmt.Errorf("%w: signers of %T are not known here: want Ed25519, or ECDSA on P-256, P-384 or P-521", profile.ErrKeyUse, signer.Public())
}

// fromDER reads the signature that signers of ECDSA make.
func fromDER(of profile.KeyType, der []byte) ([]byte, error) {
	var pair struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &pair)
	bits := 8 * coordinateSize(of)
	if err != nil || len(rest) > 0 || pair.R.Sign() <= 0 || pair.S.Sign() <= 0 || pair.R.BitLen() > bits || pair.S.BitLen() > bits {
		return nil, errors.New("the signer has made something else than a signature of ECDSA")
	}
	return joinSignature(of, pair.R, pair.S), nil
}

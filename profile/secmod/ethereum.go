package secmod

import (
	"context"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
)

// Address is the address of an Ethereum key: the last 20 bytes of the hash of its
// public half.
type Address [20]byte

// ParseAddress reads 40 hexadecimal digits behind "0x". Digits of both cases must
// be those of the checksum (EIP-55).
func ParseAddress(text string) (Address, error) {
	var a Address
	digits, ok := strings.CutPrefix(text, "0x")
	if n, err := hex.Decode(a[:], []byte(digits[:min(len(digits), 40)])); !ok || err != nil || n != len(a) || len(digits) != 40 {
		return Address{}, fmt.Errorf("not an Ethereum address: want 0x and 40 hexadecimal digits")
	}
	if mixed := strings.ToLower(digits) != digits && strings.ToUpper(digits) != digits; mixed && a.String() != text {
		return Address{}, fmt.Errorf("not an Ethereum address: its checksum is wrong")
	}
	return a, nil
}

// String returns the address with the checksum of EIP-55 in the case of its digits.
func (a Address) String() string {
	digits := []byte(hex.EncodeToString(a[:]))
	hash := keccak(digits)
	for i, c := range digits {
		if nibble := hash[i/2] >> (4 * (1 - i%2)) & 15; c >= 'a' && nibble >= 8 {
			digits[i] = c - 'a' + 'A'
		}
	}
	return "0x" + string(digits)
}

func addressOf(public []byte) Address {
	return Address(keccak(public[1:])[12:])
}

// ethereumKey is a secp256k1 key.
type ethereumKey struct{ *key }

// Address implements [EthereumKey].
func (k ethereumKey) Address() Address { return addressOf(k.public) }

// SignTypedData implements [EthereumKey].
func (k ethereumKey) SignTypedData(ctx context.Context, data *TypedData) ([]byte, error) {
	digest, err := data.Digest()
	if err != nil {
		return nil, err
	}
	half, err := k.half()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if half.signDigest == nil {
		return nil, fmt.Errorf("%w: key %s signs no digests where it is kept", profile.ErrKeyUse, k.id)
	}
	return half.signDigest(digest[:]), nil
}

// VerifyTypedData implements [EthereumKey].
func (k ethereumKey) VerifyTypedData(_ context.Context, data *TypedData, signature []byte, signer Address) error {
	digest, err := data.Digest()
	if err != nil {
		return err
	}
	public, err := recoverDigest(digest[:], signature)
	if err != nil {
		return err
	}
	if found := addressOf(public); subtle.ConstantTimeCompare(found[:], signer[:]) != 1 {
		return fmt.Errorf("%w: another than %s has signed", ErrSignature, signer)
	}
	return nil
}

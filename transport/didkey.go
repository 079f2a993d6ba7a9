package transport

import (
	"math/big"
	"strings"
)

// ed25519Code is the type of an Ed25519 key in a did:key, which stands before its 32
// bytes (https://w3c-ccg.github.io/did-key-spec/).
const ed25519Code = 0xed01

// didKey returns the did:key of a verkey: the 32 bytes of an Ed25519 key in base58.
// Any other text stays as it is.
func didKey(verkey string) string {
	const bytes, shortest, longest = 32, 32, 44 // of a verkey, and of its text
	if len(verkey) < shortest || len(verkey) > longest {
		return verkey
	}
	digits, ok := translate(verkey, base58Digits, bigDigits)
	if !ok {
		return verkey
	}
	number, ok := new(big.Int).SetString(digits, len(base58Digits))
	zeros := len(verkey) - len(strings.TrimLeft(verkey, base58Digits[:1])) // each is a byte
	if !ok || zeros+(number.BitLen()+7)/8 != bytes {
		return verkey
	}
	number.Add(number, new(big.Int).Lsh(big.NewInt(ed25519Code), 8*bytes))
	text, _ := translate(number.Text(len(base58Digits)), bigDigits, base58Digits)
	return "did:key:z" + text
}

// The digits of base58, and those of package big to the same base.
const (
	base58Digits = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
	bigDigits    = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
)

// translate writes a number in other digits; false where it has one that is none.
func translate(number, from, to string) (string, bool) {
	digits := make([]byte, len(number))
	for i := range digits {
		value := strings.IndexByte(from, number[i])
		if value < 0 {
			return "", false
		}
		digits[i] = to[value]
	}
	return string(digits), true
}

package didcomm

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	jose "github.com/go-jose/go-jose/v4/cipher"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/profile"
)

// Algorithms of envelopes of v2.
const (
	algAnon = "ECDH-ES+A256KW"
	algAuth = "ECDH-1PU+A256KW"

	encCBC = "A256CBC-HS512"
	encGCM = "A256GCM"
	encXC  = "XC20P"
)

// contentCipher returns the cipher of an enc, and the length of its key.
func contentCipher(enc string) (newAEAD func(key []byte) (cipher.AEAD, error), keySize int, err error) {
	switch enc {
	case encCBC:
		return func(key []byte) (cipher.AEAD, error) { return jose.NewCBCHMAC(key, aes.NewCipher) }, 64, nil
	case encGCM:
		return func(key []byte) (cipher.AEAD, error) {
			block, err := aes.NewCipher(key)
			if err != nil {
				return nil, err
			}
			return cipher.NewGCM(block)
		}, 32, nil
	case encXC:
		return chacha20poly1305.NewX, chacha20poly1305.KeySize, nil
	}
	return nil, 0, errors.New("enc of the protected header is not known")
}

// sealContent encrypts with a new key.
func sealContent(enc string, plain, bound []byte) (key, iv, ciphertext, tag []byte, err error) {
	newAEAD, size, err := contentCipher(enc)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	key = make([]byte, size)
	_, _ = rand.Read(key) // never fails: crypto/rand aborts the program instead
	aead, err := newAEAD(key)
	if err != nil {
		return nil, nil, nil, nil, err
	}
	iv = make([]byte, aead.NonceSize())
	_, _ = rand.Read(iv)
	sealed := aead.Seal(nil, iv, plain, bound)
	end := len(sealed) - tagSize(enc)
	return key, iv, sealed[:end], sealed[end:], nil
}

// tagSize is the length of the tag, in bytes.
func tagSize(enc string) int {
	if enc == encCBC {
		return 32
	}
	return 16
}

func openContent(enc string, key, iv, ciphertext, tag, bound []byte) ([]byte, error) {
	newAEAD, size, err := contentCipher(enc)
	if err != nil {
		return nil, err
	}
	if len(key) != size || len(tag) != tagSize(enc) {
		return nil, errOpen
	}
	aead, err := newAEAD(key)
	if err != nil || len(iv) != aead.NonceSize() {
		return nil, errOpen
	}
	sealed := append(append(make([]byte, 0, len(ciphertext)+len(tag)), ciphertext...), tag...)
	plain, err := aead.Open(nil, iv, sealed, bound)
	if err != nil {
		return nil, errOpen
	}
	return plain, nil
}

// agreementInfo is what a key is derived for (RFC 7518 section 4.6.2).
type agreementInfo struct {
	alg      string
	apu, apv []byte
	tag      []byte // of the content, with ECDH-1PU alone (draft-madden-jose-ecdh-1pu-04 section 2.3)
	size     int    // of the key, in bytes
}

// derive returns the key that wraps the content's key.
func (a *agreementInfo) derive(shared []byte) []byte {
	suffix := binary.BigEndian.AppendUint32(nil, uint32(a.size)*8) //nolint:gosec // 16 or 32
	if a.tag != nil {
		suffix = append(suffix, lengthPrefixed(a.tag)...)
	}
	kdf := jose.NewConcatKDF(crypto.SHA256, shared, lengthPrefixed([]byte(a.alg)), lengthPrefixed(a.apu), lengthPrefixed(a.apv), suffix, nil)
	key := make([]byte, a.size)
	_, _ = kdf.Read(key) // never fails
	return key
}

func lengthPrefixed(data []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...) //nolint:gosec // at most a message
}

// wrap and unwrap are AES key wrap (RFC 3394) with an agreed key.
func (a *agreementInfo) wrap(shared, cek []byte) ([]byte, error) {
	block, err := aes.NewCipher(a.derive(shared))
	if err != nil {
		return nil, err
	}
	return jose.KeyWrap(block, cek)
}

func (a *agreementInfo) unwrap(shared, wrapped []byte) ([]byte, error) {
	if len(wrapped)%8 != 0 || len(wrapped) < 24 {
		return nil, errOpen
	}
	block, err := aes.NewCipher(a.derive(shared))
	if err != nil {
		return nil, err
	}
	cek, err := jose.KeyUnwrap(block, wrapped)
	if err != nil {
		return nil, errOpen
	}
	return cek, nil
}

// agree returns what two keys have in common: with an ephemeral key, and with
// ECDH-1PU a static one after it.
func agree(own ecdh.KeyExchanger, peers ...*ecdh.PublicKey) ([]byte, error) {
	var shared []byte
	for _, peer := range peers {
		if peer.Curve() != own.Curve() {
			return nil, errors.New("the keys are of two curves")
		}
		part, err := own.ECDH(peer)
		if err != nil {
			return nil, errors.New("the keys do not agree: one is a point of small order, or is not usable now")
		}
		shared = append(shared, part...)
	}
	return shared, nil
}

// curveOf returns the curve of keys that agree.
func curveOf(of profile.KeyType) ecdh.Curve {
	switch of {
	case profile.X25519:
		return ecdh.X25519()
	case profile.P256:
		return ecdh.P256()
	case profile.P384:
		return ecdh.P384()
	case profile.P521:
		return ecdh.P521()
	case profile.Ed25519, profile.Ethereum:
	}
	return nil
}

// agreementKey returns the public half of a method.
func (m *Method) agreementKey() (*ecdh.PublicKey, error) {
	curve := curveOf(m.Type)
	if curve == nil {
		return nil, fmt.Errorf("key %s is of type %s, which does not agree", m.ID, m.Type)
	}
	key, err := curve.NewPublicKey(m.Public)
	if err != nil {
		return nil, fmt.Errorf("key %s is not on its curve", m.ID)
	}
	return key, nil
}

// ephemeralKey is epk, as it is written.
type ephemeralKey struct {
	Kty string `json:"kty"`
	Crv string `json:"crv"`
	X   string `json:"x"`
	Y   string `json:"y,omitempty"`
}

var webNames = map[profile.KeyType]string{profile.X25519: "X25519", profile.P256: "P-256", profile.P384: "P-384", profile.P521: "P-521"}

func writeEphemeral(of profile.KeyType, key *ecdh.PublicKey) ephemeralKey {
	raw := key.Bytes()
	if of == profile.X25519 {
		return ephemeralKey{Kty: "OKP", Crv: webNames[of], X: toBase64(raw)}
	}
	half := len(raw) / 2
	return ephemeralKey{"EC", webNames[of], toBase64(raw[1 : 1+half]), toBase64(raw[1+half:])}
}

func parseEphemeral(text json.RawMessage) (*ecdh.PublicKey, error) {
	of, public, err := parsePublicJWK(text)
	if err != nil {
		return nil, fmt.Errorf("epk: %w", err)
	}
	return (&Method{"epk", of, public}).agreementKey()
}

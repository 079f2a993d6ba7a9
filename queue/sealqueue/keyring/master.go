package keyring

import (
	"bytes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/transport"
)

// keySize is the length of master keys and data keys, in bytes.
const keySize = chacha20poly1305.KeySize

// errMasterText says what a master key looks like.
var errMasterText = errors.New("not a master key: want 32 bytes as 64 hexadecimal digits or in base64; outrider key new makes one")

// Master is a master key. It does not show the key however it is printed.
type Master struct {
	id   string
	wrap cipher.AEAD
}

// NewMaster returns the text of a new random master key, which [ParseMaster]
// reads: 64 hexadecimal digits.
func NewMaster() transport.Secret {
	var key [keySize]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand aborts the program instead
	return transport.NewSecret(hex.EncodeToString(key[:]))
}

// ParseMaster reads the text of a master key: 32 bytes as 64 hexadecimal digits,
// or in base64 of either alphabet. White space around it does not count. The
// error does not repeat the text.
func ParseMaster(text transport.Secret) (*Master, error) {
	key, err := decodeKey(strings.TrimSpace(text.Reveal()))
	if err != nil {
		return nil, err
	}
	if bytes.Count(key, key[:1]) == len(key) {
		return nil, errors.New("not a master key: all its bytes are the same; outrider key new makes one")
	}
	secret, err := derive(key, "outrider keyring 1 wrap", keySize)
	if err != nil {
		return nil, err
	}
	id, err := derive(key, "outrider keyring 1 id", len(ID{}))
	if err != nil {
		return nil, err
	}
	wrap, err := chacha20poly1305.NewX(secret)
	if err != nil {
		return nil, err
	}
	return &Master{id: hex.EncodeToString(id), wrap: wrap}, nil
}

// decodeKey tells the encodings apart by their lengths.
func decodeKey(text string) ([]byte, error) {
	var key []byte
	var err error
	if len(text) == hex.EncodedLen(keySize) {
		key, err = hex.DecodeString(text)
	} else {
		standard := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		key, err = base64.RawStdEncoding.Strict().DecodeString(standard)
	}
	if err != nil || len(key) != keySize {
		return nil, errMasterText
	}
	return key, nil
}

func derive(key []byte, purpose string, size int) ([]byte, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, purpose, size)
	if err != nil {
		return nil, fmt.Errorf("derive from the master key: %w", err)
	}
	return derived, nil
}

// ID names the key: 16 hexadecimal digits that do not help to find it.
func (m *Master) ID() string { return m.id }

// wrapKey encrypts a data key for the file.
func (m *Master) wrapKey(profile string, id ID, key []byte) []byte {
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+keySize+chacha20poly1305.Overhead)
	_, _ = rand.Read(nonce) // as above
	return m.wrap.Seal(nonce, nonce, key, wrapData(profile, id))
}

// unwrapKey decrypts a data key of the file.
func (m *Master) unwrapKey(profile string, id ID, wrapped []byte) ([]byte, error) {
	if len(wrapped) != wrappedSize {
		return nil, ErrDamaged
	}
	nonce, box := wrapped[:chacha20poly1305.NonceSizeX], wrapped[chacha20poly1305.NonceSizeX:]
	key, err := m.wrap.Open(nil, nonce, box, wrapData(profile, id))
	if err != nil {
		return nil, ErrDamaged
	}
	return key, nil
}

const wrappedSize = chacha20poly1305.NonceSizeX + keySize + chacha20poly1305.Overhead

// wrapData binds a wrapped key to its place: the id has a fixed length, so that
// no two places have the same bytes.
func wrapData(profile string, id ID) []byte {
	data := append([]byte("outrider keyring 1 data key\x00"), id[:]...)
	return append(data, profile...)
}

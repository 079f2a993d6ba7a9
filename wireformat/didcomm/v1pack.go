package didcomm

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"

	"golang.org/x/crypto/chacha20poly1305"
)

// Words of an envelope of v1. The cipher's name says XChaCha20, and it is ChaCha20
// with a nonce of 12 bytes.
const (
	v1Typ  = "JWM/1.0"
	v1Enc  = "xchacha20poly1305_ietf"
	v1Auth = "Authcrypt"
	v1Anon = "Anoncrypt"
)

// v1Envelope is an envelope as it is written.
type v1Envelope struct {
	Protected  string `json:"protected"`
	IV         string `json:"iv"`
	Ciphertext string `json:"ciphertext"`
	Tag        string `json:"tag"`
}

type v1Header struct {
	Enc        string        `json:"enc"`
	Typ        string        `json:"typ"`
	Alg        string        `json:"alg"`
	Recipients []v1Recipient `json:"recipients"`
}

type v1Recipient struct {
	EncryptedKey string   `json:"encrypted_key"`
	Header       v1PerKey `json:"header"`
}

type v1PerKey struct {
	Kid    string `json:"kid"`
	Sender string `json:"sender,omitempty"`
	IV     string `json:"iv,omitempty"`
}

func toBase64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

// packV1 encrypts for the recipients, from sender or, if that is nil, from nobody.
func packV1(message []byte, recipients []*verkey, sender *ownKey) ([]byte, error) {
	cek := make([]byte, chacha20poly1305.KeySize)
	iv := make([]byte, chacha20poly1305.NonceSize)
	_, _ = rand.Read(cek) // never fails: crypto/rand aborts the program instead
	_, _ = rand.Read(iv)
	header := v1Header{Enc: v1Enc, Typ: v1Typ, Alg: v1Anon}
	if sender != nil {
		header.Alg = v1Auth
	}
	for _, to := range recipients {
		recipient, err := sealKeyV1(cek, to, sender)
		if err != nil {
			return nil, err
		}
		header.Recipients = append(header.Recipients, recipient)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	protected := toBase64(text)
	aead, err := chacha20poly1305.New(cek)
	if err != nil {
		return nil, err
	}
	sealed := aead.Seal(nil, iv, message, []byte(protected))
	end := len(sealed) - aead.Overhead()
	return json.Marshal(v1Envelope{protected, toBase64(iv), toBase64(sealed[:end]), toBase64(sealed[end:])})
}

// sealKeyV1 encrypts the content's key for one recipient.
func sealKeyV1(cek []byte, to *verkey, sender *ownKey) (v1Recipient, error) {
	if sender == nil {
		sealed, err := sealAnonymous(to.agrees, cek)
		return v1Recipient{toBase64(sealed), v1PerKey{Kid: to.text}}, err
	}
	nonce, sealed, err := sealBox(sender.exchanger, to.agrees, cek)
	if err != nil {
		return v1Recipient{}, err
	}
	from, err := sealAnonymous(to.agrees, []byte(sender.verkey.text))
	return v1Recipient{toBase64(sealed), v1PerKey{Kid: to.text, Sender: toBase64(from), IV: toBase64(nonce)}}, err
}

package didcomm

import (
	"crypto/ecdh"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/profile"
)

// jweEnvelope is an envelope of v2 as it is written (RFC 7516 section 7.2.1).
type jweEnvelope struct {
	Protected  string         `json:"protected"`
	Recipients []jweRecipient `json:"recipients"`
	IV         string         `json:"iv"`
	Ciphertext string         `json:"ciphertext"`
	Tag        string         `json:"tag"`
}

type jweRecipient struct {
	Header       jwePerKey `json:"header"`
	EncryptedKey string    `json:"encrypted_key"`
}

type jwePerKey struct {
	Kid string `json:"kid"`
}

type jweHeader struct {
	Typ  string       `json:"typ"`
	Alg  string       `json:"alg"`
	Enc  string       `json:"enc"`
	Skid string       `json:"skid,omitempty"`
	APU  string       `json:"apu,omitempty"`
	APV  string       `json:"apv"`
	EPK  ephemeralKey `json:"epk"`
}

// staticKey is the sender's key of an authenticated envelope.
type staticKey struct {
	kid       string
	exchanger ecdh.KeyExchanger
}

// apvOf returns the digest of the recipients' key ids.
func apvOf(kids []string) []byte {
	sorted := slices.Sorted(slices.Values(kids))
	digest := sha256.Sum256([]byte(strings.Join(sorted, ".")))
	return digest[:]
}

// packJWE encrypts for keys of one curve, from a static key or, if that is nil,
// from nobody.
func packJWE(message []byte, to []Method, sender *staticKey) ([]byte, error) {
	of := to[0].Type
	ephemeral, err := curveOf(of).GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	kids := make([]string, len(to))
	for i := range to {
		kids[i] = to[i].ID
	}
	info := &agreementInfo{alg: algAnon, apv: apvOf(kids), size: 32}
	header := jweHeader{Typ: TypeEncrypted, Alg: algAnon, Enc: encCBC, APV: toBase64(info.apv), EPK: writeEphemeral(of, ephemeral.PublicKey())}
	if sender == nil && of == profile.X25519 {
		header.Enc = encXC
	}
	if sender != nil {
		info.alg, info.apu = algAuth, []byte(sender.kid)
		header.Alg, header.Skid, header.APU = algAuth, sender.kid, toBase64(info.apu)
	}
	text, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	envelope := jweEnvelope{Protected: toBase64(text)}
	cek, iv, ciphertext, tag, err := sealContent(header.Enc, message, []byte(envelope.Protected))
	if err != nil {
		return nil, err
	}
	if sender != nil {
		info.tag = tag
	}
	for i := range to {
		wrapped, err := info.wrapFor(&to[i], ephemeral, sender, cek)
		if err != nil {
			return nil, err
		}
		envelope.Recipients = append(envelope.Recipients, jweRecipient{jwePerKey{to[i].ID}, toBase64(wrapped)})
	}
	envelope.IV, envelope.Ciphertext, envelope.Tag = toBase64(iv), toBase64(ciphertext), toBase64(tag)
	return json.Marshal(envelope)
}

func (a *agreementInfo) wrapFor(to *Method, ephemeral ecdh.KeyExchanger, sender *staticKey, cek []byte) ([]byte, error) {
	public, err := to.agreementKey()
	if err != nil {
		return nil, err
	}
	shared, err := agree(ephemeral, public)
	if err != nil {
		return nil, err
	}
	if sender != nil {
		static, err := agree(sender.exchanger, public)
		if err != nil {
			return nil, err
		}
		shared = append(shared, static...)
	}
	return a.wrap(shared, cek)
}

package didcomm

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	secp "github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
)

// maxSignatures bounds the signatures of a message: all are verified.
const maxSignatures = 8

// jwsEnvelope is a signed message as it is written (RFC 7515 section 7.2.1).
type jwsEnvelope struct {
	Payload    string         `json:"payload"`
	Signatures []jwsSignature `json:"signatures"`
}

type jwsSignature struct {
	Protected string    `json:"protected"`
	Signature string    `json:"signature"`
	Header    jwePerKey `json:"header"`
}

// signAlgorithms are those that keys of a module sign with.
var signAlgorithms = map[profile.KeyType]string{profile.Ed25519: "EdDSA", profile.P256: "ES256"}

// signJWS signs with a key that is known by a DID URL.
func signJWS(ctx context.Context, message []byte, kid string, key profile.Key) ([]byte, error) {
	alg := signAlgorithms[key.Type()]
	if alg == "" {
		return nil, fmt.Errorf("%w: key %s is of type %s, and messages are signed by %s and %s", profile.ErrKeyUse, kid, key.Type(), profile.Ed25519, profile.P256)
	}
	header, err := json.Marshal(map[string]string{"typ": TypeSigned, "alg": alg})
	if err != nil {
		return nil, err
	}
	protected, payload := toBase64(header), toBase64(message)
	signature, err := key.Sign(ctx, []byte(protected+"."+payload))
	if err != nil {
		return nil, err
	}
	return json.Marshal(jwsEnvelope{payload, []jwsSignature{{protected, toBase64(signature), jwePerKey{kid}}}})
}

// signedMessage is a signed message as it is read.
type signedMessage struct {
	payload    string // as it was received: it is signed
	message    []byte
	signatures []receivedSignature
}

type receivedSignature struct {
	protected, alg, kid string
	signature           []byte
}

// parseJWS reads a message with one signature or several.
func parseJWS(outer strictjson.Object) (*signedMessage, error) {
	s := &signedMessage{}
	var err error
	if s.payload, err = outer.Text("payload"); err != nil {
		return nil, err
	}
	if s.message, err = strictBinary(outer, "payload"); err != nil {
		return nil, err
	}
	parts := []strictjson.Object{outer}
	if _, ok := outer["signatures"]; ok {
		elements, err := strictjson.Elements(outer["signatures"])
		if err != nil || len(elements) == 0 || len(elements) > maxSignatures || outer.Has("signature") {
			return nil, fmt.Errorf("signatures: want a list of 1 to %d, and no other signature", maxSignatures)
		}
		parts = parts[:0]
		for _, element := range elements {
			part, err := strictjson.ParseObject(element, maxDepth)
			if err != nil {
				return nil, err
			}
			parts = append(parts, part)
		}
	}
	for i, part := range parts {
		signature, err := parseSignature(part)
		if err != nil {
			return nil, fmt.Errorf("signature %d: %w", i+1, err)
		}
		s.signatures = append(s.signatures, signature)
	}
	return s, nil
}

func parseSignature(part strictjson.Object) (receivedSignature, error) {
	var r receivedSignature
	var err error
	if r.signature, err = strictBinary(part, "signature"); err != nil {
		return r, err
	}
	if r.protected, err = part.Text("protected"); err != nil {
		return r, err
	}
	if err := r.parseProtected(); err != nil {
		return r, fmt.Errorf("the protected header: %w", err)
	}
	if part.Has("header") {
		unprotected, err := strictjson.ParseObject(part["header"], maxDepth)
		if err != nil {
			return r, err
		}
		kid, err := unprotected.Text("kid")
		if err != nil || kid != "" && r.kid != "" {
			return r, errors.New("kid is no text, or is there twice")
		}
		r.kid += kid
	}
	if r.kid == "" {
		return r, errors.New("it has no kid")
	}
	return r, nil
}

func (r *receivedSignature) parseProtected() error {
	header, err := protectedHeader(r.protected, TypeSigned, "crit", "b64")
	if err != nil {
		return err
	}
	if r.alg, err = header.Text("alg"); err != nil {
		return err
	}
	r.kid, err = header.Text("kid")
	return err
}

// verify checks every signature with the signer's document. All are of one DID,
// which it returns with the first key's id.
func (s *signedMessage) verify(ctx context.Context, resolver Resolver) (did, kid string, err error) {
	for i, signature := range s.signatures {
		of, _ := splitURL(signature.kid)
		if i == 0 {
			did, kid = of, signature.kid
		}
		if of != did {
			return "", "", errors.New("the signatures are of several DIDs")
		}
		if err := s.verifyOne(ctx, resolver, &signature); err != nil {
			return "", "", fmt.Errorf("signature %d: %w", i+1, err)
		}
	}
	return did, kid, nil
}

func (s *signedMessage) verifyOne(ctx context.Context, resolver Resolver, r *receivedSignature) error {
	did, _ := splitURL(r.kid)
	document, err := resolver.Resolve(ctx, did)
	if err != nil {
		return err
	}
	m := method(document.Authentication, r.kid)
	if m == nil {
		return errors.New("its kid is not among the signer's keys for authentication")
	}
	if !verifyJWS(r.alg, m, []byte(r.protected+"."+s.payload), r.signature) {
		return errors.New("it does not verify")
	}
	return nil
}

// verifyJWS reports a signature of an algorithm that DIDComm has.
func verifyJWS(alg string, m *Method, content, signature []byte) bool {
	if m.Type == profile.Ed25519 {
		return alg == "EdDSA" && ed25519.Verify(m.Public, content, signature)
	}
	digest := sha256.Sum256(content)
	if len(signature) != 64 {
		return false
	}
	switch {
	case alg == "ES256" && m.Type == profile.P256:
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), m.Public)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return err == nil && ecdsa.Verify(key, digest[:], r, s)
	case alg == "ES256K" && m.Type == profile.Ethereum:
		key, err := secp256k1.ParsePubKey(m.Public)
		var r, s secp256k1.ModNScalar
		if err != nil || r.SetByteSlice(signature[:32]) || s.SetByteSlice(signature[32:]) {
			return false
		}
		return secp.NewSignature(&r, &s).Verify(digest[:], key)
	}
	return false
}

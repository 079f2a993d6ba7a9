package didcomm

import (
	"crypto/ecdh"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/internal/strictjson"
)

// sealedJWE is an envelope of v2 as it is read.
type sealedJWE struct {
	protected           string // as it was received: it is authenticated
	alg, enc, skid      string
	apu, apv            []byte
	epk                 *ecdh.PublicKey
	iv, ciphertext, tag []byte
	kids                []string
	keys                [][]byte // encrypted, of each kid
}

// authenticated reports an envelope that says who sends.
func (s *sealedJWE) authenticated() bool { return s.alg == algAuth }

// open decrypts with the key of the recipient of that index; sender is nil where
// the envelope is anonymous.
func (s *sealedJWE) open(i int, own ecdh.KeyExchanger, sender *ecdh.PublicKey) ([]byte, error) {
	info := &agreementInfo{alg: s.alg, apu: s.apu, apv: s.apv, size: 32}
	peers := []*ecdh.PublicKey{s.epk}
	if sender != nil {
		peers = append(peers, sender)
		info.tag = s.tag
	}
	shared, err := agree(own, peers...)
	if err != nil {
		return nil, err
	}
	cek, err := info.unwrap(shared, s.keys[i])
	if err != nil {
		return nil, err
	}
	return openContent(s.enc, cek, s.iv, s.ciphertext, s.tag, []byte(s.protected))
}

// parseJWE reads an envelope without a key.
func parseJWE(outer strictjson.Object) (*sealedJWE, error) {
	s := &sealedJWE{}
	var err error
	if s.protected, err = outer.Text("protected"); err != nil {
		return nil, err
	}
	for name, into := range map[string]*[]byte{"iv": &s.iv, "ciphertext": &s.ciphertext, "tag": &s.tag} {
		if *into, err = strictBinary(outer, name); err != nil {
			return nil, err
		}
	}
	if outer.Has("aad") {
		return nil, errors.New("it has the member aad, which DIDComm does not know")
	}
	if err := s.parseProtected(); err != nil {
		return nil, fmt.Errorf("the protected header: %w", err)
	}
	elements, err := strictjson.Elements(outer["recipients"])
	if err != nil || len(elements) == 0 || len(elements) > maxRecipients {
		return nil, fmt.Errorf("recipients: want a list of 1 to %d", maxRecipients)
	}
	seen := map[string]bool{}
	for i, element := range elements {
		kid, key, err := parseRecipientJWE(element)
		if err == nil && seen[kid] {
			err = errors.New("its kid is there twice")
		}
		if err != nil {
			return nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		seen[kid] = true
		s.kids, s.keys = append(s.kids, kid), append(s.keys, key)
	}
	if subtle.ConstantTimeCompare(s.apv, apvOf(s.kids)) != 1 {
		return nil, errors.New("apv is not the digest of the recipients: one was added or is missing")
	}
	return s, nil
}

func (s *sealedJWE) parseProtected() error {
	header, err := protectedHeader(s.protected, TypeEncrypted, "zip", "crit")
	if err != nil {
		return err
	}
	for name, into := range map[string]*string{"alg": &s.alg, "enc": &s.enc, "skid": &s.skid} {
		if *into, err = header.Text(name); err != nil {
			return err
		}
	}
	for name, into := range map[string]*[]byte{"apu": &s.apu, "apv": &s.apv} {
		if header.Has(name) {
			if *into, err = strictBinary(header, name); err != nil {
				return err
			}
		}
	}
	if err := s.checkAlgorithms(); err != nil {
		return err
	}
	s.epk, err = parseEphemeral(header["epk"])
	return err
}

func (s *sealedJWE) checkAlgorithms() error {
	if _, _, err := contentCipher(s.enc); err != nil {
		return err
	}
	switch s.alg {
	case algAnon:
		if s.skid != "" {
			return fmt.Errorf("skid does not go with %s", algAnon)
		}
		return nil
	case algAuth:
		if s.enc != encCBC {
			return fmt.Errorf("%s goes with %s alone", algAuth, encCBC)
		}
		if s.skid == "" {
			s.skid = string(s.apu)
		}
		if s.skid == "" || s.skid != string(s.apu) {
			return errors.New("skid and apu do not name the same key of the sender's")
		}
		return nil
	}
	return fmt.Errorf("alg is neither %s nor %s", algAnon, algAuth)
}

func parseRecipientJWE(element []byte) (kid string, key []byte, err error) {
	outer, err := strictjson.ParseObject(element, maxDepth)
	if err != nil {
		return "", nil, err
	}
	header, err := strictjson.ParseObject(outer["header"], maxDepth)
	if err != nil {
		return "", nil, fmt.Errorf("its header: %w", err)
	}
	if kid, err = header.Text("kid"); err != nil || kid == "" || len(kid) > maxDID {
		return "", nil, errors.New("it has no kid")
	}
	for _, name := range []string{"alg", "enc", "epk", "apu", "apv", "skid"} {
		if header.Has(name) {
			return "", nil, fmt.Errorf("its header has %s, which belongs into the protected one", name)
		}
	}
	key, err = strictBinary(outer, "encrypted_key")
	return kid, key, err
}

// strictBinary reads a member that is base64url without padding (RFC 7515 section
// 2) and must be there.
func strictBinary(o strictjson.Object, name string) ([]byte, error) {
	return decoded(o, name, base64.RawURLEncoding.DecodeString)
}

func decoded(o strictjson.Object, name string, decode func(string) ([]byte, error)) ([]byte, error) {
	text, err := o.Text(name)
	if err != nil {
		return nil, err
	}
	if !o.Has(name) {
		return nil, fmt.Errorf("%s is missing", name)
	}
	raw, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%s is not base64url", name)
	}
	return raw, nil
}

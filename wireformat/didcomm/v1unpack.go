package didcomm

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
)

// opened is what an envelope of v1 held.
type opened struct {
	message           []byte
	sender, recipient string // verkeys; no sender of what is anonymous
}

// sealedV1 is an envelope as it is read.
type sealedV1 struct {
	protected     string // as it was received: it is authenticated
	iv, sealed    []byte
	authenticated bool
	recipients    []recipientV1
}

type recipientV1 struct {
	kid                      string
	encryptedKey, sender, iv []byte
}

// fromBase64 decodes base64url with or without padding: RFC 0019 shows it with,
// and ACA-Py writes it without.
func fromBase64(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// unpack decrypts with the first of the recipients' keys that the profile has.
func (f *V1) unpack(ctx context.Context, p *profile.Profile, envelope []byte) (*opened, error) {
	s, err := parseV1(envelope)
	if err != nil {
		return nil, err
	}
	var last error
	for _, recipient := range s.recipients {
		to, err := f.verkeys.parse(recipient.kid)
		if err != nil {
			continue // of another kind, for somebody else
		}
		own, err := findOwn(ctx, p, to)
		if errors.Is(err, profile.ErrNoKey) {
			continue
		}
		if err == nil {
			var result *opened
			if result, err = s.open(own, &recipient, &f.verkeys); err == nil {
				return result, nil
			}
		}
		last = err
	}
	if last != nil {
		return nil, last
	}
	return nil, fmt.Errorf("%w: the profile has none of the keys of the %d recipients", profile.ErrNoKey, len(s.recipients))
}

func (s *sealedV1) open(own *ownKey, recipient *recipientV1, known *verkeys) (*opened, error) {
	result := &opened{recipient: own.verkey.text}
	var cek []byte
	var err error
	if s.authenticated {
		cek, result.sender, err = recipient.openKey(own, known)
	} else {
		cek, err = openAnonymous(own.exchanger, recipient.encryptedKey)
	}
	if err != nil {
		return nil, err
	}
	if len(cek) != chacha20poly1305.KeySize || len(s.iv) != chacha20poly1305.NonceSize {
		return nil, errOpen
	}
	aead, err := chacha20poly1305.New(cek)
	if err != nil {
		return nil, err
	}
	if result.message, err = aead.Open(nil, s.iv, s.sealed, []byte(s.protected)); err != nil {
		return nil, errOpen
	}
	return result, nil
}

// openKey returns the content's key and who has encrypted it.
func (r *recipientV1) openKey(own *ownKey, known *verkeys) (cek []byte, sender string, err error) {
	text, err := openAnonymous(own.exchanger, r.sender)
	if err != nil {
		return nil, "", err
	}
	from, err := known.parse(string(text))
	if err != nil {
		return nil, "", errors.New("the sender's verkey is none")
	}
	cek, err = openBox(own.exchanger, from.agrees, r.iv, r.encryptedKey)
	return cek, from.text, err
}

// parseV1 reads an envelope without a key.
func parseV1(envelope []byte) (*sealedV1, error) {
	outer, err := parseOuter(envelope)
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"recipients", "header", "unprotected", "encrypted_key", "aad"} {
		if _, ok := outer[name]; ok {
			return nil, fmt.Errorf("it has the member %s, which belongs into the protected header, or nowhere", name)
		}
	}
	s := &sealedV1{}
	if s.protected, err = outer.Text("protected"); err != nil || s.protected == "" {
		return nil, errors.Join(errors.New("it is no envelope: protected is missing, or no text"), err)
	}
	if s.iv, err = paddedBinary(outer, "iv"); err != nil {
		return nil, err
	}
	ciphertext, err := paddedBinary(outer, "ciphertext")
	if err != nil {
		return nil, err
	}
	tag, err := paddedBinary(outer, "tag")
	if err != nil {
		return nil, err
	}
	if len(tag) < chacha20poly1305.Overhead {
		return nil, errors.New("the tag is shorter than 16 bytes")
	}
	// ACA-Py cuts where it counts characters, not bytes: of a message with others
	// than ASCII, the end of the ciphertext is in the tag.
	s.sealed = slices.Concat(ciphertext, tag)
	if err := s.parseHeader(); err != nil {
		return nil, fmt.Errorf("the protected header: %w", err)
	}
	return s, nil
}

func (s *sealedV1) parseHeader() error {
	text, err := fromBase64(s.protected)
	if err != nil {
		return errors.New("it is not base64url")
	}
	header, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return err
	}
	words := map[string]string{}
	for _, name := range []string{"typ", "enc", "alg"} {
		if words[name], err = header.Text(name); err != nil {
			return err
		}
	}
	switch {
	case words["typ"] != v1Typ:
		return fmt.Errorf("typ is not %s", v1Typ)
	case words["enc"] != v1Enc && words["enc"] != "chacha20poly1305_ietf":
		return fmt.Errorf("enc is not %s", v1Enc)
	case words["alg"] != v1Auth && words["alg"] != v1Anon:
		return fmt.Errorf("alg is neither %s nor %s", v1Auth, v1Anon)
	}
	s.authenticated = words["alg"] == v1Auth
	return s.parseRecipients(header["recipients"])
}

func (s *sealedV1) parseRecipients(list []byte) error {
	elements, err := strictjson.Elements(list)
	if err != nil || len(elements) == 0 || len(elements) > maxRecipients {
		return fmt.Errorf("recipients: want a list of 1 to %d", maxRecipients)
	}
	seen := map[string]bool{}
	for i, element := range elements {
		recipient, err := parseRecipientV1(element, s.authenticated)
		if err == nil && seen[recipient.kid] {
			err = errors.New("its kid is there twice")
		}
		if err != nil {
			return fmt.Errorf("recipient %d: %w", i+1, err)
		}
		seen[recipient.kid] = true
		s.recipients = append(s.recipients, recipient)
	}
	return nil
}

func parseRecipientV1(element []byte, authenticated bool) (recipientV1, error) {
	var r recipientV1
	outer, err := strictjson.ParseObject(element, maxDepth)
	if err != nil {
		return r, err
	}
	if !outer.Has("header") {
		return r, errors.New("it has no header")
	}
	header, err := strictjson.ParseObject(outer["header"], maxDepth)
	if err != nil {
		return r, fmt.Errorf("its header: %w", err)
	}
	if r.kid, err = header.Text("kid"); err != nil || r.kid == "" {
		return r, errors.New("it has no kid")
	}
	if r.encryptedKey, err = paddedBinary(outer, "encrypted_key"); err != nil {
		return r, err
	}
	if header.Has("sender") != authenticated || header.Has("iv") != authenticated {
		return r, errors.New("sender and iv are both there with Authcrypt, and neither with Anoncrypt")
	}
	if authenticated {
		if r.sender, err = paddedBinary(header, "sender"); err == nil {
			r.iv, err = paddedBinary(header, "iv")
		}
	}
	return r, err
}

// paddedBinary reads a member that is base64url and must be there.
func paddedBinary(o strictjson.Object, name string) ([]byte, error) {
	return decoded(o, name, fromBase64)
}

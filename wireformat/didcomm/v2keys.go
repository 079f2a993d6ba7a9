package didcomm

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/profile"
)

// preference is the order in which the curve of an envelope is chosen.
var preference = []profile.KeyType{profile.X25519, profile.P384, profile.P256, profile.P521}

// agreementKeys returns the keys of the recipients: all are of one DID. A DID means
// all of its keys, a DID URL one.
func agreementKeys(ctx context.Context, resolver Resolver, urls []string) (did string, keys []Method, err error) {
	for i, url := range urls {
		of, fragment := splitURL(url)
		if i == 0 {
			did = of
		}
		if of != did {
			return "", nil, errors.New("the recipients are of several DIDs: DIDComm v2 wants a message of its own for each")
		}
		document, err := resolver.Resolve(ctx, of)
		if err != nil {
			return "", nil, fmt.Errorf("recipient %d: %w", i+1, err)
		}
		found := document.KeyAgreement
		if fragment != "" {
			found = nil
			if m := method(document.KeyAgreement, url); m != nil {
				found = []Method{*m}
			}
		}
		if len(found) == 0 {
			return "", nil, fmt.Errorf("recipient %d: its document has no such key for agreement", i+1)
		}
		for _, m := range found {
			if method(keys, m.ID) == nil {
				keys = append(keys, m)
			}
		}
	}
	return did, keys, nil
}

// ofType returns the keys of one type.
func ofType(keys []Method, of profile.KeyType) []Method {
	var found []Method
	for _, m := range keys {
		if m.Type == of && len(found) < maxRecipients {
			found = append(found, m)
		}
	}
	return found
}

// own returns the profile's key of a method: by the method's id, or by its public
// half.
func own(ctx context.Context, p *profile.Profile, m *Method) (profile.Key, error) {
	text, err := multikey.Encode(m.Type, m.Public)
	if err != nil {
		return nil, err
	}
	for _, id := range []string{m.ID, text} {
		key, err := p.Keys().Find(ctx, id)
		if errors.Is(err, profile.ErrNoKey) {
			continue
		}
		return key, err
	}
	return nil, fmt.Errorf("%w %q", profile.ErrNoKey, m.ID)
}

// ownStatic returns the profile's key of a method, by which it agrees.
func ownStatic(ctx context.Context, p *profile.Profile, m *Method) (*staticKey, error) {
	key, err := own(ctx, p, m)
	if err != nil {
		return nil, err
	}
	exchanger, err := key.Exchanger()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(exchanger.PublicKey().Bytes(), m.Public) {
		return nil, fmt.Errorf("%w: the profile's key %s has another public half than its document", profile.ErrNoKey, m.ID)
	}
	return &staticKey{m.ID, exchanger}, nil
}

// chooseKeys returns the recipients' keys of the best curve that the sender, if
// there is one, has a key on too.
func chooseKeys(ctx context.Context, p *profile.Profile, resolver Resolver, keys []Method, sender string) ([]Method, *staticKey, error) {
	var candidates []Method
	if sender != "" {
		did, fragment := splitURL(sender)
		document, err := resolver.Resolve(ctx, did)
		if err != nil {
			return nil, nil, fmt.Errorf("sender: %w", err)
		}
		candidates = document.KeyAgreement
		if m := method(candidates, sender); fragment != "" {
			if candidates = nil; m != nil {
				candidates = []Method{*m}
			}
		}
	}
	var last error
	for _, of := range preference {
		to := ofType(keys, of)
		if len(to) == 0 {
			continue
		}
		if sender == "" {
			return to, nil, nil
		}
		for _, m := range ofType(candidates, of) {
			static, err := ownStatic(ctx, p, &m)
			if err == nil {
				return to, static, nil
			}
			last = err
		}
	}
	if sender == "" {
		return nil, nil, errors.New("the recipients have no key that agrees on a curve that is known here")
	}
	return nil, nil, errors.Join(errors.New("the sender has no key of its own on a curve of the recipients'"), last)
}

// signingKey returns a key of the sender's that is for authentication and is the
// profile's.
func signingKey(ctx context.Context, p *profile.Profile, resolver Resolver, sender string) (string, profile.Key, error) {
	did, _ := splitURL(sender)
	document, err := resolver.Resolve(ctx, did)
	if err != nil {
		return "", nil, fmt.Errorf("sender: %w", err)
	}
	candidates := document.Authentication
	if m := method(candidates, sender); m != nil {
		candidates = []Method{*m}
	}
	last := fmt.Errorf("%w: its document has none for authentication", profile.ErrNoKey)
	for _, m := range candidates {
		key, err := own(ctx, p, &m)
		if err == nil && (key.Type() != m.Type || !bytes.Equal(key.PublicKey(), m.Public)) {
			err = fmt.Errorf("%w: the profile's key %s has another public half than its document", profile.ErrNoKey, m.ID)
		}
		if err == nil && signAlgorithms[key.Type()] != "" {
			return m.ID, key, nil
		}
		if err != nil {
			last = err
		}
	}
	return "", nil, fmt.Errorf("sender: no key to sign with: %w", last)
}

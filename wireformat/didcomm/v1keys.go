package didcomm

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/profile"
)

// verkey is a public Ed25519 key, and what it agrees as.
type verkey struct {
	text   string // base58
	public []byte
	agrees *ecdh.PublicKey
}

// parseVerkey reads base58 or a did:key (RFC 0360), with or without its fragment.
func parseVerkey(text string) (*verkey, error) {
	var public []byte
	if name, ok := strings.CutPrefix(text, "did:key:"); ok {
		whole, _, _ := strings.Cut(name, "#")
		of, raw, err := multikey.Decode(whole)
		if err != nil {
			return nil, err
		}
		if of != profile.Ed25519 {
			return nil, fmt.Errorf("the key is of type %s, and DIDComm v1 wants ed25519", of)
		}
		public = raw
	} else {
		raw, err := multikey.DecodeBase58(text)
		if err != nil || len(raw) != 32 {
			return nil, errors.New("want a verkey of 32 bytes in base58, or a did:key")
		}
		public = raw
	}
	montgomery, err := multikey.Montgomery(public)
	if err != nil {
		return nil, err
	}
	agrees, err := ecdh.X25519().NewPublicKey(montgomery)
	if err != nil {
		return nil, err
	}
	return &verkey{multikey.EncodeBase58(public), public, agrees}, nil
}

// verkeys are those that a format has read.
type verkeys struct{ cache cache[*verkey] }

// parse reads a verkey.
func (v *verkeys) parse(text string) (*verkey, error) { return v.cache.get(text, parseVerkey) }

// parseAll reads a list. The error says which of them is wrong, from 1.
func (v *verkeys) parseAll(what string, texts []string) ([]*verkey, error) {
	keys := make([]*verkey, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = v.parse(text); err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
	}
	return keys, nil
}

// ownKey is a key of the profile's module, by which it agrees.
type ownKey struct {
	verkey    *verkey
	exchanger ecdh.KeyExchanger
}

// findOwn returns the profile's key of a verkey.
func findOwn(ctx context.Context, p *profile.Profile, v *verkey) (*ownKey, error) {
	found, err := p.Keys().Find(ctx, v.text)
	if err != nil {
		return nil, err
	}
	if found.Type() != profile.Ed25519 || !bytes.Equal(found.PublicKey(), v.public) {
		return nil, fmt.Errorf("%w: what is found by the verkey is another key", profile.ErrNoKey)
	}
	exchanger, err := found.Exchanger()
	if err != nil {
		return nil, err
	}
	return &ownKey{v, exchanger}, nil
}

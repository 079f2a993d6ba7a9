package wamp

import (
	"context"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"

	"golang.org/x/crypto/nacl/box"

	"github.com/outrider-go/outrider/internal/naclbox"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/serializer"
)

// AlgoCryptobox is the enc_algo of WAMP-cryptobox.
const AlgoCryptobox = "cryptobox"

// CipherCryptobox is its ppt_cipher.
const CipherCryptobox = "xsalsa20poly1305"

const nonceSize = 24

// CryptoboxKeys are the keys of a URI and those below it, in base64. A side that
// has a private key needs the other's public key; one that is left out is derived
// from the private key where that is there.
type CryptoboxKeys struct {
	OriginatorPrivate transport.Secret
	OriginatorPublic  string
	ResponderPrivate  transport.Secret
	ResponderPublic   string
}

// boxes encrypt and decrypt for each role; nil where a key is missing.
type boxes [2]*[32]byte // by Role

func (k CryptoboxKeys) boxes() (boxes, error) {
	var b boxes
	originator, err := privateKey("originator's private key", k.OriginatorPrivate)
	responder, err2 := privateKey("responder's private key", k.ResponderPrivate)
	originatorPublic, err3 := publicKey("originator's public key", k.OriginatorPublic, originator)
	responderPublic, err4 := publicKey("responder's public key", k.ResponderPublic, responder)
	if err := errors.Join(err, err2, err3, err4); err != nil {
		return b, err
	}
	b[Originator], err = sharedKey(originator, responderPublic)
	b[Responder], err2 = sharedKey(responder, originatorPublic)
	if err := errors.Join(err, err2); err != nil {
		return b, err
	}
	if b[Originator] == nil && b[Responder] == nil {
		return b, errors.New("want a private key of one side and the public key of the other")
	}
	return b, nil
}

func privateKey(name string, text transport.Secret) (*ecdh.PrivateKey, error) {
	if text.IsZero() {
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(text.Reveal())
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%s: want 32 bytes in base64", name)
	}
	return ecdh.X25519().NewPrivateKey(b)
}

func publicKey(name, text string, private *ecdh.PrivateKey) (*ecdh.PublicKey, error) {
	if text == "" {
		if private == nil {
			return nil, nil
		}
		return private.PublicKey(), nil
	}
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b) != 32 {
		return nil, fmt.Errorf("%s: want 32 bytes in base64", name)
	}
	public, err := ecdh.X25519().NewPublicKey(b)
	if err == nil && private != nil && !public.Equal(private.PublicKey()) {
		return nil, fmt.Errorf("%s is not that of the private key", name)
	}
	return public, err
}

// sharedKey precomputes what a private key and the peer's public key share.
func sharedKey(private *ecdh.PrivateKey, public *ecdh.PublicKey) (*[32]byte, error) {
	if private == nil || public == nil {
		return nil, nil
	}
	shared, err := naclbox.Key(private, public)
	if err != nil {
		return nil, errors.New("a public key is a point of small order")
	}
	return shared, nil
}

// KeyRing is the codec of WAMP-cryptobox: payloads are JSON in a NaCl box, with
// the keys of the longest prefix of the topic or procedure. Where no prefix has
// keys, payloads travel in clear, unless Required says otherwise. The zero value
// has no keys.
type KeyRing struct {
	// Required makes it an error when there are no keys for a URI. Default: the
	// payload travels in clear, as with autobahn. Set it before first use.
	Required bool

	mu       sync.RWMutex
	byPrefix map[string]boxes
}

// Set gives a URI, and those that begin with it, keys. The empty prefix is for all
// URIs that have no others. The error says which key is wrong.
func (r *KeyRing) Set(prefix string, keys CryptoboxKeys) error {
	b, err := keys.boxes()
	if err != nil {
		return fmt.Errorf("cryptobox keys for %q: %w", prefix, err)
	}
	r.set(prefix, b)
	return nil
}

// SetOriginator is Set for the originator's side, by a private key that does not
// leave its module, and the responder's public key, both of X25519.
func (r *KeyRing) SetOriginator(prefix string, own ecdh.KeyExchanger, responder *ecdh.PublicKey) error {
	shared, err := naclbox.Key(own, responder)
	if err != nil {
		return fmt.Errorf("cryptobox keys for %q: %w", prefix, err)
	}
	r.set(prefix, boxes{Originator: shared})
	return nil
}

func (r *KeyRing) set(prefix string, b boxes) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byPrefix == nil {
		r.byPrefix = map[string]boxes{}
	}
	r.byPrefix[prefix] = b
}

// Delete takes the keys of a prefix away.
func (r *KeyRing) Delete(prefix string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.byPrefix, prefix)
}

// key returns the shared key for a URI. found says that there are keys at all.
func (r *KeyRing) key(role Role, uri string) (key *[32]byte, found bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for n := len(uri); n >= 0; n-- {
		if b, ok := r.byPrefix[uri[:n]]; ok {
			return b[role], true
		}
	}
	return nil, false
}

// Encode implements [Codec].
func (r *KeyRing) Encode(_ context.Context, role Role, uri string, p Payload) (*EncodedPayload, error) {
	key, found := r.key(role, uri)
	switch {
	case !found && !r.Required:
		return nil, nil
	case key == nil:
		return nil, fmt.Errorf("%w: no key to encrypt for %s", ErrPayload, uri)
	case p.Opaque != nil:
		return nil, fmt.Errorf("%w: it is in bytes already", ErrPayload)
	}
	var args, kwargs any // null where there are none
	if p.Args != nil {
		args = p.Args
	}
	if p.Kwargs != nil {
		kwargs = p.Kwargs
	}
	json, err := serializer.NewJSON(serializer.Limits{})
	if err != nil {
		return nil, err
	}
	plain, err := json.Serialize(nil, map[string]any{"uri": uri, "args": args, "kwargs": kwargs})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPayload, err)
	}
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // it never fails
	sealed := box.SealAfterPrecomputation(nonce[:], plain, &nonce, key)
	return &EncodedPayload{Payload: sealed, Algo: AlgoCryptobox, Serializer: serializer.JSONID, Cipher: CipherCryptobox}, nil
}

// Decode implements [Codec]. It refuses a payload that was encrypted for another
// URI.
func (r *KeyRing) Decode(_ context.Context, role Role, uri string, e *EncodedPayload) (string, Payload, error) {
	fail := func(reason string) (string, Payload, error) {
		return "", Payload{}, fmt.Errorf("%w: %s", ErrPayload, reason)
	}
	if e.Algo != AlgoCryptobox || e.Serializer != serializer.JSONID {
		return fail("it is not encoded by cryptobox with json")
	}
	key, _ := r.key(role, uri)
	if key == nil {
		return fail("no key to decrypt for " + uri)
	}
	if len(e.Payload) < nonceSize+box.Overhead {
		return fail("it is too short")
	}
	plain, ok := box.OpenAfterPrecomputation(nil, e.Payload[nonceSize:], (*[nonceSize]byte)(e.Payload), key)
	if !ok {
		return fail("it cannot be decrypted with the key for " + uri)
	}
	json, err := serializer.NewJSON(serializer.Limits{})
	if err != nil {
		return "", Payload{}, err
	}
	values, err := json.Unserialize(plain)
	if err != nil {
		return fail("what is encrypted is not JSON")
	}
	return unpack(values[0], uri)
}

// unpack reads what Encode has encrypted.
func unpack(v any, uri string) (string, Payload, error) {
	all, _ := v.(map[string]any)
	args, argsOK := all["args"].([]any)
	kwargs, kwargsOK := all["kwargs"].(map[string]any)
	inside, ok := all["uri"].(string)
	if !ok || (!argsOK && all["args"] != nil) || (!kwargsOK && all["kwargs"] != nil) {
		return "", Payload{}, fmt.Errorf("%w: what is encrypted is not uri, args and kwargs", ErrPayload)
	}
	if inside != uri {
		return "", Payload{}, fmt.Errorf("%w: it was encrypted for another URI than %s", ErrPayload, uri)
	}
	return inside, Payload{Args: args, Kwargs: kwargs}, nil
}

package secmod

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"fmt"
	"slices"
	"sync"

	"github.com/outrider-go/outrider/internal/multikey"
	"github.com/outrider-go/outrider/profile"
)

// maxID is the longest id of a key, in bytes.
const maxID = 512

// key is a key of a module, or one of its own.
type key struct {
	of     profile.KeyType
	id     string
	public []byte
	no     int
	vault  *vault   // nil for a key of its own
	own    *private // of such a key; nil where there is only the public half
	agrees func() (*ecdh.PublicKey, error)
}

// newBase makes a key of a public half that was checked.
func newBase(of profile.KeyType, id string, public []byte) *key {
	return &key{of: of, id: id, public: public, agrees: sync.OnceValues(func() (*ecdh.PublicKey, error) { return agreement(of, public) })}
}

// NewKey makes a key of its own, to be added to a module. The id is what it is to
// be found by; empty is the text of its public half.
func NewKey(of profile.KeyType, id string) (Key, error) {
	of, err := typeOf(of)
	if err != nil {
		return nil, err
	}
	secret, err := generate(of)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	return keyOfSecret(of, id, secret)
}

// NewPublicKey returns a key that only verifies.
func NewPublicKey(of profile.KeyType, id string, public []byte) (Key, error) {
	of, err := typeOf(of)
	if err != nil {
		return nil, err
	}
	return newKey(of, id, public, nil)
}

func keyOfSecret(of profile.KeyType, id string, secret []byte) (Key, error) {
	half, public, err := newPrivate(of, secret)
	if err != nil {
		return nil, err
	}
	return newKey(of, id, public, half)
}

func newKey(of profile.KeyType, id string, public []byte, own *private) (Key, error) {
	text, err := multikey.Encode(of, public)
	if err != nil {
		return nil, err
	}
	if id == "" {
		id = text
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	k := newBase(of, id, slices.Clone(public))
	k.own = own
	return k.typed(), nil
}

func checkID(id string) error {
	for _, c := range id {
		if c <= ' ' || c == 0x7f || c == 0xfffd {
			return fmt.Errorf("the id of a key has a blank or a control character, or is not Unicode")
		}
	}
	if id == "" || len(id) > maxID {
		return fmt.Errorf("the id of a key has %d bytes: want 1 to %d", len(id), maxID)
	}
	return nil
}

// typed returns the key with the methods of its type.
func (k *key) typed() Key {
	switch k.of {
	case profile.Ed25519:
		return cryptosignKey{k}
	case profile.Ethereum:
		return ethereumKey{k}
	default:
		return k
	}
}

// baseOf returns what is in a key of this package, nil for another's.
func baseOf(k Key) *key {
	switch k := k.(type) {
	case cryptosignKey:
		return k.key
	case ethereumKey:
		return k.key
	case *key:
		return k
	}
	return nil
}

func (k *key) Type() profile.KeyType { return k.of }
func (k *key) ID() string            { return k.id }
func (k *key) PublicKey() []byte     { return slices.Clone(k.public) }
func (k *key) No() (int, bool)       { return k.no, k.vault != nil }

func (k *key) Module() Module {
	if k.vault == nil {
		return nil
	}
	return k.vault.module
}

func (k *key) CanSign() bool {
	return k.of != profile.X25519 && (k.vault != nil || k.own != nil && k.own.sign != nil)
}

// String says which key it is.
func (k *key) String() string { return fmt.Sprintf("%s key %s", k.of, k.id) }

// half returns the private half, if it may be used now.
func (k *key) half() (*private, error) {
	if k.vault != nil {
		return k.vault.half(k)
	}
	if k.own == nil {
		return nil, fmt.Errorf("%w: key %s has no private half here", profile.ErrKeyUse, k.id)
	}
	return k.own, nil
}

func (k *key) Sign(ctx context.Context, data []byte) ([]byte, error) {
	half, err := k.half()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	if half.sign == nil {
		return nil, fmt.Errorf("%w: key %s of type %s does not sign", profile.ErrKeyUse, k.id, k.of)
	}
	return half.sign(data)
}

func (k *key) Verify(_ context.Context, data, signature []byte) error {
	return verify(k.of, k.public, data, signature)
}

func (k *key) Recover(ctx context.Context, data, signature []byte) ([]byte, error) {
	if k.of == profile.Ethereum {
		return recoverDigest(keccak(data), signature)
	}
	if err := k.Verify(ctx, data, signature); err != nil {
		return nil, err
	}
	return k.PublicKey(), nil
}

func (k *key) Exchanger() (ecdh.KeyExchanger, error) {
	public, err := k.agrees()
	if err != nil {
		return nil, err
	}
	half, err := k.half()
	if err != nil {
		return nil, err
	}
	if half.agree == nil {
		return nil, fmt.Errorf("%w: key %s does not agree where it is kept", profile.ErrKeyUse, k.id)
	}
	return &exchanger{k, public}, nil
}

// exchanger asks for the private half each time, so that it ends with the lock.
type exchanger struct {
	key    *key
	public *ecdh.PublicKey
}

func (e *exchanger) PublicKey() *ecdh.PublicKey { return e.public }
func (e *exchanger) Curve() ecdh.Curve          { return e.public.Curve() }

func (e *exchanger) ECDH(peer *ecdh.PublicKey) ([]byte, error) {
	half, err := e.key.half()
	if err != nil {
		return nil, err
	}
	return half.agree(peer)
}

// same reports the same public key.
func (k *key) same(other *key) bool { return k.of == other.of && bytes.Equal(k.public, other.public) }

// names are what the key is found by.
func (k *key) names() []string {
	names := []string{k.id}
	if text, err := multikey.Encode(k.of, k.public); err == nil {
		names = append(names, text)
	}
	switch k.of {
	case profile.Ed25519:
		names = append(names, multikey.EncodeBase58(k.public))
		if montgomery, err := multikey.Montgomery(k.public); err == nil {
			if text, err := multikey.Encode(profile.X25519, montgomery); err == nil {
				names = append(names, text)
			}
		}
	case profile.Ethereum:
		names = append(names, addressOf(k.public).String())
	case profile.X25519, profile.P256, profile.P384, profile.P521:
	}
	return names
}

// PublicNames are texts of a public half that others use; empty where its type has
// none.
type PublicNames struct {
	DID     string // did:key
	Verkey  string // of Aries: base58
	Address string // of Ethereum
}

// Names returns the texts of a key's public half.
func Names(k Key) PublicNames {
	var names PublicNames
	if text, err := multikey.Encode(k.Type(), k.PublicKey()); err == nil {
		names.DID = "did:key:" + text
	}
	if k.Type() == profile.Ed25519 {
		names.Verkey = multikey.EncodeBase58(k.PublicKey())
	}
	if ethereum, ok := k.(EthereumKey); ok {
		names.Address = ethereum.Address().String()
	}
	return names
}

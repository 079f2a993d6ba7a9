package secmod

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// ErrDamaged is returned for a file that is not as it was written.
var ErrDamaged = errors.New("file of the security module is damaged: restore it from a backup")

const (
	fileVersion = 1
	maxFile     = 16 << 20
	saltSize    = 16
)

// Cost is what argon2id takes for one try of a passphrase (RFC 9106).
type Cost struct {
	MemoryKiB uint32 `json:"memory_kib"` // Default: 64 MiB
	Passes    uint32 `json:"passes"`     // Default: 3
	Lanes     uint8  `json:"lanes"`      // Default: 4
}

func (c Cost) withDefaults() Cost {
	if c == (Cost{}) {
		return Cost{MemoryKiB: 64 << 10, Passes: 3, Lanes: 4}
	}
	return c
}

// validate bounds what a file can cost whoever opens it.
func (c Cost) validate() error {
	if c.MemoryKiB < 8*uint32(c.Lanes) || c.MemoryKiB > 1<<20 || c.Passes < 1 || c.Passes > 32 || c.Lanes < 1 || c.Lanes > 16 {
		return errors.New("cost: want 8 KiB per lane to 1 GiB of memory, 1 to 32 passes and 1 to 16 lanes")
	}
	return nil
}

// document is the file.
type document struct {
	Version int        `json:"version"`
	Cost    Cost       `json:"argon2id"`
	Salt    []byte     `json:"salt"`
	Next    int        `json:"next"`
	Keys    []openPart `json:"keys"`
	Sealed  []byte     `json:"sealed"`
}

// openPart is what everybody may know of a key.
type openPart struct {
	No     int             `json:"no"`
	Type   profile.KeyType `json:"type"`
	ID     string          `json:"id"`
	Public []byte          `json:"public"`
}

// sealedPart is what is sealed.
type sealedPart struct {
	Secrets  map[int][]byte `json:"secrets"`
	Counters map[int]uint64 `json:"counters"`
}

// parseDocument reads a file strictly: what is not understood may be a key.
func parseDocument(content []byte) (*document, error) {
	var d document
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return nil, fmt.Errorf("%w: it is not the JSON of one", ErrDamaged)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: there is something behind its end", ErrDamaged)
	}
	if d.Version != fileVersion {
		return nil, fmt.Errorf("has version %d, and this program knows version %d: use the program that wrote it", d.Version, fileVersion)
	}
	if err := d.Cost.validate(); err != nil || len(d.Salt) != saltSize {
		return nil, fmt.Errorf("%w: its argon2id parameters are out of range", ErrDamaged)
	}
	return &d, nil
}

// publicState returns the keys without their private halves.
func (d *document) publicState(v *vault) (*state, error) {
	s := newState()
	for _, part := range d.Keys {
		if err := errors.Join(checkPublic(part.Type, part.Public), checkID(part.ID)); err != nil || part.No < 1 || part.No >= d.Next {
			return nil, fmt.Errorf("%w: key %d", ErrDamaged, part.No)
		}
		k := newBase(part.Type, part.ID, part.Public)
		k.no, k.vault = part.No, v
		if err := s.put(k, nil); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	s.next = d.Next
	return s, nil
}

// bound returns what the sealed part is bound to: the rest of the file.
func (d *document) bound() ([]byte, error) {
	rest := *d
	rest.Sealed = nil
	return json.Marshal(rest)
}

// open returns the whole state.
func (d *document) open(with *sealer, v *vault) (*state, error) {
	s, err := d.publicState(v)
	if err != nil {
		return nil, err
	}
	bound, err := d.bound()
	if err != nil {
		return nil, err
	}
	plain, err := with.open(d.Sealed, bound)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	var sealed sealedPart
	if err := json.Unmarshal(plain, &sealed); err != nil || len(sealed.Secrets) != len(s.keys) {
		return nil, fmt.Errorf("%w: its sealed part", ErrDamaged)
	}
	for no, secret := range sealed.Secrets {
		k := s.keys[no]
		if k == nil {
			return nil, fmt.Errorf("%w: key %d", ErrDamaged, no)
		}
		half, public, err := newPrivate(k.of, secret)
		clear(secret)
		if err != nil || !bytes.Equal(public, k.public) {
			return nil, fmt.Errorf("%w: key %d", ErrDamaged, no)
		}
		s.halves[no] = half
	}
	if sealed.Counters != nil {
		s.counters = sealed.Counters
	}
	return s, nil
}

// sealer seals with the key of a passphrase, which an AEAD keeps to itself.
type sealer struct {
	cost Cost
	salt []byte
	aead func() cipher.AEAD // a function, so that no dump of a struct shows the key
}

func newSealer(cost Cost, passphrase transport.Secret) *sealer {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // never fails: crypto/rand aborts the program instead
	return sealerOf(cost, salt, passphrase)
}

// sealerOf returns what the passphrase gives. Whether it is right, open tells.
func sealerOf(cost Cost, salt []byte, passphrase transport.Secret) *sealer {
	raw := argon2.IDKey([]byte(passphrase.Reveal()), salt, cost.Passes, cost.MemoryKiB, cost.Lanes, chacha20poly1305.KeySize)
	aead, _ := chacha20poly1305.NewX(raw) // the size is right
	clear(raw)
	return &sealer{cost, salt, func() cipher.AEAD { return aead }}
}

func (s *sealer) open(sealed, bound []byte) ([]byte, error) {
	aead := s.aead()
	if len(sealed) < aead.NonceSize() {
		return nil, fmt.Errorf("%w: its sealed part is cut short", ErrDamaged)
	}
	plain, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bound)
	if err != nil {
		return nil, fmt.Errorf("%w, or its file was changed", ErrPassphrase)
	}
	return plain, nil
}

// render makes the file of a state.
func (s *sealer) render(from *state) ([]byte, error) {
	d := document{Version: fileVersion, Cost: s.cost, Salt: s.salt, Next: from.next, Keys: []openPart{}}
	sealed := sealedPart{Secrets: map[int][]byte{}, Counters: from.counters}
	for _, no := range slices.Sorted(maps.Keys(from.keys)) {
		k, half := from.keys[no], from.halves[no]
		if half == nil || half.export == nil {
			return nil, fmt.Errorf("%w: the private half of %s is elsewhere, and cannot be kept in a file", profile.ErrKeyUse, k)
		}
		d.Keys = append(d.Keys, openPart{no, k.of, k.id, k.public})
		sealed.Secrets[no] = half.export()
	}
	plain, err := json.Marshal(sealed)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	bound, err := d.bound()
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(plain)+chacha20poly1305.Overhead)
	_, _ = rand.Read(nonce) // never fails: crypto/rand aborts the program instead
	d.Sealed = s.aead().Seal(nonce, nonce, plain, bound)
	content, err := json.MarshalIndent(d, "", " ")
	return append(content, '\n'), err
}

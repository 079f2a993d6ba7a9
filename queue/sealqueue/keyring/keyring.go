package keyring

import (
	"context"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outrider-go/outrider/internal/privatefile"
	"github.com/outrider-go/outrider/transport"
)

// The errors of a keyring.
var (
	// ErrWrongKey: the master key is not the one that wraps the keyring.
	ErrWrongKey = errors.New("wrong master key")
	// ErrKeyMissing: there is no key for what is sealed.
	ErrKeyMissing = errors.New("key is missing")
	// ErrDamaged: the file is not as it was written.
	ErrDamaged = errors.New("keyring is damaged: restore it from a backup")
	// ErrExposed: others than its owner may read a file with keys.
	ErrExposed = privatefile.ErrExposed
)

// ID names a data key of a profile. Its text is 16 hexadecimal digits.
type ID [8]byte

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText returns the text form.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the text form.
func (id *ID) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(id)) {
		return errors.New("not the id of a key")
	}
	_, err := hex.Decode(id[:], text)
	return err
}

// Key is a data key. It does not show the key however it is printed.
type Key struct {
	entry
	raw  transport.Secret
	aead cipher.AEAD
}

// ID names the key.
func (k *Key) ID() ID { return k.entry.ID }

// AEAD seals and opens with the key: XChaCha20-Poly1305, whose nonces of 24 bytes
// are long enough to be random. It is safe for concurrent use.
func (k *Key) AEAD() cipher.AEAD { return k.aead }

// ring are the keys of a profile. The last one is in use.
type ring []*Key

func (r ring) active() *Key {
	if len(r) == 0 {
		return nil
	}
	return r[len(r)-1]
}

func (r ring) find(id ID) *Key {
	for _, key := range r {
		if key.entry.ID == id {
			return key
		}
	}
	return nil
}

// state is what a keyring knows. It never changes: a change makes another.
type state struct {
	master   *Master
	profiles map[string]ring
	file     fs.FileInfo // that it was read from or written to; nil: there is none
}

// Keyring holds the data keys of the profiles. It runs no goroutines and holds
// nothing open.
type Keyring struct {
	path  string
	state atomic.Pointer[state]
	// writing has one slot, taken by who reads or writes the file: a wait for it
	// can be given up.
	writing chan struct{}
	// unsure is the error of a write of which it is not known what the disk has.
	unsure error // taken with the slot
}

// Open reads the keyring of a directory, which is empty where there is no file
// yet. Nothing is written before the first key is made.
func Open(dir string, master *Master) (*Keyring, error) {
	if dir == "" || master == nil {
		return nil, errors.New("open keyring: want a directory and a master key")
	}
	k := &Keyring{path: filepath.Join(dir, FileName), writing: make(chan struct{}, 1)}
	first, err := k.read(master)
	if err != nil {
		return nil, err
	}
	k.state.Store(first)
	return k, nil
}

// CheckUnused refuses, with [ErrKeyMissing], a directory that has a keyring: it
// is for who opens a store without keys.
func CheckUnused(dir string) error {
	path := filepath.Join(dir, FileName)
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for a keyring: %w", err)
	}
	return fmt.Errorf("%w: there is a keyring, %s, so that messages of this store are sealed, and no master key is given", ErrKeyMissing, path)
}

// MasterID names the master key that wraps the keyring.
func (k *Keyring) MasterID() string { return k.state.Load().master.id }

// Profiles lists the profiles that have keys, sorted, with the ids of their keys,
// the one in use last.
func (k *Keyring) Profiles() []ProfileKeys {
	var all []ProfileKeys
	for profile, keys := range k.state.Load().profiles {
		listed := ProfileKeys{Profile: profile}
		for _, key := range keys {
			listed.Keys = append(listed.Keys, KeyInfo{ID: key.entry.ID, Created: key.Created})
		}
		all = append(all, listed)
	}
	slices.SortFunc(all, func(a, b ProfileKeys) int {
		if a.Profile < b.Profile {
			return -1
		}
		return 1
	})
	return all
}

// ProfileKeys are the keys of a profile.
type ProfileKeys struct {
	Profile string
	Keys    []KeyInfo
}

// KeyInfo says which key it is.
type KeyInfo struct {
	ID      ID
	Created time.Time
}

// Active returns the key to seal with for a profile. Where the profile has none,
// it makes one, which is on disk when Active returns.
func (k *Keyring) Active(ctx context.Context, profile string) (*Key, error) {
	if key := k.state.Load().profiles[profile].active(); key != nil {
		return key, nil
	}
	return k.add(ctx, profile, true)
}

// Find returns a key to open with. Before it says [ErrKeyMissing] it looks
// whether another process has changed the file; all other errors come from that
// look, and mean that it is not known whether there is the key.
func (k *Keyring) Find(ctx context.Context, profile string, id ID) (*Key, error) {
	key := k.state.Load().profiles[profile].find(id)
	if key != nil {
		return key, nil
	}
	if err := k.refresh(ctx); err != nil {
		return nil, fmt.Errorf("look for data key %s of profile %q: %w", id, profile, err)
	}
	if key = k.state.Load().profiles[profile].find(id); key == nil {
		return nil, fmt.Errorf("%w: data key %s of profile %q is not in the keyring: it was shredded or lost", ErrKeyMissing, id, profile)
	}
	return key, nil
}

package keyring

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/outrider-go/outrider/transport"
)

// FileName is the keyring's name in its directory.
const FileName = "keys.json"

const (
	fileVersion = 1
	maxFileSize = 64 << 20 // some 400 000 keys
)

// document is the file.
type document struct {
	Version  int                `json:"version"`
	Master   string             `json:"master"` // its id
	Profiles map[string][]entry `json:"profiles"`
}

// entry is a data key. The last one of a profile is in use.
type entry struct {
	ID      ID        `json:"id"`
	Created time.Time `json:"created"`
	Wrapped []byte    `json:"wrapped"`
}

// parse reads a file strictly: what is not understood may be a key.
func parse(content []byte) (document, error) {
	var d document
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d); err != nil {
		return document{}, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return document{}, fmt.Errorf("%w: there is something behind its end", ErrDamaged)
	}
	if d.Version != fileVersion {
		return document{}, fmt.Errorf("has version %d, and this program knows version %d: use the program that wrote it", d.Version, fileVersion)
	}
	err := d.check()
	return d, err
}

func (d *document) check() error {
	if id, err := hex.DecodeString(d.Master); err != nil || len(id) != len(ID{}) {
		return fmt.Errorf("%w: it names no master key", ErrDamaged)
	}
	for profile, entries := range d.Profiles {
		if len(entries) == 0 {
			return fmt.Errorf("%w: profile %q has no keys", ErrDamaged, profile)
		}
		seen := make(map[ID]bool, len(entries))
		for _, e := range entries {
			if seen[e.ID] || len(e.Wrapped) != wrappedSize {
				return fmt.Errorf("%w: data key %s of profile %q", ErrDamaged, e.ID, profile)
			}
			seen[e.ID] = true
		}
	}
	return nil
}

// open unwraps the keys of a file.
func (d *document) open(master *Master) (map[string]ring, error) {
	if d.Master != master.id {
		return nil, fmt.Errorf("%w: it is wrapped by master key %s, and the key given is %s", ErrWrongKey, d.Master, master.id)
	}
	profiles := make(map[string]ring, len(d.Profiles))
	for profile, entries := range d.Profiles {
		keys := make(ring, len(entries))
		for i, e := range entries {
			raw, err := master.unwrapKey(profile, e.ID, e.Wrapped)
			if err != nil {
				return nil, fmt.Errorf("%w: data key %s of profile %q does not unwrap", err, e.ID, profile)
			}
			if keys[i], err = newKey(e, raw); err != nil {
				return nil, err
			}
		}
		profiles[profile] = keys
	}
	return profiles, nil
}

// render makes the file of a state.
func (s *state) render() ([]byte, error) {
	d := document{Version: fileVersion, Master: s.master.id, Profiles: make(map[string][]entry, len(s.profiles))}
	for profile, keys := range s.profiles {
		for _, key := range keys {
			d.Profiles[profile] = append(d.Profiles[profile], key.entry)
		}
	}
	content, err := json.MarshalIndent(d, "", " ")
	return append(content, '\n'), err
}

// newKey makes the key of an entry.
func newKey(e entry, raw []byte) (*Key, error) {
	aead, err := chacha20poly1305.NewX(raw)
	if err != nil {
		return nil, err
	}
	return &Key{entry: e, raw: transport.NewSecret(string(raw)), aead: aead}, nil
}

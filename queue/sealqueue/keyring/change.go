package keyring

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/internal/privatefile"
)

// Rotate makes a new data key for a profile: what is sealed from now on is sealed
// with it. The keys before it stay, for opening.
func (k *Keyring) Rotate(ctx context.Context, profile string) (ID, error) {
	key, err := k.add(ctx, profile, false)
	if err != nil {
		return ID{}, err
	}
	return key.entry.ID, nil
}

// Rewrap wraps all data keys with another master key. When it returns nil, the
// old one opens the keyring no more; when it fails, or the process ends midway,
// one of the two does, and [ErrWrongKey] names which.
func (k *Keyring) Rewrap(ctx context.Context, master *Master) error {
	if master == nil {
		return errors.New("rewrap keyring: want a master key")
	}
	return k.change(ctx, "rewrap keyring", func(next *state) (bool, error) {
		next.master = master
		for profile, keys := range next.profiles {
			wrapped := make(ring, len(keys))
			for i, key := range keys {
				again := *key
				again.Wrapped = master.wrapKey(profile, key.entry.ID, []byte(key.raw.Reveal()))
				wrapped[i] = &again
			}
			next.profiles[profile] = wrapped
		}
		return true, nil
	})
}

// Shred forgets the keys of a profile, and returns how many there were. What is
// sealed with them can be opened by nobody who has no copy of the file and its
// master key: see docs/encryption.md. The profile gets a new key with its next
// message. Other processes go on with the keys they know until they end.
func (k *Keyring) Shred(ctx context.Context, profile string) (keys int, err error) {
	err = k.change(ctx, "shred keys", func(next *state) (bool, error) {
		keys = len(next.profiles[profile])
		delete(next.profiles, profile)
		return keys > 0, nil
	})
	return keys, err
}

// add makes a key; with first, only where the profile has none.
func (k *Keyring) add(ctx context.Context, profile string, first bool) (key *Key, err error) {
	if !utf8.ValidString(profile) { // the file could not name it
		return nil, fmt.Errorf("make a data key: profile %q is not valid UTF-8", profile)
	}
	err = k.change(ctx, "make a data key", func(next *state) (bool, error) {
		keys := next.profiles[profile]
		if key = keys.active(); first && key != nil { // somebody else was faster
			return false, nil
		}
		var raw [keySize]byte
		e := entry{Created: time.Now().UTC().Truncate(time.Second)}
		_, _ = rand.Read(raw[:]) // never fails: crypto/rand aborts the program instead
		_, _ = rand.Read(e.ID[:])
		e.Wrapped = next.master.wrapKey(profile, e.ID, raw[:])
		var err error
		if key, err = newKey(e, raw[:]); err != nil {
			return false, err
		}
		next.profiles[profile] = append(slices.Clone(keys), key)
		return true, nil
	})
	return key, err
}

// change reads the file, changes what is in it, and writes it. The change is in
// force when the disk has it. do may change the maps of next, and says whether
// there is something to write.
func (k *Keyring) change(ctx context.Context, what string, do func(next *state) (bool, error)) error {
	leave, err := k.enter(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer leave()
	if k.unsure != nil {
		return fmt.Errorf("%s: an earlier change failed, look after the disk, then start again: %w", what, k.unsure)
	}
	unlock, err := privatefile.Lock(k.path)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if err = k.changeLocked(do); err != nil {
		err = fmt.Errorf("%s: %w", what, err)
	}
	return errors.Join(err, unlock())
}

func (k *Keyring) changeLocked(do func(next *state) (bool, error)) error {
	now, err := k.latest()
	if err != nil {
		return err
	}
	next := &state{master: now.master, profiles: maps.Clone(now.profiles)}
	write, err := do(next)
	if err != nil || !write {
		return err
	}
	content, err := next.render()
	if err != nil {
		return err
	}
	if err := privatefile.Replace(k.path, content); err != nil {
		if errors.As(err, new(*privatefile.UnsureError)) {
			k.unsure = err
		}
		return err
	}
	if next.file, err = os.Stat(k.path); err != nil {
		next.file = nil // it is read again
	}
	k.state.Store(next)
	return nil
}

// refresh reads the file again where it has changed.
func (k *Keyring) refresh(ctx context.Context) error {
	leave, err := k.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	_, err = k.latest()
	return err
}

// latest returns what is in the file, which it reads only where it is not the one
// that is known.
func (k *Keyring) latest() (*state, error) {
	known := k.state.Load()
	info, err := os.Stat(k.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && known.file == nil:
		return known, nil
	case err != nil: // also one that is gone: that is no way to shred
		return nil, err
	case known.file != nil && os.SameFile(info, known.file) && info.ModTime().Equal(known.file.ModTime()) && info.Size() == known.file.Size():
		return known, nil
	}
	now, err := k.read(known.master)
	if err != nil {
		return nil, err
	}
	k.state.Store(now)
	return now, nil
}

// read reads the file; the keyring is empty where there is none.
func (k *Keyring) read(master *Master) (*state, error) {
	content, info, err := privatefile.Read(k.path, maxFileSize)
	if errors.Is(err, fs.ErrNotExist) {
		return &state{master: master, profiles: map[string]ring{}}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read keyring: %w", err)
	}
	d, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", k.path, err)
	}
	profiles, err := d.open(master)
	if err != nil {
		return nil, fmt.Errorf("keyring %s: %w", k.path, err)
	}
	return &state{master: master, profiles: profiles, file: info}, nil
}

// enter takes the slot, or gives up when ctx ends.
func (k *Keyring) enter(ctx context.Context) (leave func(), err error) {
	select {
	case k.writing <- struct{}{}:
		return func() { <-k.writing }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

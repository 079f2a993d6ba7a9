package secmod

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/outrider-go/outrider/internal/privatefile"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// FileOptions describe a [File].
type FileOptions struct {
	// Create makes the file, with the first passphrase, where there is none.
	// Default: that is an error.
	Create bool
	// Cost is what a passphrase costs in a file that is made. Default: that of RFC
	// 9106 for little memory: 64 MiB, 3 passes, 4 lanes.
	Cost Cost
}

// File is a module whose keys are in one file, encrypted with a passphrase.
type File struct {
	vault

	path    string
	options FileOptions
	seen    fs.FileInfo // of the file as it was read last. Guarded by changing.
	// sealer seals and opens; nil while the module is locked. Guarded by mu.
	sealer *sealer
}

// NewFile returns the module of the file at path. It reads nothing yet.
func NewFile(path string, options FileOptions) (*File, error) {
	options.Cost = options.Cost.withDefaults()
	if path == "" {
		return nil, errors.New("security module: the path is empty")
	}
	if err := options.Cost.validate(); err != nil {
		return nil, fmt.Errorf("security module: %w", err)
	}
	f := &File{path: path, options: options}
	f.module, f.state, f.save = f, newState(), f.saveEdit
	return f, nil
}

// Open reads the file: the keys are known then, and locked.
func (f *File) Open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.changing.Lock()
	defer f.changing.Unlock()
	if f.IsOpen() {
		return nil
	}
	read, err := f.read()
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || !f.options.Create) {
		return fmt.Errorf("open security module: %w", err)
	}
	s := newState()
	if read != nil {
		if s, err = read.publicState(&f.vault); err != nil {
			return fmt.Errorf("open security module %s: %w", f.path, err)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.locked, f.state = true, true, s
	return nil
}

// Close implements [Module].
func (f *File) Close(context.Context) error {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.forget()
	f.open, f.state = false, newState()
	return nil
}

// CanLock returns true.
func (f *File) CanLock() bool { return true }

// Lock implements [Module].
func (f *File) Lock(context.Context) error {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.open {
		return ErrClosed
	}
	f.forget()
	return nil
}

// forget drops what opens the private halves. mu is held.
func (f *File) forget() {
	f.locked, f.sealer = true, nil
	f.state = f.state.clone()
	clear(f.state.halves)
	clear(f.state.counters)
}

// Unlock opens the private halves, or makes the file.
func (f *File) Unlock(ctx context.Context, passphrase transport.Secret) error {
	f.changing.Lock()
	defer f.changing.Unlock()
	if _, err := f.usable(ctx, false); err != nil {
		return err
	}
	if passphrase.IsZero() {
		return fmt.Errorf("%w: it is empty", ErrPassphrase)
	}
	unlock, err := privatefile.Lock(f.path)
	if err != nil {
		return fmt.Errorf("unlock security module: %w", err)
	}
	if err := errors.Join(f.unlockFile(passphrase), unlock()); err != nil {
		return fmt.Errorf("unlock security module %s: %w", f.path, err)
	}
	return nil
}

func (f *File) unlockFile(passphrase transport.Secret) error {
	read, err := f.read()
	if errors.Is(err, fs.ErrNotExist) && f.options.Create {
		opens := newSealer(f.options.Cost, passphrase)
		return f.write(opens, newState())
	}
	if err != nil {
		return err
	}
	opens := sealerOf(read.Cost, read.Salt, passphrase)
	s, err := read.open(opens, &f.vault)
	if err != nil {
		return err
	}
	f.useUnlocked(opens, s)
	return nil
}

func (f *File) useUnlocked(opens *sealer, s *state) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.locked, f.sealer, f.state = false, opens, s
}

// saveEdit makes a change on what is in the file now.
func (f *File) saveEdit(_ context.Context, edit func(*state) error) (err error) {
	unlock, err := privatefile.Lock(f.path)
	if err != nil {
		return fmt.Errorf("change security module: %w", err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	f.mu.RLock()
	opens := f.sealer
	f.mu.RUnlock()
	read, err := f.read()
	if err != nil {
		return fmt.Errorf("change security module: %w", err)
	}
	next, err := read.open(opens, &f.vault)
	if err != nil {
		return fmt.Errorf("change security module %s: %w", f.path, err)
	}
	if err := edit(next); err != nil {
		return err
	}
	if err := f.write(opens, next); err != nil {
		return fmt.Errorf("change security module: %w", err)
	}
	return nil
}

// write replaces the file, and then the state.
func (f *File) write(opens *sealer, next *state) error {
	content, err := opens.render(next)
	if err != nil {
		return err
	}
	if err := privatefile.Replace(f.path, content); err != nil {
		return err
	}
	f.seen = nil // another may have changed it since
	f.useUnlocked(opens, next)
	return nil
}

// read reads the file. changing is held.
func (f *File) read() (*document, error) {
	content, info, err := privatefile.Read(f.path, maxFile)
	if err != nil {
		return nil, err
	}
	f.seen = info
	return parseDocument(content)
}

// Find implements profile.Keys. A key that is not known may be new in the file.
func (f *File) Find(ctx context.Context, id string) (profile.Key, error) {
	key, err := f.vault.Find(ctx, id)
	if !errors.Is(err, profile.ErrNoKey) || !f.readNews() {
		return key, err
	}
	return f.vault.Find(ctx, id)
}

// isSame reports the same file, unchanged. The system gives the number of a file
// that was replaced to another one soon.
func isSame(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// readNews reads the file again where it has changed and the module is unlocked,
// and reports whether it did.
func (f *File) readNews() bool {
	f.changing.Lock()
	defer f.changing.Unlock()
	f.mu.RLock()
	opens := f.sealer
	f.mu.RUnlock()
	now, err := os.Stat(f.path)
	if err != nil || opens == nil || f.seen != nil && isSame(f.seen, now) {
		return false
	}
	read, err := f.read()
	if err != nil {
		return false
	}
	s, err := read.open(opens, &f.vault)
	if err != nil {
		return false // it has another passphrase now: the next change says so
	}
	f.useUnlocked(opens, s)
	return true
}

package keyring

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/internal/privatefile"
)

func newMaster(tb testing.TB) *Master {
	tb.Helper()
	master, err := ParseMaster(NewMaster())
	if err != nil {
		tb.Fatal(err)
	}
	return master
}

func openRing(tb testing.TB, dir string, master *Master) *Keyring {
	tb.Helper()
	keys, err := Open(dir, master)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

func activeKey(tb testing.TB, keys *Keyring, profile string) *Key {
	tb.Helper()
	key, err := keys.Active(tb.Context(), profile)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

var plain = []byte("attack at dawn")

// box is something sealed, to see whether a key is the same again.
type box struct {
	profile string
	id      ID
	nonce   []byte
	content []byte
}

func seal(tb testing.TB, keys *Keyring, profile string) box {
	tb.Helper()
	return sealWith(activeKey(tb, keys, profile), profile)
}

func sealWith(key *Key, profile string) box {
	b := box{profile: profile, id: key.ID(), nonce: make([]byte, key.AEAD().NonceSize())}
	_, _ = rand.Read(b.nonce)
	b.content = key.AEAD().Seal(nil, b.nonce, plain, nil)
	return b
}

func (b *box) open(ctx context.Context, keys *Keyring) error {
	key, err := keys.Find(ctx, b.profile, b.id)
	if err != nil {
		return err
	}
	content, err := key.AEAD().Open(nil, b.nonce, b.content, nil)
	if err == nil && !bytes.Equal(content, plain) {
		err = fmt.Errorf("opened as %q", content)
	}
	return err
}

func (b *box) opens(tb testing.TB, keys *Keyring) {
	tb.Helper()
	if err := b.open(tb.Context(), keys); err != nil {
		tb.Errorf("open with key %s of %s: %v", b.id, b.profile, err)
	}
}

func TestKeysAreKept(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	keys := openRing(t, dir, master)
	for _, unused := range []string{dir, filepath.Join(dir, "none"), os.DevNull} {
		if err := CheckUnused(unused); err != nil {
			t.Errorf("%s has no keyring: %v", unused, err)
		}
	}
	acme, other := seal(t, keys, "acme"), seal(t, keys, "other")
	if again := activeKey(t, keys, "acme").ID(); acme.id == other.id || again != acme.id {
		t.Errorf("ids: %s, %s, again %s", acme.id, other.id, again)
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if err := CheckUnused(dir); !errors.Is(err, ErrKeyMissing) || !strings.Contains(err.Error(), FileName) {
		t.Errorf("the keyring is in use: %v", err)
	}
	again := openRing(t, dir, master)
	acme.opens(t, again)
	other.opens(t, again)
	list := again.Profiles()
	if len(list) != 2 || list[0].Profile != "acme" || list[1].Profile != "other" || len(list[0].Keys) != 1 || list[0].Keys[0].ID != acme.id {
		t.Errorf("profiles: %+v", list)
	}
	if _, err := again.Find(t.Context(), "other", acme.id); !errors.Is(err, ErrKeyMissing) {
		t.Errorf("a key of another profile: %v", err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	keys := openRing(t, dir, master)
	before := seal(t, keys, "acme")
	id, err := keys.Rotate(t.Context(), "acme")
	if err != nil || id == before.id {
		t.Fatalf("rotate: %s, %v", id, err)
	}
	for _, keys := range []*Keyring{keys, openRing(t, dir, master)} {
		before.opens(t, keys)
		if active := activeKey(t, keys, "acme").ID(); active != id {
			t.Errorf("key %s is in use, want %s", active, id)
		}
	}
}

func TestRewrap(t *testing.T) {
	t.Parallel()
	dir, master, next := t.TempDir(), newMaster(t), newMaster(t)
	keys := openRing(t, dir, master)
	acme, other := seal(t, keys, "acme"), seal(t, keys, "other")
	if err := keys.Rewrap(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if keys.MasterID() != next.ID() {
		t.Errorf("the master key is %s, want %s", keys.MasterID(), next.ID())
	}
	for _, keys := range []*Keyring{keys, openRing(t, dir, next)} {
		acme.opens(t, keys)
		other.opens(t, keys)
	}
	_, err := Open(dir, master)
	if !errors.Is(err, ErrWrongKey) || !strings.Contains(err.Error(), master.ID()) || !strings.Contains(err.Error(), next.ID()) {
		t.Errorf("with the old key: %v, want both named", err)
	}
}

func TestShred(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	keys := openRing(t, dir, master)
	acme, other := seal(t, keys, "acme"), seal(t, keys, "other")
	if _, err := keys.Rotate(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	if n, err := keys.Shred(t.Context(), "acme"); n != 2 || err != nil {
		t.Fatalf("shred: %d keys, %v", n, err)
	}
	if n, err := keys.Shred(t.Context(), "acme"); n != 0 || err != nil {
		t.Errorf("shred again: %d keys, %v", n, err)
	}
	seal(t, keys, "acme") // has a new key
	for _, keys := range []*Keyring{keys, openRing(t, dir, master)} {
		if err := acme.open(t.Context(), keys); !errors.Is(err, ErrKeyMissing) {
			t.Errorf("what was shredded: %v", err)
		}
		other.opens(t, keys)
	}
}

// TestTwoProcesses: each finds what the other made, and neither's keys are lost.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	first, second := openRing(t, dir, master), openRing(t, dir, master)
	boxes := make([]box, 20)
	var workers sync.WaitGroup
	for i := range boxes {
		keys := first
		if i%2 == 1 {
			keys = second
		}
		workers.Go(func() {
			profile := fmt.Sprint("profile", i/4)
			key, err := keys.Active(t.Context(), profile)
			if err != nil {
				t.Error(err)
				return
			}
			boxes[i] = sealWith(key, profile)
		})
	}
	workers.Wait()
	if t.Failed() {
		return
	}
	for i := range boxes {
		boxes[i].opens(t, first)
		boxes[i].opens(t, second)
		boxes[i].opens(t, openRing(t, dir, master))
		if boxes[i].id != boxes[i/4*4].id {
			t.Errorf("profile %d has two keys", i/4)
		}
	}
	if err := first.Rewrap(t.Context(), newMaster(t)); err != nil {
		t.Fatal(err)
	}
	boxes[0].opens(t, second) // it knows the key
	if _, err := second.Active(t.Context(), "new"); !errors.Is(err, ErrWrongKey) {
		t.Errorf("a new key under a master key that is no longer: %v", err)
	}
}

// TestCrash: whatever a crash left beside the file, the keyring is as it was, and
// the next change is made.
func TestCrash(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]func(content []byte) []byte{
		"nothing written":   func([]byte) []byte { return nil },
		"half written":      func(content []byte) []byte { return content[:len(content)/2] },
		"written, no name":  func(content []byte) []byte { return content },
		"of another master": func([]byte) []byte { return []byte(`{"version":1,"master":"0000000000000000","profiles":{}}`) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, master := t.TempDir(), newMaster(t)
			path := filepath.Join(dir, FileName)
			acme := seal(t, openRing(t, dir, master), "acme")
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := openRing(t, dir, master).Rotate(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
			after, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for file, content := range map[string][]byte{path: before, path + privatefile.TempSuffix: left(after)} {
				if err := os.WriteFile(file, content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			keys := openRing(t, dir, master)
			acme.opens(t, keys)
			if active := activeKey(t, keys, "acme").ID(); active != acme.id {
				t.Errorf("key %s is in use, which was never made", active)
			}
			other := seal(t, keys, "other")
			again := openRing(t, dir, master)
			acme.opens(t, again)
			other.opens(t, again)
			if _, err := os.Stat(path + privatefile.TempSuffix); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the temporary file is left: %v", err)
			}
		})
	}
}

// TestNoRoom: a change that cannot be written is not in force.
func TestNoRoom(t *testing.T) {
	t.Parallel()
	dir, master := filepath.Join(t.TempDir(), "missing"), newMaster(t)
	keys := openRing(t, dir, master)
	if key, err := keys.Active(t.Context(), "acme"); err == nil || key != nil {
		t.Fatalf("a key was made in a directory that is not there: %v", key)
	}
	if list := keys.Profiles(); len(list) != 0 {
		t.Errorf("profiles: %v", list)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	acme := seal(t, keys, "acme")
	acme.opens(t, openRing(t, dir, master))
}

func TestFileIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := openRing(t, dir, newMaster(t))
	acme := seal(t, keys, "acme")
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	acme.opens(t, keys)
	if _, err := keys.Find(t.Context(), "acme", ID{1}); err == nil || errors.Is(err, ErrKeyMissing) {
		t.Errorf("a keyring that is gone says nothing of what is in it: %v", err)
	}
	if _, err := keys.Active(t.Context(), "other"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a keyring that is gone was begun anew: %v", err)
	}
}

func TestFileModes(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	seal(t, openRing(t, dir, master), "acme")
	path := filepath.Join(dir, FileName)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, master); !errors.Is(err, ErrExposed) || !strings.Contains(err.Error(), path) {
		t.Errorf("a keyring that others may read: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	keys := openRing(t, t.TempDir(), newMaster(t))
	if _, err := Open("", newMaster(t)); err == nil {
		t.Error("no directory was taken")
	}
	if _, err := Open(t.TempDir(), nil); err == nil {
		t.Error("no master key was taken")
	}
	if err := keys.Rewrap(t.Context(), nil); err == nil {
		t.Error("rewrapped with nothing")
	}
	if _, err := keys.Active(t.Context(), "\xff"); err == nil {
		t.Error("a profile that JSON cannot name was taken")
	}
	keys.writing <- struct{}{}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := keys.Active(cancelled, "acme"); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting was not given up: %v", err)
	}
	<-keys.writing
}

// TestDamage: with any byte of the file changed, it is refused or its keys are as
// they were.
func TestDamage(t *testing.T) {
	t.Parallel()
	dir, master := t.TempDir(), newMaster(t)
	keys := openRing(t, dir, master)
	acme, other := seal(t, keys, "acme"), seal(t, keys, "other")
	path := filepath.Join(dir, FileName)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for i := range content {
		for _, flip := range []byte{1, 0x20, 0x80} {
			damaged := bytes.Clone(content)
			damaged[i] ^= flip
			if err := os.WriteFile(path, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			keys, err := Open(dir, master)
			if err != nil {
				refused++
				continue
			}
			acme.opens(t, keys)
			other.opens(t, keys)
		}
	}
	if refused < len(content) {
		t.Errorf("only %d of %d changes were refused", refused, 3*len(content))
	}
}

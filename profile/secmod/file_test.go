package secmod

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/privatefile"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// TestFileKeeps: keys, numbers and counters are there after a restart.
func TestFileKeeps(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	m := opened(t, fileAt(t, path))
	var keys []Key
	for _, of := range allTypes {
		keys = append(keys, created(t, m, of))
	}
	named, err := NewKey(profile.X25519, "did:example:bob#key-1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.AddKey(t.Context(), named); err != nil {
		t.Fatal(err)
	}
	if _, err := m.IncrementCounter(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	lastNo := created(t, m, profile.Ed25519)
	no, _ := lastNo.No()
	if err := errors.Join(m.DeleteKey(t.Context(), no), m.Close(t.Context())); err != nil {
		t.Fatal(err)
	}

	again := opened(t, fileAt(t, path))
	if again.Len() != len(keys)+1 {
		t.Errorf("there are %d keys, want %d", again.Len(), len(keys)+1)
	}
	for _, old := range keys {
		oldNo, _ := old.No()
		k, err := again.Key(oldNo)
		if err != nil || k.ID() != old.ID() || k.Type() != old.Type() || !bytes.Equal(k.PublicKey(), old.PublicKey()) {
			t.Errorf("key %d is %v, %v; want %v", oldNo, k, err, old)
			continue
		}
		checkSigning(t, k)
		checkAgreement(t, k)
	}
	if _, err := again.Find(t.Context(), "did:example:bob#key-1"); err != nil {
		t.Error(err)
	}
	if n, err := again.Counter(t.Context(), 3); err != nil || n != 1 {
		t.Errorf("the counter is %d, %v; want 1", n, err)
	}
	if newNo, _ := created(t, again, profile.Ed25519).No(); newNo <= no {
		t.Errorf("number %d was used again", newNo)
	}
	content, err := os.ReadFile(path)
	if err != nil || bytes.Contains(content, []byte(passphrase.Reveal())) {
		t.Errorf("the file holds the passphrase, or %v", err)
	}
}

// TestTwoProcesses: each change begins with what the other has made.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	one, two := opened(t, fileAt(t, path)), opened(t, fileAt(t, path))
	a, b := created(t, one, profile.Ed25519), created(t, two, profile.Ed25519)
	aNo, _ := a.No()
	bNo, _ := b.No()
	if aNo == bNo || two.Len() != 2 {
		t.Errorf("the keys have the numbers %d and %d, and the second knows %d", aNo, bNo, two.Len())
	}
	if found, err := one.Find(t.Context(), b.ID()); err != nil || found.ID() != b.ID() || one.Len() != 2 {
		t.Errorf("the first does not find what the second has made: %v", err)
	}
	if _, err := one.Find(t.Context(), "nobody"); !errors.Is(err, profile.ErrNoKey) {
		t.Errorf("nobody: %v, want ErrNoKey", err)
	}
	for want := uint64(1); want <= 4; want++ {
		m := []Module{one, two}[want%2]
		if got, err := m.IncrementCounter(t.Context(), 1); err != nil || got != want {
			t.Errorf("incremented to %d, %v; want %d", got, err, want)
		}
	}
}

func TestFileRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	missing, err := NewFile(filepath.Join(dir, "missing"), FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := missing.Open(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want ErrNotExist", err)
	}
	path := filepath.Join(dir, "keys.json")
	m := opened(t, fileAt(t, path))
	created(t, m, profile.Ed25519)
	if err := m.Unlock(t.Context(), transport.Secret{}); !errors.Is(err, ErrPassphrase) {
		t.Errorf("an empty passphrase: %v, want ErrPassphrase", err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fileAt(t, path).Open(t.Context()); !errors.Is(err, privatefile.ErrExposed) {
		t.Errorf("a file that others read: %v, want ErrExposed", err)
	}
	for name, cost := range map[string]Cost{"no lanes": {MemoryKiB: 64, Passes: 1}, "too much memory": {MemoryKiB: 2 << 20, Passes: 1, Lanes: 1}, "no passes": {MemoryKiB: 64, Lanes: 1}} {
		if _, err := NewFile(path, FileOptions{Cost: cost}); err == nil {
			t.Errorf("%s: the cost was taken", name)
		}
	}
	if _, err := NewFile("", FileOptions{}); err == nil {
		t.Error("an empty path was taken")
	}
}

// TestTamperedFile changes one part of a file at a time.
func TestTamperedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	m := opened(t, fileAt(t, path))
	created(t, m, profile.Ed25519)
	created(t, m, profile.X25519)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(d *document){
		"next number":    func(d *document) { d.Next++ },
		"id":             func(d *document) { d.Keys[0].ID = "other" },
		"public half":    func(d *document) { d.Keys[0].Public = d.Keys[1].Public },
		"a key less":     func(d *document) { d.Keys = d.Keys[:1] },
		"a key twice":    func(d *document) { d.Keys[1].ID = d.Keys[0].ID },
		"a large number": func(d *document) { d.Keys[0].No = d.Next },
		"sealed part":    func(d *document) { d.Sealed[len(d.Sealed)-1] ^= 1 },
		"sealed, short":  func(d *document) { d.Sealed = d.Sealed[:10] },
		"salt":           func(d *document) { d.Salt[0] ^= 1 },
		"salt, short":    func(d *document) { d.Salt = d.Salt[1:] },
		"cost":           func(d *document) { d.Cost.Passes++ },
		"a bomb":         func(d *document) { d.Cost.MemoryKiB = 1 << 31 },
		"version":        func(d *document) { d.Version++ },
	} {
		var d document
		if err := json.Unmarshal(whole, &d); err != nil {
			t.Fatal(err)
		}
		change(&d)
		content, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		checkRefused(t, name, content)
	}
	for _, n := range []int{0, 1, len(whole) / 2, len(whole) - 3} {
		checkRefused(t, "cut short", whole[:n])
	}
	checkRefused(t, "twice", append(bytes.Clone(whole), whole...))
	checkRefused(t, "an unknown member", bytes.Replace(whole, []byte(`"salt"`), []byte(`"more": 1, "salt"`), 1))
}

func checkRefused(t *testing.T, name string, content []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	f := fileAt(t, path)
	err := f.Open(t.Context())
	if err == nil {
		err = f.Unlock(t.Context(), passphrase)
	}
	if err == nil || !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrPassphrase) && !strings.Contains(err.Error(), "version") {
		t.Errorf("%s: %v, want ErrDamaged or ErrPassphrase", name, err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, content) {
		t.Errorf("%s: the file was changed: %v", name, err)
	}
}

// TestFailedChangeChangesNothing: where the file cannot be written, the module goes
// on as before.
func TestFailedChangeChangesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys.json")
	m := opened(t, fileAt(t, path))
	k := created(t, m, profile.Ed25519)
	if err := os.Mkdir(path+privatefile.TempSuffix, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path+privatefile.TempSuffix, "in the way"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.CreateKey(t.Context(), profile.Ed25519); err == nil {
		t.Error("a key was created without a file")
	}
	if n, err := m.IncrementCounter(t.Context(), 1); err == nil {
		t.Errorf("a counter was incremented to %d without a file", n)
	}
	if _, err := k.Sign(t.Context(), nil); err != nil || m.Len() != 1 {
		t.Errorf("afterwards there are %d keys, %v", m.Len(), err)
	}
}

func FuzzDocument(f *testing.F) {
	path := filepath.Join(f.TempDir(), "keys.json")
	m, err := NewFile(path, FileOptions{Create: true, Cost: cheap})
	if err == nil {
		err = errors.Join(m.Open(f.Context()), m.Unlock(f.Context(), passphrase))
	}
	if err == nil {
		_, err = m.CreateKey(f.Context(), profile.P256)
	}
	if err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(`{"version":1,"argon2id":{"memory_kib":64,"passes":1,"lanes":1},"salt":"AAAAAAAAAAAAAAAAAAAAAA==","next":2,"keys":[{"no":1,"type":"eth","id":"x","public":"BA=="}],"sealed":""}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parseDocument(content)
		if err != nil {
			return
		}
		if _, err := d.publicState(&m.vault); err != nil && !errors.Is(err, ErrDamaged) {
			t.Error(err)
		}
	})
}

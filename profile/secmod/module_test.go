package secmod

import (
	"bytes"
	"context"
	"crypto/ecdh"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// cheap is what a passphrase costs in tests.
var cheap = Cost{MemoryKiB: 64, Passes: 1, Lanes: 1}

var passphrase = transport.NewSecret("correct horse")

var allTypes = []profile.KeyType{profile.Ed25519, profile.Ethereum, profile.X25519, profile.P256, profile.P384, profile.P521}

func newMemory(t *testing.T) Module {
	t.Helper()
	return NewMemory(MemoryOptions{Passphrase: passphrase})
}

func newFileModule(t *testing.T) Module {
	t.Helper()
	return fileAt(t, filepath.Join(t.TempDir(), "keys.json"))
}

func fileAt(t *testing.T, path string) *File {
	t.Helper()
	f, err := NewFile(path, FileOptions{Create: true, Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// opened returns the module, open and unlocked until the end of the test.
func opened(t *testing.T, m Module) Module {
	t.Helper()
	if err := m.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if m.CanLock() {
		if err := m.Unlock(t.Context(), passphrase); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// eachModule runs a test of the contract on each kind.
func eachModule(t *testing.T, test func(t *testing.T, m Module)) {
	t.Helper()
	for name, newModule := range map[string]func(*testing.T) Module{"memory": newMemory, "file": newFileModule} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newModule(t))
		})
	}
}

func created(t *testing.T, m Module, of profile.KeyType) Key {
	t.Helper()
	no, err := m.CreateKey(t.Context(), of)
	if err != nil {
		t.Fatal(err)
	}
	k, err := m.Key(no)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysSignAndAgree(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, m Module) {
		opened(t, m)
		for _, of := range allTypes {
			k := created(t, m, of)
			if k.Type() != of || k.Module() != m || k.CanSign() != (of != profile.X25519) {
				t.Errorf("%s: key is %v of %v, can sign %v", of, k.Type(), k.Module(), k.CanSign())
			}
			checkSigning(t, k)
			checkAgreement(t, k)
		}
		if m.Len() != len(allTypes) {
			t.Errorf("there are %d keys, want %d", m.Len(), len(allTypes))
		}
	})
}

func checkSigning(t *testing.T, k Key) {
	t.Helper()
	data := []byte("some data")
	signature, err := k.Sign(t.Context(), data)
	if k.Type() == profile.X25519 {
		if !errors.Is(err, profile.ErrKeyUse) {
			t.Errorf("%s signs: %v, want ErrKeyUse", k.Type(), err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Verify(t.Context(), data, signature); err != nil {
		t.Errorf("%s: %v", k.Type(), err)
	}
	if public, err := k.Recover(t.Context(), data, signature); err != nil || !bytes.Equal(public, k.PublicKey()) {
		t.Errorf("%s: recovered %x, %v", k.Type(), public, err)
	}
	alone, err := NewPublicKey(k.Type(), "", k.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := alone.Verify(t.Context(), data, signature); err != nil || alone.CanSign() {
		t.Errorf("%s: the public half alone: %v, can sign %v", k.Type(), err, alone.CanSign())
	}
	if _, err := alone.Sign(t.Context(), data); !errors.Is(err, profile.ErrKeyUse) {
		t.Errorf("%s: the public half signs: %v", k.Type(), err)
	}
	for name, changed := range map[string][]byte{"changed": append([]byte{signature[0] ^ 1}, signature[1:]...), "short": signature[1:], "empty": nil, "long": append(slices.Clone(signature), 0)} {
		if err := k.Verify(t.Context(), data, changed); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %s signature: %v, want ErrSignature", k.Type(), name, err)
		}
	}
	if err := k.Verify(t.Context(), []byte("other data"), signature); !errors.Is(err, ErrSignature) {
		t.Errorf("%s: other data: %v, want ErrSignature", k.Type(), err)
	}
}

func checkAgreement(t *testing.T, k Key) {
	t.Helper()
	mine, err := k.Exchanger()
	if k.Type() == profile.Ethereum {
		if !errors.Is(err, profile.ErrKeyUse) {
			t.Errorf("%s agrees: %v, want ErrKeyUse", k.Type(), err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	peer, err := mine.Curve().GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	one, err1 := mine.ECDH(peer.PublicKey())
	two, err2 := peer.ECDH(mine.PublicKey())
	if err := errors.Join(err1, err2); err != nil || !bytes.Equal(one, two) {
		t.Errorf("%s: the sides do not agree: %v", k.Type(), err)
	}
	zero := make([]byte, 32)
	if low, err := ecdh.X25519().NewPublicKey(zero); err == nil && mine.Curve() == ecdh.X25519() {
		if _, err := mine.ECDH(low); err == nil {
			t.Errorf("%s agrees with a point of small order", k.Type())
		}
	}
}

func TestLockAndClose(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, m Module) {
		if _, err := m.CreateKey(t.Context(), profile.Ed25519); !errors.Is(err, ErrClosed) {
			t.Errorf("before Open: %v, want ErrClosed", err)
		}
		opened(t, m)
		k := created(t, m, profile.Ed25519)
		data := []byte("data")
		signature, err := k.Sign(t.Context(), data)
		if err != nil {
			t.Fatal(err)
		}
		exchanger, err := k.Exchanger()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Lock(t.Context()); err != nil || !m.IsLocked() {
			t.Fatalf("Lock: %v", err)
		}
		_, signErr := k.Sign(t.Context(), data)
		_, agreeErr := exchanger.ECDH(exchanger.PublicKey())
		_, createErr := m.CreateKey(t.Context(), profile.Ed25519)
		_, countErr := m.IncrementCounter(t.Context(), 1)
		for name, err := range map[string]error{"Sign": signErr, "ECDH": agreeErr, "CreateKey": createErr, "IncrementCounter": countErr} {
			if !errors.Is(err, ErrLocked) {
				t.Errorf("%s while locked: %v, want ErrLocked", name, err)
			}
		}
		found, err := m.Find(t.Context(), k.ID())
		if err != nil || found.ID() != k.ID() {
			t.Errorf("Find while locked: %v, %v", found, err)
		}
		if err := k.Verify(t.Context(), data, signature); err != nil {
			t.Errorf("Verify while locked: %v", err)
		}
		if err := m.Unlock(t.Context(), transport.NewSecret("wrong")); !errors.Is(err, ErrPassphrase) || !m.IsLocked() {
			t.Errorf("a wrong passphrase: %v, want ErrPassphrase", err)
		}
		if err := m.Unlock(t.Context(), passphrase); err != nil {
			t.Fatal(err)
		}
		if _, err := k.Sign(t.Context(), data); err != nil {
			t.Errorf("after Unlock: %v", err)
		}
		if err := m.Close(t.Context()); err != nil || m.IsOpen() {
			t.Fatalf("Close: %v", err)
		}
		if _, err := k.Sign(t.Context(), data); !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}

// TestNumbersAreNotUsedAgain: autobahn's count of keys gave a new key the number of
// another, once one was deleted.
func TestNumbersAreNotUsedAgain(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, m Module) {
		opened(t, m)
		first, second := created(t, m, profile.Ed25519), created(t, m, profile.Ed25519)
		no, _ := second.No()
		if err := m.DeleteKey(t.Context(), no); err != nil {
			t.Fatal(err)
		}
		third := created(t, m, "ethereum")
		if again, _ := third.No(); again == no {
			t.Errorf("number %d was used again", again)
		}
		if _, err := second.Sign(t.Context(), nil); !errors.Is(err, profile.ErrNoKey) {
			t.Errorf("a deleted key signs: %v, want ErrNoKey", err)
		}
		for _, err := range []error{m.DeleteKey(t.Context(), no), func() error { _, err := m.Key(no); return err }()} {
			if !errors.Is(err, profile.ErrNoKey) {
				t.Errorf("the deleted key: %v, want ErrNoKey", err)
			}
		}
		firstNo, _ := first.No()
		replacement, err := NewKey(profile.P256, "mine")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetKey(t.Context(), firstNo, replacement); err != nil {
			t.Fatal(err)
		}
		if found, err := m.Find(t.Context(), "mine"); err != nil || found.Type() != profile.P256 {
			t.Errorf("what was set is %v, %v", found, err)
		}
		if _, err := m.Find(t.Context(), first.ID()); !errors.Is(err, profile.ErrNoKey) {
			t.Errorf("what was replaced: %v, want ErrNoKey", err)
		}
		if _, err := m.AddKey(t.Context(), replacement); !errors.Is(err, ErrDuplicate) {
			t.Errorf("the same key twice: %v, want ErrDuplicate", err)
		}
		for no, k := range m.All() {
			if got, _ := k.No(); got != no {
				t.Errorf("key %d says it is %d", no, got)
			}
		}
	})
}

// TestFind: a key is found by each of its names.
func TestFind(t *testing.T) {
	t.Parallel()
	m := opened(t, newMemory(t))
	ed, eth := created(t, m, "cryptosign"), created(t, m, profile.Ethereum)
	base := baseOf(ed)
	names := append(base.names(), "did:key:"+ed.ID(), "did:key:"+ed.ID()+"#"+ed.ID(), "did:key:"+ed.ID()+"#"+base.names()[3])
	for _, name := range names {
		if found, err := m.Find(t.Context(), name); err != nil || found.ID() != ed.ID() {
			t.Errorf("Find(%q) = %v, %v", name, found, err)
		}
	}
	address := eth.(EthereumKey).Address().String() //nolint:forcetypeassert // of that type
	if found, err := m.Find(t.Context(), address); err != nil || found.ID() != eth.ID() {
		t.Errorf("Find(%q) = %v, %v", address, found, err)
	}
	for _, name := range []string{"", "did:key:", "did:key:z6Mk", "other"} {
		if _, err := m.Find(t.Context(), name); !errors.Is(err, profile.ErrNoKey) {
			t.Errorf("Find(%q): %v, want ErrNoKey", name, err)
		}
	}
}

func TestCountersAndRandom(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, m Module) {
		opened(t, m)
		for want := range uint64(3) {
			if got, err := m.Counter(t.Context(), 7); err != nil || got != want {
				t.Errorf("counter is %d, %v; want %d", got, err, want)
			}
			if got, err := m.IncrementCounter(t.Context(), 7); err != nil || got != want+1 {
				t.Errorf("incremented to %d, %v; want %d", got, err, want+1)
			}
		}
		if _, err := m.IncrementCounter(t.Context(), -1); err == nil {
			t.Error("a negative counter was incremented")
		}
		one, err1 := m.Random(t.Context(), 32)
		two, err2 := m.Random(t.Context(), 32)
		if err := errors.Join(err1, err2); err != nil || len(one) != 32 || bytes.Equal(one, two) {
			t.Errorf("random bytes are %x and %x, %v", one, two, err)
		}
		for _, n := range []int{-1, MaxRandom + 1} {
			if _, err := m.Random(t.Context(), n); err == nil {
				t.Errorf("%d random bytes were given", n)
			}
		}
	})
}

func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	eachModule(t, func(t *testing.T, m Module) {
		opened(t, m)
		k := created(t, m, profile.Ed25519)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 4 {
					if _, err := m.IncrementCounter(t.Context(), 1); err != nil {
						t.Error(err)
					}
					if _, err := k.Sign(t.Context(), []byte("data")); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if n, err := m.Counter(t.Context(), 1); err != nil || n != 32 {
			t.Errorf("the counter is %d, %v; want 32", n, err)
		}
	})
}

func TestMemoryWithoutPassphrase(t *testing.T) {
	t.Parallel()
	m := opened(t, NewMemory(MemoryOptions{}))
	if m.CanLock() || m.IsLocked() {
		t.Error("a module without a passphrase locks")
	}
	for _, err := range []error{m.Lock(t.Context()), m.Unlock(t.Context(), passphrase)} {
		if !errors.Is(err, ErrNoLock) {
			t.Errorf("error is %v, want ErrNoLock", err)
		}
	}
	if k := created(t, m, profile.Ed25519); k.Module() != m {
		t.Error("the key has another module")
	}
}

// TestKeyMaterialDoesNotShow prints modules and keys in every way, and looks for
// the bytes of the private halves.
func TestKeyMaterialDoesNotShow(t *testing.T) {
	t.Parallel()
	secret := []byte("canary-canary-canary-canary-cana")
	forms := []string{"canary", fmt.Sprintf("%x", secret[:12]), fmt.Sprintf("%X", secret[:12]), strings.Trim(fmt.Sprintf("%d", secret[:12]), "[]"), "Y2FuYXJ5", passphrase.Reveal(), hex.EncodeToString([]byte(passphrase.Reveal()))}
	eachModule(t, func(t *testing.T, m Module) {
		opened(t, m)
		values := []any{m}
		for _, of := range []profile.KeyType{profile.Ed25519, profile.Ethereum, profile.X25519, profile.P256} {
			own, err := ParseKey(of, "", transport.NewSecret(fmt.Sprintf("%x", secret)))
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, own, baseOf(own))
			no, err := m.AddKey(t.Context(), own)
			if err != nil {
				t.Fatal(err)
			}
			k, err := m.Key(no)
			if err != nil {
				t.Fatal(err)
			}
			values = append(values, k, baseOf(k))
		}
		for _, value := range append(values, struct{ inner any }{m}, slices.Collect(maps.Keys(map[any]int{values[1]: 1}))) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
				text := fmt.Sprintf(verb, value)
				for _, form := range forms {
					if strings.Contains(text, form) {
						t.Errorf("%s of %T shows a private half", verb, value)
					}
				}
			}
		}
	})
}

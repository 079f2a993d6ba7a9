package keyring

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func someKey() []byte {
	key := make([]byte, keySize)
	for i := range key {
		key[i] = byte(251 - 7*i) // has both of the characters in which base64's alphabets differ
	}
	return key
}

func TestParseMaster(t *testing.T) {
	t.Parallel()
	key := someKey()
	want, err := ParseMaster(transport.NewSecret(hex.EncodeToString(key)))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"hex with white space": " \t" + hex.EncodeToString(key) + "\r\n", "upper case hex": strings.ToUpper(hex.EncodeToString(key)),
		"base64": base64.StdEncoding.EncodeToString(key), "base64 without padding": base64.RawStdEncoding.EncodeToString(key),
		"base64 for URLs": base64.URLEncoding.EncodeToString(key), "that without padding": base64.RawURLEncoding.EncodeToString(key),
	} {
		got, err := ParseMaster(transport.NewSecret(text))
		if err != nil || got.ID() != want.ID() {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "", "a word": "secretword", "too short": hex.EncodeToString(key[:31]), "too long": hex.EncodeToString(key) + "00",
		"no hex": strings.Repeat("g", 64), "zeros": strings.Repeat("0", 64), "base64 with bits left over": base64.RawStdEncoding.EncodeToString(key)[:42] + "/",
	} {
		_, err := ParseMaster(transport.NewSecret(text))
		if err == nil {
			t.Errorf("%s was taken", name)
		} else if len(text) > 8 && strings.Contains(err.Error(), text[:8]) {
			t.Errorf("%s: the error repeats the text: %v", name, err)
		}
	}
}

func TestMasterID(t *testing.T) {
	t.Parallel()
	first, second := newMaster(t), newMaster(t)
	if first.ID() == second.ID() || len(first.ID()) != 16 {
		t.Errorf("ids of two keys: %s, %s", first.ID(), second.ID())
	}
	key := hex.EncodeToString(someKey())
	master, err := ParseMaster(transport.NewSecret(key))
	if err != nil || strings.Contains(key, master.ID()) {
		t.Errorf("the id %s is part of the key, %v", master.ID(), err)
	}
}

// TestKeysDoNotPrint: what is printed of a key does not have it.
func TestKeysDoNotPrint(t *testing.T) {
	t.Parallel()
	raw := someKey()
	master, err := ParseMaster(transport.NewSecret(hex.EncodeToString(raw)))
	if err != nil {
		t.Fatal(err)
	}
	key, err := newKey(entry{}, raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprintf("%+v %v", master, *master), fmt.Sprintf("%+v %#v %s", *key, *key, key.raw)} {
		for _, form := range []string{string(raw), fmt.Sprintf("%d", raw)[1:20], hex.EncodeToString(raw), fmt.Sprintf("%#v", raw)[8:30]} {
			if strings.Contains(text, form) {
				t.Errorf("a key is printed: %s", text)
			}
		}
	}
}

func TestMasterFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "master.key")
	text := NewMaster()
	if err := WriteMaster(path, text); err != nil {
		t.Fatal(err)
	}
	if err := WriteMaster(path, NewMaster()); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a key was overwritten: %v", err)
	}
	got, err := ReadMaster(path)
	if err != nil || strings.TrimSpace(got.Reveal()) != text.Reveal() {
		t.Errorf("read %v, %v", got, err)
	}
	for mode, open := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o604: true, 0o620: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadMaster(path)
		if errors.Is(err, ErrExposed) != open || err != nil && !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %#o: %v", mode, err)
		}
	}
}

func TestMasterFileIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, content := range map[string]string{"empty": "", "words": "correct horse battery staple", "long": strings.Repeat("a", maxMasterFile+1)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadMaster(path); err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ReadMaster(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

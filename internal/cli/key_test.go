package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// newKeyring makes a master key with the command, and a keyring with keys of two
// profiles under it. It returns their places.
func newKeyring(t *testing.T) (dir, keyFile string) {
	t.Helper()
	dir, keyFile = t.TempDir(), filepath.Join(t.TempDir(), "master.key")
	if got := (shell{}).want(t, ExitOK, "key", "new", "--out", keyFile); !regexp.MustCompile(`^master key [0-9a-f]{16} written to `).MatchString(got.stdout) {
		t.Errorf("key new: %q", got.stdout)
	}
	text, err := keyring.ReadMaster(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"acme", "other"} {
		if _, err := openRing(t, dir, keyFile).Active(t.Context(), profile); err != nil {
			t.Fatal(err)
		}
	}
	if list := (shell{}).want(t, ExitOK, "key", "list", "--dir", dir, "--key-file", keyFile); strings.Contains(list.stdout+list.stderr, text.Reveal()) {
		t.Error("the master key is printed")
	}
	return dir, keyFile
}

func openRing(t *testing.T, dir, keyFile string) *keyring.Keyring {
	t.Helper()
	text, err := keyring.ReadMaster(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.Open(dir, master)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestKeyNew(t *testing.T) {
	t.Parallel()
	got := shell{}.want(t, ExitOK, "key", "new")
	if !regexp.MustCompile(`^[0-9a-f]{64}\n$`).MatchString(got.stdout) || got.stderr != "" {
		t.Errorf("got %q and %q", got.stdout, got.stderr)
	}
	path := filepath.Join(t.TempDir(), "master.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", path)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	if got := (shell{}).want(t, ExitFailure, "key", "new", "--out", path); !strings.Contains(got.stderr, "exists") {
		t.Errorf("a second key: %s", got.stderr)
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Errorf("the key was overwritten, %v", err)
	}
}

func TestKeyNewAsJSON(t *testing.T) {
	t.Parallel()
	var made struct{ Master, Key, File string }
	shell{}.json(t, ExitOK, &made, "key", "new")
	if master, err := keyring.ParseMaster(transport.NewSecret(made.Key)); err != nil || master.ID() != made.Master || made.File != "" {
		t.Errorf("on stdout: %v, master %q, file %q", err, made.Master, made.File)
	}
	made.Key = ""
	path := filepath.Join(t.TempDir(), "master.key")
	shell{}.json(t, ExitOK, &made, "key", "new", "--out", path)
	text, err := keyring.ReadMaster(path)
	if err != nil {
		t.Fatal(err)
	}
	if master, err := keyring.ParseMaster(text); err != nil || master.ID() != made.Master || made.File != path || made.Key != "" {
		t.Errorf("in a file: %v, %+v", err, made)
	}
}

func TestKeyRotate(t *testing.T) {
	t.Parallel()
	dir, keyFile := newKeyring(t)
	var rotated struct{ Profile, Key string }
	shell{}.json(t, ExitOK, &rotated, "key", "rotate", "--profile", "acme", "--dir", dir, "--key-file", keyFile)
	key, err := openRing(t, dir, keyFile).Active(t.Context(), "acme")
	if err != nil || key.ID().String() != rotated.Key || rotated.Profile != "acme" {
		t.Errorf("rotated %+v, in use is %v, %v", rotated, key.ID(), err)
	}
	config := filepath.Join(t.TempDir(), "outrider.yaml")
	if err := os.WriteFile(config, []byte("dir: "+dir+"\nencryption: {key: 'file:"+keyFile+"'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var listed struct {
		Master string
		Keys   []struct {
			Profile, ID, Created string
			InUse                bool `json:"in_use"`
		}
	}
	shell{}.json(t, ExitOK, &listed, "key", "list", "--config", config)
	if len(listed.Keys) != 3 || listed.Keys[0].InUse || !listed.Keys[1].InUse || listed.Keys[1].ID != rotated.Key || listed.Keys[2].Profile != "other" {
		t.Errorf("listed %+v", listed)
	}
}

func TestKeyRewrap(t *testing.T) {
	t.Parallel()
	dir, keyFile := newKeyring(t)
	next := filepath.Join(t.TempDir(), "next.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", next)
	got := shell{}.want(t, ExitOK, "key", "rewrap", "--dir", dir, "--key-file", keyFile, "--new-key-file", next)
	if keys := openRing(t, dir, next); len(keys.Profiles()) != 2 || !strings.Contains(got.stdout, keys.MasterID()) {
		t.Errorf("%d profiles, %s", len(keys.Profiles()), got.stdout)
	}
	if got := (shell{}).want(t, ExitFailure, "key", "list", "--dir", dir, "--key-file", keyFile); !strings.Contains(got.stderr, "wrong master key") {
		t.Errorf("with the old key: %s", got.stderr)
	}
}

func TestKeyShred(t *testing.T) {
	t.Parallel()
	dir, keyFile := newKeyring(t)
	place := []string{"--dir", dir, "--key-file", keyFile}
	shell{}.want(t, ExitUsage, append([]string{"key", "shred", "--profile", "acme"}, place...)...)
	if n := len(openRing(t, dir, keyFile).Profiles()); n != 2 {
		t.Fatalf("%d profiles are left", n)
	}
	var shredded struct {
		Profile string
		Keys    int
	}
	shell{}.json(t, ExitOK, &shredded, append([]string{"key", "shred", "--profile", "acme", "--yes"}, place...)...)
	left := openRing(t, dir, keyFile).Profiles()
	if shredded.Keys != 1 || len(left) != 1 || left[0].Profile != "other" {
		t.Errorf("shredded %+v, left %+v", shredded, left)
	}
}

func TestKeyErrors(t *testing.T) {
	t.Parallel()
	dir, keyFile := newKeyring(t)
	open := filepath.Join(t.TempDir(), "open.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", open)
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	for name, test := range map[string]struct {
		code int
		args []string
		want string
	}{
		"no profile":            {ExitUsage, []string{"rotate", "--dir", dir, "--key-file", keyFile}, "--profile is missing"},
		"unknown profile":       {ExitFailure, []string{"rotate", "--dir", dir, "--key-file", keyFile, "--profile", "amce"}, "acme, other"},
		"no profiles":           {ExitFailure, []string{"rotate", "--dir", empty, "--key-file", keyFile, "--profile", "acme"}, "first message"},
		"nothing to rewrap":     {ExitFailure, []string{"rewrap", "--dir", empty, "--key-file", keyFile, "--new-key-file", keyFile}, "no keys to rewrap"},
		"no new key":            {ExitUsage, []string{"rewrap", "--dir", dir, "--key-file", keyFile}, "outrider key new --out"},
		"new key open":          {ExitFailure, []string{"rewrap", "--dir", dir, "--key-file", keyFile, "--new-key-file", open}, "chmod 600"},
		"key open":              {ExitUsage, []string{"list", "--dir", dir, "--key-file", open}, "chmod 600"},
		"no key":                {ExitFailure, []string{"list", "--dir", dir}, "encryption.key_file"},
		"no key and no keyring": {ExitUsage, []string{"list", "--dir", empty}, "--key-file"},
		"unknown command":       {ExitUsage, []string{"rotat"}, "did you mean rotate?"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shell{}.want(t, test.code, append([]string{"key"}, test.args...)...)
			if !strings.Contains(got.stderr, test.want) {
				t.Errorf("stderr %q, want %q", got.stderr, test.want)
			}
		})
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
		t.Errorf("a keyring was made: %v, %v", entries, err)
	}
}

// TestServeSealed: a daemon with a key seals, and one without does not start.
func TestServeSealed(t *testing.T) {
	t.Parallel()
	box := openInbox(t, receiver.Options{})
	dir, keyFile := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "master.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", keyFile)
	config := filepath.Join(t.TempDir(), "outrider.yaml")
	if err := os.WriteFile(config, []byte("encryption: {key_file: "+keyFile+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh, daemon := startDaemon(t, "--config", config, "--dir", dir)
	sh.want(t, ExitOK, "send", box.url, "-d", "hello", "--wait", "20s")
	if got := box.received(); len(got) != 1 || string(got[0].Payload) != "hello" {
		t.Errorf("received %+v", got)
	}
	if code := daemon.stop(); code != ExitOK {
		t.Errorf("exit code %d: %s", code, daemon.errors())
	}
	if keys := openRing(t, dir, keyFile).Profiles(); len(keys) != 1 {
		t.Errorf("keys: %+v", keys)
	}
	got := shell{}.want(t, ExitFailure, "serve", "--api", "off", "--dir", dir)
	if !strings.Contains(got.stderr, keyring.FileName) || !strings.Contains(got.stderr, "encryption.key_file") {
		t.Errorf("without the key: %s", got.stderr)
	}
}

package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
)

// TestFilesAreTheOwnersInADirectoryOthersSee: systemd makes state directories with
// the mode 0755, at each start. What is in the files stays the owner's.
func TestFilesAreTheOwnersInADirectoryOthersSee(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := start(t, func(c *Config) {
		c.Dir, c.Encryption.Key = dir, keyring.NewMaster()
	})
	b.send(SendRequest{Endpoint: "https://example.com/", Payload: new("x"), NotBefore: later()})
	for _, name := range []string{"queue.db", "queue.db-wal", "queue.db-shm", "queue.lock", "queue.reserve", "keys.json", "keys.json.lock"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 0600", name, info, err)
		}
	}
	if err := checkDir(dir); err != nil {
		t.Errorf("the directory of an agent that runs: %v", err)
	}
	b.stop()
	restored := filepath.Join(dir, "queue.db")
	if err := os.Chmod(restored, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := checkDir(dir); err == nil || !strings.Contains(err.Error(), "chmod 600 "+restored) {
		t.Errorf("others may read the database: %v", err)
	}
}

func TestStateDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvStateDirectory, dir)
	if got, err := DefaultDir(); err != nil || got != dir {
		t.Errorf("default directory is %q, %v; want %q", got, err, dir)
	}
	if err := checkDir(dir); err == nil || !strings.Contains(err.Error(), "StateDirectoryMode=0700") {
		t.Errorf("others may write to systemd's directory: %v", err)
	}
	t.Setenv(EnvStateDirectory, strings.Join([]string{dir, t.TempDir()}, string(filepath.ListSeparator)))
	_, err := New(Config{}, Options{})
	if want := "names 2 directories: say which, such as dir: " + dir; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("two state directories: %v, want %q", err, want)
	}
}

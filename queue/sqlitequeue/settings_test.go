package sqlitequeue

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"3.51.3": true, "3.51.10": true, "3.52.0": true, "4.0.0": true,
		"3.51.2": false, "3.9.99": false, "3.51": false, "": false,
	} {
		if got := atLeast(version, leastSQLite); got != want {
			t.Errorf("%s: %v, want %v", version, got, want)
		}
	}
}

// TestSettingsAreChecked: a connection on which a commit is not durable is not used.
func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"PRAGMA synchronous = NORMAL": "synchronous is 1", "PRAGMA journal_mode = DELETE": "journal_mode is delete",
	} {
		c, err := openDatabase(filepath.Join(t.TempDir(), databaseName))
		must(t, err)
		must(t, c.checkSettings())
		must(t, c.set(setting))
		if err := c.checkSettings(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want that %s", setting, err, want)
		}
		must(t, c.close())
	}
}

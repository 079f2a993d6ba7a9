package sqlitequeue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMigrationsAreNotChanged: a database that was written by any version has the
// schema of a new one once it is opened. Where this fails because the schema was
// changed, it needs a migration, and a golden file of its own.
func TestMigrationsAreNotChanged(t *testing.T) {
	t.Parallel()
	golden := goldens()
	if len(golden) != len(migrations()) {
		t.Fatalf("there are golden files of %d versions, want those of %d", len(golden), len(migrations()))
	}
	want := schemaOf(t, filepath.Join(t.TempDir(), databaseName))
	for i, file := range golden {
		file += ".sql"
		path := filepath.Join(t.TempDir(), databaseName)
		undump(t, file, path)
		if version := rawVersion(t, path); version != i+1 {
			t.Errorf("%s has schema version %d, want %d", file, version, i+1)
		}
		if got := schemaOf(t, path); got != want {
			t.Errorf("%s has, once it is opened:\n%s\na new store has:\n%s", file, got, want)
		}
	}
}

func rawVersion(t *testing.T, path string) (version int) {
	t.Helper()
	rawly(t, path, func(c *conn) {
		n, err := c.number("PRAGMA user_version")
		if err != nil {
			t.Fatal(err)
		}
		version = int(n)
	})
	return version
}

// rawly runs a function on a connection to a file, whatever is in it.
func rawly(t *testing.T, path string, do func(*conn)) {
	t.Helper()
	c, err := connect(path)
	if err != nil {
		t.Fatal(err)
	}
	do(c)
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
}

func script(t *testing.T, path, text string) {
	t.Helper()
	rawly(t, path, func(c *conn) {
		if err := c.script(text); err != nil {
			t.Fatal(err)
		}
	})
}

func schemaOf(t *testing.T, path string) string {
	t.Helper()
	c, err := openDatabase(path)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	if mode, err := c.number("PRAGMA auto_vacuum"); err != nil || mode != 2 {
		t.Errorf("auto_vacuum is %d, want 2 (incremental): %v", mode, err)
	}
	err = c.query("SELECT type, name, sql FROM sqlite_schema ORDER BY type, name", func(v []driver.Value) error {
		_, err := fmt.Fprintln(&all, text(v[0]), text(v[1]), text(v[2]))
		return err
	})
	if err := errors.Join(err, c.close()); err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// TestRefusedFiles: a file that is not for this program is left as it was.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	later := len(migrations()) + 1
	for name, test := range map[string]struct {
		script string
		want   error
		text   string
	}{
		"later version":  {fmt.Sprintf("CREATE TABLE message (x); PRAGMA application_id = %d; PRAGMA user_version = %d", applicationID, later), ErrVersion, fmt.Sprintf("schema version %d, and this program knows those up to %d", later, later-1)},
		"another's id":   {"CREATE TABLE t (x); PRAGMA application_id = 305419896", ErrForeign, "application id 0x12345678"},
		"another's none": {"CREATE TABLE message (x)", ErrForeign, "choose another directory"},
		"another's last": {"CREATE TABLE t (x); PRAGMA user_version = 1", ErrForeign, "another program's database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, databaseName)
			script(t, path, test.script)
			before := fileSum(t, path)
			_, err := Open(t.Context(), dir, Options{})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v, want %v with %q and the directory", err, test.want, test.text)
			}
			if fileSum(t, path) != before {
				t.Error("the file was changed")
			}
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			store, err := Open(t.Context(), dir, Options{})
			if err != nil {
				t.Fatalf("the directory was kept locked: %v", err)
			}
			if err := store.Close(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestNoDatabase: a file that is no database is not overwritten.
func TestNoDatabase(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, databaseName)
	if err := os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	before := fileSum(t, path)
	if _, err := Open(t.Context(), dir, Options{}); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("got %v", err)
	}
	if fileSum(t, path) != before {
		t.Error("the file was changed")
	}
}

func fileSum(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

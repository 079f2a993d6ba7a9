package privatefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func TestReplaceAndRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path+TempSuffix, []byte("left over from a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"one", "two"} {
		if err := Replace(path, []byte(content)); err != nil {
			t.Fatal(err)
		}
		if got, _, err := Read(path, 3); err != nil || string(got) != content {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if _, err := os.Stat(path + TempSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary file is left: %v", err)
	}
	if _, _, err := Read(path, 2); err == nil {
		t.Error("a file longer than its limit was read")
	}
	if err := Create(path, []byte("three")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a file: %v, want ErrExist", err)
	}
}

func TestReadRefusesWhatOthersMayRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("key"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Read(path, 10); !errors.Is(err, ErrExposed) {
		t.Errorf("error is %v, want ErrExposed", err)
	}
}

func TestCheckDir(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		dir, file fs.FileMode
		want      string // in the error; empty: none
	}{
		{"the owner's alone", 0o700, 0o644, ""},
		{"others may look into it", 0o755, 0o600, ""},
		{"others may enter it, and read a file", 0o711, 0o604, "chmod 600 "},
		{"the group may look into it, and read a file", 0o750, 0o640, "chmod 600 "},
		{"the group may write to it", 0o770, 0o600, "chmod 700 "},
		{"others may write to it", 0o702, 0o600, "chmod 700 "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			err := errors.Join(
				os.WriteFile(path, nil, 0o600), os.Chmod(path, test.file),
				os.Mkdir(filepath.Join(dir, "below"), 0o755),
				os.Symlink("nowhere", filepath.Join(dir, "link")), os.Chmod(dir, test.dir))
			if err != nil {
				t.Fatal(err)
			}
			err = CheckDir(dir)
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want+dir)) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
		})
	}
}

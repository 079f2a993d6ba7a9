//go:build unix

package privatefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// checkMode refuses a file that others may read or write.
func checkMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %#o: run chmod 600 %s", ErrExposed, path, mode, path)
	}
	return nil
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	switch mode := info.Mode().Perm(); {
	case mode&0o022 != 0:
		return fmt.Errorf("others may write to %s (mode %#o): run chmod 700 %s", dir, mode, dir)
	case mode&0o055 != 0:
		return checkFiles(dir)
	}
	return nil
}

// checkFiles refuses a directory with a file that others may read or write.
func checkFiles(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		info, err := os.Stat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist): // a link to nowhere
		case err != nil:
			return err
		case info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0:
			return fmt.Errorf("%s is open to others (mode %#o), and so is its directory: run chmod 600 %s", path, info.Mode().Perm(), path)
		}
	}
	return nil
}

// syncDir has the disk know the names in a directory.
func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // the operator names the directory
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

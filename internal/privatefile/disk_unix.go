//go:build unix

package privatefile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// checkMode refuses a file that others may read or write.
func checkMode(path string, info fs.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %#o: run chmod 600 %s", ErrExposed, path, mode, path)
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

//go:build unix

package sqlitequeue

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// syncNames has the disk know the name of a directory, and the names of those above
// it: one that was just made would be gone after a power failure, with all that was
// synced in it. What this process may not read it has not made.
func syncNames(dir string) error {
	for above := filepath.Dir(dir); above != dir; dir, above = above, filepath.Dir(above) {
		file, err := os.Open(above) //nolint:gosec // the operator names the directory
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil && !cannotSync(err) {
			return err
		}
	}
	return nil
}

// cannotSync reports whether an error says that a file system does not sync
// directories, or is never written.
func cannotSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EROFS)
}

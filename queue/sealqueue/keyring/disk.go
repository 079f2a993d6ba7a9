package keyring

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// privateMode is the mode of every file here: the owner reads and writes.
const privateMode fs.FileMode = 0o600

// Files beside the keyring: where a new one is written, and which is locked
// meanwhile. Both may be left over from a crash, and mean nothing then.
const (
	tempSuffix = ".tmp"
	lockSuffix = ".lock"
)

// replaceFile puts a file in the place of another, so that after a crash there is
// the one or the other, whole. The temporary file has one name, so that crashes
// leave one at most; who calls has the lock.
func replaceFile(path string, content []byte) error {
	temp := path + tempSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, privateMode) //nolint:gosec // in the operator's directory
	if err != nil {
		return err
	}
	if err := fill(f, content); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return &unsureError{err}
	}
	return nil
}

// fill writes a new file through to the disk and closes it.
func fill(f *os.File, content []byte) error {
	_, err := f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// unsureError says that a file was replaced, and that it is not known whether the
// disk has that.
type unsureError struct{ err error }

func (e *unsureError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *unsureError) Unwrap() error { return e.err }

package privatefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrExposed is returned for a file that others than its owner may read.
var ErrExposed = errors.New("file with keys is open to others")

// mode600 is the mode of every file here: the owner reads and writes.
const mode600 fs.FileMode = 0o600

// Files beside the one that matters: where a new one is written, and which is locked
// meanwhile. Both may be left over from a crash, and mean nothing then.
const (
	TempSuffix = ".tmp"
	lockSuffix = ".lock"
)

// Replace puts a file in the place of another, so that after a crash there is
// the one or the other, whole. The temporary file has one name, so that crashes
// leave one at most; who calls has the lock.
func Replace(path string, content []byte) error {
	temp := path + TempSuffix
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(temp, content); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return errors.Join(err, os.Remove(temp))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return &UnsureError{err}
	}
	return nil
}

// Create writes a new file. It never overwrites one: the error is then fs.ErrExist.
func Create(path string, content []byte) error {
	if err := writeNew(path, content); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Read reads a file of limited size that is closed to others, else [ErrExposed].
func Read(path string, limit int64) (content []byte, info fs.FileInfo, err error) {
	f, err := os.Open(path) //nolint:gosec // the operator names the file, or its directory
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if err := checkMode(path, info); err != nil {
		return nil, nil, err
	}
	content, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is longer than %d bytes", path, limit)
	}
	return content, info, err
}

// CheckDir refuses a directory in which files are not their owner's alone: one that
// others may write to, and one that they may look into while a file in it is open to
// them. The names and sizes of files are no secret.
func CheckDir(dir string) error { return checkDir(dir) }

// writeNew writes a file that is not there yet through to the disk. What it cannot
// write whole it removes.
func writeNew(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode600) //nolint:gosec // the operator names the file, or its directory
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// UnsureError says that a file was replaced, and that it is not known whether the
// disk has that.
type UnsureError struct{ err error }

// Error returns the cause's text.
func (e *UnsureError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *UnsureError) Unwrap() error { return e.err }

package sqlitequeue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// ErrNoStore says that the directory has no store.
var ErrNoStore = errors.New("there is no store")

// newName is the file that is to become the database. One that a crash left is
// written anew.
const newName = "queue.new"

// Lock takes a directory from stores and from other holders of the lock, until
// release is called. What is beside a store in its directory, such as keys, can be
// changed meanwhile. The directory has to be there.
//
// Errors: [queue.ErrLocked] when another process has it.
func Lock(dir string) (release func() error, err error) {
	file, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	return file.Close, nil
}

// offline is a store that no process has, opened without what it takes to use it.
type offline struct {
	dir  string
	lock *os.File
	c    *conn
}

// openOffline opens a store that is there.
func openOffline(dir string) (o *offline, err error) {
	if err := checkStore(dir); err != nil {
		return nil, err
	}
	o = &offline{dir: dir}
	if o.lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if o.c, err = openDatabase(o.path()); err != nil {
		return nil, errors.Join(fmt.Errorf("open store in %s: %w", dir, err), o.lock.Close())
	}
	return o, nil
}

func (o *offline) path() string { return filepath.Join(o.dir, databaseName) }

func (o *offline) close() error { return errors.Join(o.closeDatabase(), o.lock.Close()) }

func (o *offline) closeDatabase() error {
	if o.c == nil {
		return nil
	}
	c := o.c
	o.c = nil
	return c.close()
}

// checkStore makes sure that nothing is made where there is no store.
func checkStore(dir string) error {
	path := filepath.Join(dir, databaseName)
	if err := checkLogAlone(path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && info.Size() == 0:
		return fmt.Errorf("%w in %s", ErrNoStore, dir)
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a file", path)
	}
	return nil
}

// transact runs a function in a transaction.
func (o *offline) transact(ctx context.Context, run func() error) error {
	if err := o.c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := run()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = o.c.exec("COMMIT")
	}
	if err != nil {
		if rollback := o.c.exec("ROLLBACK"); rollback != nil && !isFull(err) {
			err = errors.Join(err, rollback)
		}
	}
	return err
}

// newFile makes the empty file that is to become the database.
func newFile(dir string) (path string, err error) {
	path = filepath.Join(dir, newName)
	if err := removeNew(dir); err != nil {
		return "", err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the operator's directory
	if err != nil {
		return "", err
	}
	return path, errors.Join(file.Close(), takeOwner(path, dir))
}

// removeNew removes what is not to become the database after all.
func removeNew(dir string) error {
	var faults []error
	for _, name := range []string{newName, newName + "-wal", newName + "-shm", newName + "-journal"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// replaceDatabase puts the new file in the place of the database. Neither may be
// open. A crash leaves the old one or the new one.
func replaceDatabase(dir string) error {
	from, to := filepath.Join(dir, newName), filepath.Join(dir, databaseName)
	for _, log := range []string{from + "-wal", to + "-wal"} {
		// What is in a log belongs to the file that was there when it was written.
		if info, err := os.Stat(log); err == nil && info.Size() > 0 {
			return fmt.Errorf("%s is still there: does another program have the database open?", log)
		}
	}
	if err := syncFile(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // it has no sync of directories
		return nil
	}
	return syncFile(dir)
}

func syncFile(path string) error {
	file, err := os.OpenFile(path, os.O_RDONLY, 0) //nolint:gosec // as above
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

package sqlitequeue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// CompactOptions of [Compact]. The zero value works.
type CompactOptions struct {
	// Needs is told how many bytes the disk of the store needs meanwhile, at most,
	// before anything is written. Its error ends Compact. Default: nobody is told.
	Needs func(bytes int64) error
}

// Compacted says what [Compact] has done. The sizes are of the database and its
// log.
type Compacted struct {
	Before int64 `json:"before"` // bytes
	After  int64 `json:"after"`  // bytes
}

// Compact writes the database of a directory anew, without the room that nothing
// is in, and without what delivered messages have left. It writes a second file and
// puts it in the place of the first once it is on disk: a crash, a full disk, or
// the end of ctx leave the store as it was. No process may have the store.
//
// Errors: [queue.ErrLocked] when a process has the store; [ErrNoStore].
func Compact(ctx context.Context, dir string, options CompactOptions) (sizes Compacted, err error) {
	o, err := openOffline(dir)
	if err != nil {
		return Compacted{}, fmt.Errorf("compact: %w", err)
	}
	defer func() { err = errors.Join(err, o.close()) }()
	sizes.Before = o.size()
	if err := o.compact(ctx, options); err != nil {
		return Compacted{}, errors.Join(fmt.Errorf("compact: %w", err), removeNew(dir))
	}
	sizes.After = o.size()
	return sizes, nil
}

func (o *offline) compact(ctx context.Context, options CompactOptions) error {
	needed, err := o.used()
	if err != nil {
		return err
	}
	if options.Needs != nil {
		if err := options.Needs(needed); err != nil {
			return err
		}
	}
	if err := o.transact(ctx, o.dropDelivered); err != nil {
		return err
	}
	path, err := newFile(o.dir)
	if err != nil {
		return err
	}
	if err := o.c.scriptIn(ctx, "VACUUM INTO '"+strings.ReplaceAll(path, "'", "''")+"'"); err != nil {
		return o.explain(err, needed)
	}
	if err := o.compareWith(ctx, path); err != nil {
		return err
	}
	// The last connection that is closed leaves the log empty, and removes it.
	if err := o.closeDatabase(); err != nil {
		return err
	}
	return replaceDatabase(o.dir)
}

// used is about how many bytes are in use.
func (o *offline) used() (int64, error) {
	var sizes [3]int64
	for i, pragma := range []string{"page_size", "page_count", "freelist_count"} {
		n, err := o.c.number("PRAGMA " + pragma)
		if err != nil {
			return 0, err
		}
		sizes[i] = n
	}
	return sizes[0] * (sizes[1] - sizes[2]), nil
}

// dropDelivered removes the contents that a crash has left of delivered messages.
func (o *offline) dropDelivered() error {
	err := o.c.exec("DELETE FROM content WHERE seq IN (SELECT seq FROM message WHERE status = 4)")
	return err
}

func (o *offline) explain(err error, needed int64) error {
	if isFull(err) {
		return fmt.Errorf("%w: the disk of %s needs room for another %d bytes: the store is as it was", err, o.dir, needed)
	}
	return err
}

// compareWith makes sure that another file has what the database has.
func (o *offline) compareWith(ctx context.Context, path string) (err error) {
	other, err := connect(path, "PRAGMA query_only = 1")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, other.close()) }()
	for _, query := range []string{
		"PRAGMA application_id", "PRAGMA user_version", "PRAGMA auto_vacuum", "SELECT count(*) FROM message", "SELECT count(*) FROM content",
		"SELECT count(*) FROM attempt", "SELECT count(*) FROM lane", "SELECT count(*) FROM accepted", "SELECT count(*) FROM delivered", "SELECT count(*) FROM keys", "SELECT count(*) FROM gone",
	} {
		want, err := o.c.number(query)
		if err != nil {
			return err
		}
		got, err := other.number(query)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("what was written is not what was there (%s: %d, and it was %d): the store is as it was", query, got, want)
		}
	}
	return nil
}

// size is that of the database and its log.
func (o *offline) size() int64 { return fileSize(o.path()) + fileSize(o.path()+"-wal") }

// fileSize is 0 for a file that is not there.
func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func (i *Info) addSizes() {
	path := filepath.Join(i.Dir, databaseName)
	i.DatabaseBytes, i.LogBytes, i.ReserveBytes = fileSize(path), fileSize(path+"-wal"), fileSize(filepath.Join(i.Dir, reserveName))
}

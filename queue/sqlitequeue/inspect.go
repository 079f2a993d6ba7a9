package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Info is what [Inspect] has found.
type Info struct {
	Dir    string `json:"dir"`
	Schema int    `json:"schema"` // version
	// InUse says that a process has the store.
	InUse bool `json:"in_use"`
	// The sizes of the database, of its log, and of the room that is kept for
	// deliveries when the disk is full.
	DatabaseBytes int64 `json:"database_bytes"`
	LogBytes      int64 `json:"log_bytes"`
	ReserveBytes  int64 `json:"reserve_bytes"`
	// FreeBytes are those of the database that nothing is in: what Compact gives back.
	FreeBytes int64 `json:"free_bytes"`
	Lanes     int   `json:"lanes"`
	// Counts are as the store keeps them. What a process is attempting counts as
	// pending or retry.
	Counts Counts `json:"counts"`
	// Oldest is when the oldest message that is not done was enqueued, or replayed;
	// zero where none waits.
	Oldest time.Time `json:"oldest,omitzero"`
}

// Inspect tells about the store of a directory without opening it: another process
// may have it. It changes nothing. It takes longer the more messages wait.
//
// Errors: [ErrNoStore], [ErrVersion] and [ErrForeign].
func Inspect(ctx context.Context, dir string) (info Info, err error) {
	info.Dir = dir
	if info.InUse, err = inUse(dir); err != nil {
		return Info{}, err
	}
	s, err := OpenSnapshot(ctx, dir)
	if err != nil {
		return Info{}, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	info.Schema, info.Lanes = s.schema, len(s.lanes)
	info.addSizes()
	if err := info.addFree(s.c); err != nil {
		return Info{}, err
	}
	tallies, err := s.c.tallies()
	if err != nil {
		return Info{}, err
	}
	var all tally
	for id := range tallies {
		t := tallies[id]
		all.plus(&t, 1)
	}
	info.Counts = countsOf(&all)
	oldest, err := s.c.oldest(ctx)
	info.Oldest = fromWall(oldest)
	return info, err
}

func (i *Info) addFree(c *conn) error {
	size, err := c.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	free, err := c.number("PRAGMA freelist_count")
	i.FreeBytes = size * free
	return err
}

// oldest looks at all that waits. What is in the log and was delivered in the last
// seconds is no more than some seconds old.
func (c *conn) oldest(ctx context.Context) (oldest int64, err error) {
	found := false
	err = c.queryIn(ctx, "SELECT min(COALESCE(queued, created)) FROM message INDEXED BY live WHERE status < 4", func(v []driver.Value) error {
		oldest = integer(v[0])
		found = oldest != 0
		return nil
	})
	if err != nil || found {
		return oldest, err
	}
	w := &walker{c: c}
	log := map[int64]entry{}
	if err := w.readLog(ctx, log); err != nil || len(log) == 0 {
		return 0, err
	}
	if err := w.readHistory(ctx, log); err != nil {
		return 0, err
	}
	for seq := range log {
		if r, inTables, err := c.row(seq); err != nil {
			return 0, err
		} else if inTables && r.status.done() {
			continue
		}
		if at := log[seq].queued; oldest == 0 || at < oldest {
			oldest = at
		}
	}
	return oldest, nil
}

// inUse reports whether a process has the lock of a directory. To find out, it
// takes the lock for a moment where it is free.
func inUse(dir string) (bool, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0) //nolint:gosec // the operator's directory
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the lock: %w", err)
	}
	free, err := lockFile(file)
	return !free, errors.Join(err, file.Close())
}

package sqlitequeue

import (
	"database/sql/driver"
	"fmt"
)

const (
	checkpointFrom = 4000 // pages that the write-ahead log has: 16 MiB
	checkpointStep = 1000 // pages more, before it is tried again where a reader was in the way

	lookEvery   = 1 << 20  // bytes that were written
	commitBytes = 16 << 10 // what a commit writes beside its messages
)

// checkpoint puts what is in the write-ahead log into the database, once it is
// much. SQLite would do that by itself, but tell nobody when it fails: it would try
// again with each commit, fsync and all, and the log would grow until the disk is
// full.
func (s *Store) checkpoint() {
	if s.failure() != nil {
		return
	}
	k := &s.keep
	k.written = 0
	logged, copied, err := s.writer.checkpoint("NOOP") // it only asks
	if logged < k.tried {
		k.tried = 0 // the log has begun anew
	}
	if err == nil {
		if logged < checkpointFrom || logged == copied || logged < k.tried+checkpointStep || s.full.Load() {
			return
		}
		k.tried, _, err = s.writer.checkpoint("PASSIVE")
	}
	s.checkpointed(err)
}

// checkpointed judges a checkpoint. One that finds no room is no loss: all is in
// the log.
func (s *Store) checkpointed(err error) {
	switch {
	case err == nil:
	case isFull(err):
		s.makeRoom()
	default:
		_ = s.fail(fmt.Errorf("checkpoint: %w", err)) // the next caller is told
	}
}

// checkpoint makes a checkpoint of a kind, and returns how many pages the log has,
// and how many of them are in the database. Readers are left in peace.
func (c *conn) checkpoint(kind string) (logged, copied int64, err error) {
	err = c.query("PRAGMA wal_checkpoint("+kind+")", func(v []driver.Value) error {
		logged, copied = integer(v[1]), integer(v[2])
		return nil
	})
	return logged, copied, err
}

package sqlitequeue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/queue"
)

// Room on the disk is kept in a file for deliveries and deletions, which go on when
// it is full for everything else. It is as much as the write-ahead log has, and more:
// so that all of the log fits into the database, after which the log can be cut off,
// and its own room is there for what is still to be written.
const (
	reserveStep  = 4 << 20                    // the reserve grows by these
	reserveBytes = 2 * reserveStep            // the least there is, in bytes
	fullLogBytes = 1 << 20                    // that the log grows on a full disk before it is cut off
	longLogBytes = 64 << 20                   // of a log that is cut off once no reader is in its way
	readersLeave = "PRAGMA busy_timeout = 50" // how long the committer waits for them, in milliseconds
)

// reserveFor returns how much to keep beside a log of so many bytes: at least
// reserveStep more than it has.
func reserveFor(log int64) int64 { return reserveBytes + log/reserveStep*reserveStep }

func (s *Store) reservePath() string { return filepath.Join(s.dir, reserveName) }

// logBytes is how much room the write-ahead log takes; one that is not there takes none.
func (s *Store) logBytes() int64 { return fileSize(filepath.Join(s.dir, databaseName) + "-wal") }

// outcomeBytes is what an outcome writes, about. Three times as much is possible.
const outcomeBytes = 4 << 10

// keepRoomFor is keepRoom before a round of ops, with messages of so many bytes, once
// the log may have grown by a part of reserveStep: to look costs as much as a few
// messages.
func (s *Store) keepRoomFor(round []*op, bytes int64) {
	s.keep.unseen += bytes + commitBytes
	for _, o := range round {
		s.keep.unseen += int64(len(o.outcomes)) * outcomeBytes
	}
	if s.keep.unseen >= lookEvery || round[len(round)-1].run != nil || s.full.Load() {
		s.keepRoom(bytes)
	}
}

// keepRoom sees to it that there is room to finish what is about to be written, of so
// many bytes. It refuses new messages where there is none.
func (s *Store) keepRoom(bytes int64) {
	s.keep.unseen = 0
	if s.full.Load() {
		if log := s.logBytes(); log >= s.keep.cutAt {
			s.cutLog()
			s.keep.cutAt = s.logBytes() + fullLogBytes
		}
		return
	}
	if s.growReserve(reserveFor(s.logBytes()+bytes)) == nil {
		return
	}
	s.cutLog() // then there may be
	if err := s.growReserve(reserveFor(s.logBytes() + bytes)); err != nil {
		s.becomeFull()
	}
}

// becomeFull refuses new messages.
func (s *Store) becomeFull() {
	if !s.full.Swap(true) {
		s.keep.cutAt = 0
		s.options.OnFault(fmt.Errorf("%w: no room on the disk of %s; deliveries go on", queue.ErrStoreFull, s.dir))
	}
}

// makeRoom is for when a write has found none: it refuses new messages, and gives the
// reserve to the others, and what the log takes.
func (s *Store) makeRoom() {
	s.becomeFull()
	s.giveReserve()
	s.cutLog()
}

// recoverRoom takes new messages again, once there is room for the reserve and some
// messages: or it would be full again with the next.
func (s *Store) recoverRoom() {
	s.cutLog()
	reserve := reserveFor(s.logBytes())
	if s.failure() == nil && s.growReserve(reserve+reserveStep) == nil && s.shrinkReserve(reserve) == nil {
		s.full.Store(false)
	}
}

// cutLog puts the write-ahead log into the database and gives back its room, if no
// reader is in the way for long. That it finds no room is no loss: all is in the log.
func (s *Store) cutLog() {
	if s.failure() != nil {
		return
	}
	err := s.writer.set(readersLeave)
	if err == nil {
		_, _, err = s.writer.checkpoint("TRUNCATE")
		err = errors.Join(err, s.writer.set(waitForOthers))
	}
	if err != nil && !isFull(err) {
		_ = s.fail(fmt.Errorf("checkpoint: %w", err)) // the next caller is told
	}
}

// growReserve takes room until there is so much. When there is not, it has what it
// had.
func (s *Store) growReserve(to int64) (err error) {
	if to <= s.keep.reserve {
		return nil
	}
	file, err := os.OpenFile(s.reservePath(), os.O_CREATE|os.O_WRONLY, 0o600)
	switch {
	case err != nil && s.keep.reserve > 0: // that says nothing of room: no descriptor is left, say
		return nil
	case err != nil:
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	if err := allocate(file, s.keep.reserve, to); err != nil {
		return errors.Join(err, file.Truncate(s.keep.reserve))
	}
	s.keep.reserve = to
	return nil
}

// trimReserve gives back what was kept for a log that was long once.
func (s *Store) trimReserve() {
	if to := reserveFor(s.logBytes()); s.keep.reserve-to >= longLogBytes && !s.full.Load() {
		_ = s.shrinkReserve(to) // it is tried again
	}
}

func (s *Store) shrinkReserve(to int64) error {
	if s.keep.reserve <= to {
		return nil
	}
	err := os.Truncate(s.reservePath(), to)
	if err == nil {
		s.keep.reserve = to
	}
	return err
}

// giveReserve gives all of the reserve to who has no room. It may be gone already.
func (s *Store) giveReserve() {
	_ = os.Remove(s.reservePath()) // or the next write says that there is no room
	s.keep.reserve = 0
}

// writeZeros fills a part of a file: one without content has no room.
func writeZeros(file *os.File, from, to int64) error {
	zeros := make([]byte, min(1<<20, to-from))
	for from < to {
		n, err := file.WriteAt(zeros[:min(int64(len(zeros)), to-from)], from)
		if err != nil {
			return err
		}
		from += int64(n)
	}
	return nil
}

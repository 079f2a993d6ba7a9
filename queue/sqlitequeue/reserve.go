package sqlitequeue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/queue"
)

// reserveBytes is the room on the disk that is kept for deliveries and deletions,
// which go on when it is full for everything else.
const reserveBytes = 8 << 20

func (s *Store) reservePath() string { return filepath.Join(s.dir, reserveName) }

// makeReserve takes the room.
func (s *Store) makeReserve() (err error) {
	file, err := os.OpenFile(s.reservePath(), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Close()); err != nil {
			_ = os.Remove(s.reservePath()) // half a reserve is none; the first error is the one to tell
		}
	}()
	info, err := file.Stat()
	if err != nil || info.Size() >= reserveBytes {
		return err
	}
	return allocate(file, reserveBytes)
}

// writeZeros fills a file: one without content has no room.
func writeZeros(file *os.File, size int64) error {
	zeros := make([]byte, 1<<20)
	for range size / int64(len(zeros)) {
		if _, err := file.Write(zeros); err != nil {
			return err
		}
	}
	return nil
}

// becomeFull refuses new messages, and gives the reserve to the others.
func (s *Store) becomeFull() {
	if !s.full.Swap(true) {
		s.options.OnFault(fmt.Errorf("%w: no room on the disk of %s; deliveries go on", queue.ErrStoreFull, s.dir))
	}
	_ = os.Remove(s.reservePath()) // it is gone already, or the next write says that there is no room
}

// recoverRoom takes new messages again, once there is room for the reserve.
func (s *Store) recoverRoom() {
	if err := s.truncateLog(); err != nil && !isFull(err) {
		s.checkpointed(err)
		return
	}
	if s.makeReserve() == nil {
		s.full.Store(false)
	}
}

// truncateLog gives back the room of the write-ahead log, if no reader is in the
// way: the committer must not wait for one.
func (s *Store) truncateLog() error {
	if err := s.writer.set("PRAGMA busy_timeout = 0"); err != nil {
		return err
	}
	_, _, err := s.writer.checkpoint("TRUNCATE")
	return errors.Join(err, s.writer.set(waitForOthers))
}

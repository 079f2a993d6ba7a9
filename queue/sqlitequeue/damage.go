package sqlitequeue

import (
	"errors"
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/outrider-go/outrider/queue"
)

// Damage is of two kinds. What SQLite reads may not be what was written, which
// checksums and codecs notice; or SQLite cannot read a part of the file. Either costs
// the messages that are in it, and as few others as can be.

// errDamaged: bytes on disk are not what was written.
var errDamaged = errors.New("what the disk has of it is not what was written")

// errUnreadable: the part of the file that has a message's content cannot be read.
var errUnreadable = errors.New("its content cannot be read")

func isDamaged(err error) bool { return errors.Is(err, errDamaged) }

// isCorrupt reports whether an error says that the file is damaged.
func isCorrupt(err error) bool {
	primary := code(err) & 0xff
	return primary == sqlite3.SQLITE_CORRUPT || primary == sqlite3.SQLITE_NOTADB
}

// isUnreadable reports whether an error says that a part of the file cannot be read:
// it is damaged, or the disk does not give it.
func isUnreadable(err error) bool { return isCorrupt(err) || code(err)&0xff == sqlite3.SQLITE_IOERR }

// foundDamage has Health say that the file is damaged, if an error says so. It tells
// of it once.
func (s *Store) foundDamage(err error) {
	if !isCorrupt(err) {
		return
	}
	s.mu.Lock()
	first := s.damage == nil
	if first {
		s.damage = fmt.Errorf("%w: a part of the file in %s cannot be read, and the messages in it are not delivered: %w", queue.ErrStoreDamaged, s.dir, err)
	}
	damage := s.damage
	s.mu.Unlock()
	if first {
		s.options.OnFault(damage)
	}
}

// isDamaged reports whether a part of the file was found damaged since the store was
// opened.
func (s *Store) isDamaged() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.damage != nil
}

// dropContentsOf deletes the contents of a range. In a damaged file they are left:
// to delete one is to read and write pages around it. They do no harm.
func (t *tx) dropContentsOf(first, last int64) error {
	if t.s.isDamaged() {
		return nil
	}
	return t.c.exec("DELETE FROM content WHERE seq BETWEEN ? AND ?", first, last)
}

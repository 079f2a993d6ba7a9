package sqlitequeue

import (
	"time"

	"github.com/outrider-go/outrider/queue"
)

// leaseEarly leases the message of a lane that waits for another attempt and is due
// soonest, if there is one. It is called with the store's lock, and gives it back
// while it reads from the database. What it reads goes out at once: only what is due
// may stay in memory.
func (s *Store) leaseEarly(l *lane, ttl time.Duration, into []queue.Leased) ([]queue.Leased, error) {
	now := s.clock.now()
	s.loads++
	since := s.changes
	s.mu.Unlock()
	var found *loaded
	err := s.read(func(c *conn) (err error) {
		found, err = s.readEarly(c, l, now)
		return err
	})
	s.mu.Lock()
	if found != nil {
		s.admit(l, found, since)
		l.levels[found.level].stale = true
		if it := s.items[found.seq]; it != nil && it.place == ready {
			now = s.clock.now()
			into = append(into, s.lease(it, now.after(ttl), now))
		}
	}
	s.loads--
	s.unbar()
	return into, err
}

// readEarly reads the row that is due soonest, of those that are in the database
// alone, have been attempted and do not stand aside.
func (s *Store) readEarly(c *conn, l *lane, now instant) (*loaded, error) {
	var first *row
	for n := range l.levels {
		err := c.rows("INDEXED BY wait WHERE lane = ? AND level = ? AND status = 1 AND attempts > 0 AND flags = 0 ORDER BY due, seq", func(r row) error {
			if r.hasExpired(now) || s.inMemory(r.seq) {
				return nil
			}
			if first == nil || r.due < first.due {
				first = &r
			}
			return errEnough
		}, l.id, n)
		if err != nil {
			return nil, err
		}
	}
	if first == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	one, err := c.content(*first, l.key)
	return &one, err
}

func (s *Store) inMemory(seq int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[seq] != nil
}

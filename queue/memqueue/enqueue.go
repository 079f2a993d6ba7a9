package memqueue

import (
	"context"
	"fmt"

	"github.com/outrider-go/outrider/queue"
)

// Enqueue implements queue.Store.
func (s *Store) Enqueue(ctx context.Context, batch []queue.Message) ([]queue.Enqueued, error) {
	for i := range batch {
		if batch[i].ID.IsZero() {
			return nil, fmt.Errorf("enqueue: message %d of the batch has no id: take one from NewID", i+1)
		}
	}
	results := make([]queue.Enqueued, len(batch))
	now, err := s.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for i := range batch {
		if results[i], err = s.add(&batch[i], now); err != nil {
			s.undo(results[:i], now)
			return nil, err
		}
	}
	s.forgetKeys(now, len(batch))
	return results, nil
}

// undo takes back what was added for a batch that cannot be kept whole.
func (s *Store) undo(added []queue.Enqueued, now instant) {
	for i := range added {
		if it, ok := s.index.get(added[i].ID); ok && !added[i].Duplicate {
			s.keys.drop(it)
			s.waiting--
			s.leave(it, now)
			s.remove(it)
		}
	}
}

// add keeps a message, unless it is known.
func (s *Store) add(m *queue.Message, now instant) (queue.Enqueued, error) {
	if known, ok := s.known(m); ok {
		return known, nil
	}
	size := m.Size()
	if err := s.room(size); err != nil {
		return queue.Enqueued{}, err
	}
	s.waiting++
	s.bytes += size
	l := s.lane(m.Lane)
	l.records++
	it := newItem(m, l.addressOf(m), now)
	s.index.insert(it)
	s.keys.add(it)
	s.schedule(it, now.tickOf(m.NotBefore), now)
	return queue.Enqueued{ID: it.id, Status: it.status}, nil
}

// known returns the result for a message that is a duplicate; false: it is new.
func (s *Store) known(m *queue.Message) (queue.Enqueued, bool) {
	if m.IdempotencyKey != "" {
		if known := s.keys.byName.get(keyName{m.Lane.Profile, m.IdempotencyKey}); known != nil {
			return known.duplicate(), true
		}
	}
	if it, ok := s.index.get(m.ID); ok {
		return queue.Enqueued{ID: it.id, Duplicate: true, Status: it.status}, true
	}
	return queue.Enqueued{}, false
}

// forgetKeys forgets keys whose lifetime is over, or that are too many, and says
// whether these were all.
func (s *Store) forgetKeys(now instant, steps int) bool {
	return s.keys.forget(now.wall-int64(s.options.KeyLifetime), s.options.MaxKeys, steps)
}

// room says whether another message may be kept.
func (s *Store) room(size int64) error {
	if limit := s.options.MaxMessages; limit > 0 && s.waiting >= limit {
		return fmt.Errorf("%w: it keeps %d messages, as many as it may", queue.ErrStoreFull, s.waiting)
	}
	if limit := s.options.MaxBytes; limit > 0 && size > limit-s.bytes {
		return fmt.Errorf("%w: it keeps %d of %d bytes, too many for %d more", queue.ErrStoreFull, s.bytes, limit, size)
	}
	return nil
}

// schedule puts an item that is nowhere where it waits for an attempt that is due
// at a tick, or before that for its turn.
func (s *Store) schedule(it *item, due int64, now instant) {
	it.due = due
	if it.rarest().ordering != "" && it.extra.seldom.turns == nil && !s.join(it, now) {
		s.put(it, placeBlocked)
		return
	}
	s.wait(it, now)
}

// wait puts an item that is nowhere where it waits for an attempt.
func (s *Store) wait(it *item, now instant) {
	if it.due > now.tick {
		s.put(it, placeWaiting)
		return
	}
	it.due = now.tick // the list is in that order
	s.put(it, placeReady)
}

// remove forgets a record.
func (s *Store) remove(it *item) {
	s.take(it)
	if it.place != placeDelivered {
		s.bytes -= it.size()
	}
	s.keys.outlive(it)
	s.index.remove(it.id)
	s.leaveLane(it.address.lane)
}

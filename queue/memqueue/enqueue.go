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
	return results, nil
}

// undo takes back what was added for a batch that cannot be kept whole.
func (s *Store) undo(added []queue.Enqueued, now instant) {
	for i := range added {
		if it, ok := s.index.get(added[i].ID); ok && !added[i].Duplicate {
			s.waiting--
			s.leave(it, now)
			s.remove(it)
		}
	}
}

// add keeps a message, unless it is known.
func (s *Store) add(m *queue.Message, now instant) (queue.Enqueued, error) {
	if it := s.known(m, now); it != nil {
		return queue.Enqueued{ID: it.id, Duplicate: true, Status: it.status}, nil
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
	s.addKey(it)
	s.schedule(it, now.tickOf(m.NotBefore), now)
	return queue.Enqueued{ID: it.id, Status: it.status}, nil
}

// known returns the record that the message is a duplicate of.
func (s *Store) known(m *queue.Message, now instant) *item {
	if m.IdempotencyKey != "" {
		it := s.holder(m.Lane.Profile, m.IdempotencyKey)
		if it != nil && (s.options.KeyLifetime == 0 || now.wall-it.created < int64(s.options.KeyLifetime)) {
			return it
		}
	}
	it, _ := s.index.get(m.ID)
	return it
}

// holder returns the item that had the idempotency key last, nil where none is
// left.
func (s *Store) holder(profile, key string) *item {
	if keys := s.keys.get(profile); keys != nil {
		return keys.get(key)
	}
	return nil
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

func (s *Store) addKey(it *item) {
	key := it.rare().key
	if key == "" {
		return
	}
	profile := it.address.lane.key.Profile
	keys := s.keys.get(profile)
	if keys == nil {
		keys = &table[string, *item]{}
		s.keys.set(profile, keys)
	}
	keys.set(key, it)
}

func (s *Store) removeKey(it *item) {
	key, profile := it.rare().key, it.address.lane.key.Profile
	if key == "" || s.holder(profile, key) != it {
		return // another has the key since its lifetime was over
	}
	keys := s.keys.get(profile)
	if keys.remove(key); keys.len() == 0 {
		s.keys.remove(profile)
	}
}

// remove forgets a record.
func (s *Store) remove(it *item) {
	s.take(it)
	if it.place != placeDelivered {
		s.bytes -= it.size()
	}
	s.removeKey(it)
	s.index.remove(it.id)
	s.leaveLane(it.address.lane)
}

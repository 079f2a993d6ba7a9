package memqueue

import (
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// keys are the idempotency keys that are known, whether or not their records are
// still there.
type keys struct {
	byName         table[keyName, *knownKey]
	oldest, newest *knownKey
}

type keyName struct{ profile, key string }

// knownKey is a key, and what a duplicate is told.
type knownKey struct {
	keyName
	at         int64 // wall clock: when its message was enqueued
	next, prev *knownKey
	item       *item        // nil: the record is gone
	id         transport.ID // of the message
	status     string       // that the record had last, once it is gone
}

// duplicate is the result for a message with the key.
func (k *knownKey) duplicate() queue.Enqueued {
	status := k.status
	if k.item != nil {
		status = k.item.status
	}
	return queue.Enqueued{ID: k.id, Duplicate: true, Status: status}
}

// nameOf returns the name of an item's key; false: it has none.
func nameOf(it *item) (keyName, bool) {
	key := it.rare().key
	return keyName{it.address.lane.key.Profile, key}, key != ""
}

// add has the key of a new item known.
func (k *keys) add(it *item) {
	name, ok := nameOf(it)
	if !ok {
		return
	}
	known := &knownKey{keyName: name, at: it.created, prev: k.newest, item: it, id: it.id}
	if k.newest == nil {
		k.oldest = known
	} else {
		k.newest.next = known
	}
	k.newest = known
	k.byName.set(name, known)
}

// outlive has the key of an item go on without it.
func (k *keys) outlive(it *item) {
	if known := k.of(it); known != nil {
		known.item, known.status = nil, it.status
	}
}

// drop forgets the key of an item.
func (k *keys) drop(it *item) {
	if known := k.of(it); known != nil {
		k.remove(known)
	}
}

// of returns the key of an item, nil where it is not known, or another has it since.
func (k *keys) of(it *item) *knownKey {
	name, ok := nameOf(it)
	if !ok {
		return nil
	}
	if known := k.byName.get(name); known != nil && known.item == it {
		return known
	}
	return nil
}

func (k *keys) remove(known *knownKey) {
	if known.prev == nil {
		k.oldest = known.next
	} else {
		known.prev.next = known.next
	}
	if known.next == nil {
		k.newest = known.prev
	} else {
		known.next.prev = known.prev
	}
	k.byName.remove(known.keyName)
}

// forget drops up to so many keys, of those that were enqueued before an instant
// and those that are more than most, the oldest first. It says whether these were
// all.
func (k *keys) forget(before int64, most, steps int) bool {
	for k.oldest != nil && (k.oldest.at <= before || k.byName.len() > most) {
		if steps == 0 {
			return false
		}
		k.remove(k.oldest)
		steps--
	}
	return true
}

package memqueue

import (
	"bytes"
	"slices"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// item is a record. There may be a million of them, so what messages have in
// common, and what few of them have, is kept elsewhere; times are 8 bytes.
type item struct {
	id         transport.ID
	next, prev *item // in the list of its place
	address    *address
	payload    []byte
	metadata   transport.Metadata
	log        *entry // the latest; nil: no attempt was logged
	extra      *extra // nil: nothing in it is set
	status     string
	created    int64 // wall clock
	updated    int64 // wall clock
	// due is the tick from which the item can be leased; while it is leased, the
	// tick at which the lease runs out; once it is delivered, its size in bytes.
	due       int64
	slot      int32 // in the heap of its place; its seat while it is leased
	attempts  uint32
	token     uint32 // of the latest lease
	place     place
	evidence  transport.Evidence
	parked    bool // waits for pick-up
	cancelled bool // was cancelled while leased, and has not ended
}

// extra is what most items do without.
type extra struct {
	notBefore int64 // wall clock, as expires
	expires   int64
	key       string
	slot      int32   // in the heap of those that expire
	seldom    *seldom // nil: nothing in it is set
}

// seldom is what most items with an extra do without.
type seldom struct {
	queued   int64 // wall clock, of the last replay; 0: it is as old as the record
	ordering string
	turns    *turns // nil: the item is done or parked, or has no ordering key
	replays  uint32
	skipped  bool // gave up the turn until it is due
}

// newItem returns the record of a message that is new to the store.
func newItem(m *queue.Message, a *address, now instant) *item {
	it := &item{
		id: m.ID, address: a, payload: m.Payload, metadata: m.Metadata,
		status: queue.StatusQueued, created: now.wall, updated: now.wall,
	}
	if m.IdempotencyKey != "" || !m.NotBefore.IsZero() || !m.ExpiresAt.IsZero() {
		it.extra = &extra{notBefore: toWall(m.NotBefore), expires: toWall(m.ExpiresAt), key: m.IdempotencyKey}
	}
	if m.OrderingKey != "" {
		it.most().ordering = m.OrderingKey
	}
	return it
}

// more returns the item's extra, which it makes where there is none.
func (it *item) more() *extra {
	if it.extra == nil {
		it.extra = &extra{}
	}
	return it.extra
}

// rare returns the item's extra, or an empty one.
func (it *item) rare() extra {
	if it.extra == nil {
		return extra{}
	}
	return *it.extra
}

// most returns the item's seldom, which it makes where there is none.
func (it *item) most() *seldom {
	more := it.more()
	if more.seldom == nil {
		more.seldom = &seldom{}
	}
	return more.seldom
}

// rarest returns the item's seldom, or an empty one.
func (it *item) rarest() seldom {
	if it.extra == nil || it.extra.seldom == nil {
		return seldom{}
	}
	return *it.extra.seldom
}

func (it *item) queued() int64 {
	if queued := it.rarest().queued; queued != 0 {
		return queued
	}
	return it.created
}

// expires returns when the item expires, 0 for never.
func (it *item) expires() int64 {
	if it.extra == nil {
		return 0
	}
	return it.extra.expires
}

// hasDeadline reports whether Expire has to look at a leased item.
func (it *item) hasDeadline() bool {
	return it.place == placeLeased && (it.cancelled || it.expires() != 0)
}

// held is what the item counts against queue.Retention.Bytes.
func (it *item) held() int64 {
	if !it.place.done() || it.place == placeDelivered {
		return 0
	}
	return it.size()
}

// size is what queue.Message.Size said of the message.
func (it *item) size() int64 {
	if it.place == placeDelivered {
		return it.due
	}
	m := queue.Message{Payload: it.payload, Metadata: it.metadata, IdempotencyKey: it.rare().key}
	return m.Size()
}

func (it *item) state() queue.State {
	switch {
	case it.place.done():
		return queue.StateDone
	case it.place == placeLeased:
		return queue.StateDeliver
	case it.attempts > 0 && !it.parked:
		return queue.StateRetry
	default:
		return queue.StatePending
	}
}

// fill puts all of the message but payload and metadata into an empty one. Its
// targets are the store's own.
func (it *item) fill(m *queue.Message) {
	it.address.fill(m)
	m.ID = it.id
	if it.extra == nil {
		return
	}
	m.IdempotencyKey, m.OrderingKey = it.extra.key, it.rarest().ordering
	m.NotBefore, m.ExpiresAt = fromWall(it.extra.notBefore), fromWall(it.extra.expires)
}

// record returns a copy of the record, without payload.
func (it *item) record(now instant) queue.Record {
	r := queue.Record{
		State: it.state(), Result: it.place.result(), Status: it.status,
		Evidence: it.evidence, Attempts: int(it.attempts), Replays: int(it.rarest().replays),
		CreatedAt: fromWall(it.created), QueuedAt: fromWall(it.queued()), UpdatedAt: fromWall(it.updated),
		Bytes: it.size(), Behind: it.place == placeBlocked,
	}
	it.fill(&r.Message)
	r.URI, r.Targets = transport.Secret{}, withoutURIs(r.Targets)
	if it.place.leasable() {
		r.NextAt = now.timeOf(it.due).Round(0) // shown, not waited for: the wall clock will do
	}
	if it.log != nil {
		r.LastError = it.log.err
	}
	return r
}

// withPayload adds copies of what record leaves out.
func (it *item) withPayload(r queue.Record) queue.Record {
	r.Payload, r.Metadata = bytes.Clone(it.payload), it.metadata.Clone()
	r.URI, r.Targets = it.address.uri, slices.Clone(it.address.targets)
	return r
}

func withoutURIs(targets []queue.Target) []queue.Target {
	targets = slices.Clone(targets)
	for i := range targets {
		targets[i].URI = transport.Secret{}
	}
	return targets
}

// lend fills an empty message for the one that has leased it.
func (it *item) lend(l *queue.Leased) {
	it.fill(&l.Message)
	l.Payload, l.Metadata = it.payload, it.metadata
	l.Token, l.Attempt, l.Replays = it.ticket(), int(it.attempts)+1, int(it.rarest().replays)
	l.QueuedAt = time.Unix(0, it.queued())
}

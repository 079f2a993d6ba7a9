package queuetest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func duplicateCases() []testCase {
	return []testCase{
		{name: "a known key", run: knownKey},
		{name: "a key twice in a batch", run: keyTwiceInBatch},
		{name: "a key belongs to its profile", run: keyOfProfile},
		{name: "no key is no duplicate", run: noKey},
		{name: "a key is known whatever becomes of the record", run: keyWhateverBecomes},
		{name: "a key outlives the record", run: keyOutlivesRecord},
		{name: "a key outlives the record after a restart", run: reopenKeyOutlivesRecord, reopens: true},
		{name: "a key has a lifetime", run: keyLifetime, forgets: true},
		{name: "a key has a lifetime without the record", run: keyLifetimeWithoutRecord, forgets: true},
		{name: "a key has a lifetime after a restart", run: reopenKeyLifetime, forgets: true, reopens: true},
		{name: "the latest keys are known", run: latestKeys, counts: true},
		{name: "the latest keys are known after a restart", run: reopenLatestKeys, counts: true, reopens: true},
		{name: "the status of the known one", run: statusOfKnown},
		{name: "a known id", run: knownID},
		{name: "64 at once", run: sixtyFourAtOnce},
	}
}

func (x *trial) keyed(lane queue.Lane, key string) queue.Message {
	m := x.message(lane)
	m.IdempotencyKey = key
	return m
}

// duplicate checks that a message is a duplicate of the one with that id.
func (x *trial) duplicate(m queue.Message, of transport.ID) queue.Enqueued {
	x.Helper()
	results, err := x.store.Enqueue(x.Context(), []queue.Message{m})
	if err != nil || len(results) != 1 || !results[0].Duplicate || results[0].ID != of {
		x.Fatalf("enqueue: %+v, %v, want a duplicate of %s", results, err, of)
	}
	return results[0]
}

func knownKey(x *trial) {
	first := x.keyed(laneA(), "k")
	x.enqueue(first)
	second := x.keyed(laneB(), "k")
	second.Payload = []byte("another payload")
	x.duplicate(second, first.ID)
	x.gone(second.ID)
	x.leaseNone(laneB())
	if r := x.get(first.ID); string(r.Payload) != "payload" || r.Lane != laneA() {
		x.Errorf("the duplicate changed the record: %q for %v", r.Payload, r.Lane)
	}
}

func keyTwiceInBatch(x *trial) {
	batch := []queue.Message{x.keyed(laneA(), "k"), x.keyed(laneA(), "l"), x.keyed(laneA(), "k"), x.keyed(laneA(), "l")}
	results, err := x.store.Enqueue(x.Context(), batch)
	if err != nil {
		x.Fatal(err)
	}
	for i, result := range results {
		if result.ID != batch[i%2].ID || result.Duplicate != (i >= 2) || result.Status != queue.StatusQueued {
			x.Errorf("result %d is %+v", i, result)
		}
	}
	x.gone(batch[2].ID, batch[3].ID)
	x.lease(laneA(), 2)
	x.leaseNone(laneA())
}

func keyOfProfile(x *trial) {
	x.enqueue(x.keyed(laneA(), "k"))
	x.enqueue(x.keyed(otherLane(), "k"))
	x.enqueue(x.keyed(laneA(), "K"))
}

func noKey(x *trial) {
	x.enqueue(x.message(laneA()), x.message(laneA()))
	x.enqueue(x.message(laneA()))
}

func keyWhateverBecomes(x *trial) {
	first := x.keyed(laneA(), "k")
	x.enqueue(first)
	for _, verdict := range []queue.Verdict{queue.VerdictDead, queue.VerdictDelivered} {
		x.duplicate(x.keyed(laneA(), "k"), first.ID)
		leased := x.lease(laneA(), 1)
		x.duplicate(x.keyed(laneA(), "k"), first.ID)
		x.end(verdict, time.Time{}, leased...)
		x.duplicate(x.keyed(laneA(), "k"), first.ID)
		if _, err := x.store.Replay(x.Context(), queue.Query{}); err != nil {
			x.Fatal(err)
		}
	}
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Delivered, Before: time.Now()}, 10, 1, false)
	x.duplicate(x.keyed(laneA(), "k"), first.ID)
}

// ended is a message with a key whose record has been removed, and the status that
// it had last.
type ended struct {
	message queue.Message
	status  string
}

// removed adds a message with a key of its own for each way to end, ends it, and
// removes the record.
func (x *trial) removed() (all []ended) {
	x.Helper()
	for _, e := range []struct {
		verdict queue.Verdict
		result  queue.Result
	}{{queue.VerdictDelivered, queue.Delivered}, {queue.VerdictDead, queue.Dead}, {queue.VerdictExpired, queue.Expired}} {
		for _, status := range []string{"sent_to_external_queue", ""} {
			m := x.keyed(laneA(), string(e.result)+" "+status)
			x.enqueue(m)
			x.settle(queue.Outcome{LeaseRef: x.lease(laneA(), 1)[0].Ref(), Verdict: e.verdict, Status: status})
			if status == "" {
				status = queue.StatusQueued
			}
			all = append(all, ended{m, status})
		}
		x.advance(x.unit)
		x.purge(queue.Retention{Result: e.result, Before: time.Now()}, 10, 2, false)
	}
	m := x.keyed(laneB(), "cancelled")
	x.enqueue(m)
	x.cancel(queue.Query{IDs: []transport.ID{m.ID}})
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Cancelled, Before: time.Now()}, 10, 1, false)
	return append(all, ended{m, queue.StatusQueued})
}

// outlived checks that the keys of removed records are known, and nothing else.
func (x *trial) outlived(all []ended) {
	x.Helper()
	for _, e := range all {
		again := x.keyed(laneB(), e.message.IdempotencyKey)
		if result := x.duplicate(again, e.message.ID); result.Status != e.status {
			x.Errorf("the duplicate's status is %q, want %q", result.Status, e.status)
		}
		x.gone(e.message.ID, again.ID)
	}
	if got := x.total(); got != (queue.Backlog{}) {
		x.Errorf("the counts are %+v", got)
	}
}

func keyOutlivesRecord(x *trial) {
	all := x.removed()
	x.outlived(all)
	x.enqueue(x.keyed(otherLane(), all[0].message.IdempotencyKey))
	x.lease(otherLane(), 1)
}

func reopenKeyOutlivesRecord(x *trial) {
	all := x.removed()
	x.reopen()
	x.outlived(all)
	x.reopen()
	x.outlived(all)
}

func keyLifetimeWithoutRecord(x *trial) {
	first := x.keyed(laneA(), "k")
	x.enqueue(first)
	over := time.Now().Add(x.features.KeyLifetime)
	x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneA(), 1)...)
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Delivered, Before: time.Now()}, 10, 1, false)
	x.advance(time.Until(over) - 2*x.slack)
	x.duplicate(x.keyed(laneA(), "k"), first.ID)
	x.advance(time.Until(over) + precision)
	again := x.keyed(laneA(), "k")
	x.enqueue(again)
	x.duplicate(x.keyed(laneA(), "k"), again.ID)
}

// keys enqueues so many messages with keys of their own, one after the other, and
// removes the records of all but the latest.
func (x *trial) keys(n int) (all []queue.Message) {
	x.Helper()
	for i := range n {
		all = append(all, x.keyed(laneA(), fmt.Sprint("k", i)))
		x.enqueue(all[i])
		x.end(queue.VerdictDelivered, time.Time{}, x.lease(laneA(), 1)...)
	}
	x.advance(x.unit)
	x.purge(queue.Retention{Result: queue.Delivered, Keep: 1}, n, n-1, false)
	return all
}

func latestKeys(x *trial) {
	x.latest(x.keys(x.features.MaxKeys + 2))
}

func reopenLatestKeys(x *trial) {
	all := x.keys(x.features.MaxKeys + 2)
	x.reopen()
	x.latest(all)
}

// latest checks that all keys but the first two are known.
func (x *trial) latest(all []queue.Message) {
	x.Helper()
	for _, m := range all[2:] {
		x.duplicate(x.keyed(laneB(), m.IdempotencyKey), m.ID)
	}
	x.enqueue(x.keyed(laneB(), all[0].IdempotencyKey)) // and with it the third is forgotten
	x.enqueue(x.keyed(laneB(), all[2].IdempotencyKey))
	x.duplicate(x.keyed(laneB(), all[4].IdempotencyKey), all[4].ID)
}

// keyLifetime: it counts from when the message that is known was enqueued, and not
// from its duplicates.
func keyLifetime(x *trial) {
	first, other := x.keyed(laneA(), "k"), x.keyed(otherLane(), "k")
	x.enqueue(first, other)
	last := first
	for range 3 {
		over := time.Now().Add(x.features.KeyLifetime)
		x.advance(x.features.KeyLifetime / 2)
		x.duplicate(x.keyed(laneB(), "k"), last.ID)
		x.advance(time.Until(over) - 2*x.slack)
		x.duplicate(x.keyed(laneA(), "k"), last.ID)
		x.advance(time.Until(over) + precision)
		again := x.keyed(laneA(), "k")
		x.enqueue(again)
		x.duplicate(x.keyed(laneA(), "k"), again.ID)
		last = again
	}
	if r := x.get(first.ID); r.IdempotencyKey != "k" || r.Result != "" {
		x.Errorf("the first record is %+v, want it as it was", r)
	}
	x.lease(laneA(), 4)
	// To forget an older one with the key does not forget the key.
	x.cancelAndForget(first.ID)
	x.duplicate(x.keyed(laneA(), "k"), last.ID)
	x.enqueue(x.keyed(otherLane(), "k"))
}

// cancelAndForget removes a record that is leased.
func (x *trial) cancelAndForget(id transport.ID) {
	x.Helper()
	x.cancel(queue.Query{IDs: []transport.ID{id}})
	x.advance(10*x.unit + precision)
	x.ends(10, id)
	x.advance(precision)
	x.purge(queue.Retention{Result: queue.Cancelled, Before: time.Now()}, 10, 1, false)
}

func reopenKeyLifetime(x *trial) {
	first := x.keyed(laneA(), "k")
	x.enqueue(first)
	over := time.Now().Add(x.features.KeyLifetime)
	x.reopen()
	x.duplicate(x.keyed(laneA(), "k"), first.ID)
	x.advance(time.Until(over) + precision)
	again := x.keyed(laneA(), "k")
	x.enqueue(again)
	x.reopen()
	x.duplicate(x.keyed(laneA(), "k"), again.ID)
}

func statusOfKnown(x *trial) {
	first := x.keyed(laneA(), "k")
	x.enqueue(first)
	leased := x.lease(laneA(), 1)[0]
	x.settle(queue.Outcome{LeaseRef: leased.Ref(), Verdict: queue.VerdictDelivered, Status: "sent_to_external_queue"})
	if result := x.duplicate(x.keyed(laneA(), "k"), first.ID); result.Status != "sent_to_external_queue" {
		x.Errorf("the duplicate's status is %q", result.Status)
	}
}

func knownID(x *trial) {
	m := x.message(laneA())
	x.enqueue(m)
	x.duplicate(m, m.ID)
	x.lease(laneA(), 1)
	x.duplicate(m, m.ID)
	x.leaseNone(laneA())
}

func sixtyFourAtOnce(x *trial) {
	var kept, failed atomic.Int64
	start := make(chan struct{})
	var senders sync.WaitGroup
	for range 64 {
		m := x.keyed(laneA(), "k")
		senders.Go(func() {
			<-start
			results, err := x.store.Enqueue(x.Context(), []queue.Message{m})
			switch {
			case err != nil:
				failed.Add(1)
			case !results[0].Duplicate:
				kept.Add(1)
			}
		})
	}
	close(start)
	senders.Wait()
	if kept.Load() != 1 || failed.Load() != 0 {
		x.Errorf("%d of 64 messages with one key were kept and %d failed, want 1 and 0", kept.Load(), failed.Load())
	}
	x.lease(laneA(), 1)
	x.leaseNone(laneA())
}

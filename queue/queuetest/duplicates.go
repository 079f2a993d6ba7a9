package queuetest

import (
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
		{name: "a key is known while the record is", run: keyWhileRecord},
		{name: "a key has a lifetime", run: keyLifetime, forgets: true},
		{name: "a key has a lifetime after a restart", run: reopenKeyLifetime, forgets: true, reopens: true},
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

func keyWhileRecord(x *trial) {
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
	x.enqueue(x.keyed(laneA(), "k"))
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

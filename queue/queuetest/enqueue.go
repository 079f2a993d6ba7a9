package queuetest

import (
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func enqueueCases() []testCase {
	return []testCase{
		{name: "every field is kept", run: everyFieldIsKept},
		{name: "a record begins as pending", run: recordBegins},
		{name: "results are in the order of the batch", run: resultsInOrder},
		{name: "an empty batch", run: emptyBatch},
		{name: "all or nothing", run: allOrNothing},
		{name: "ten thousand at once", run: tenThousand},
		{name: "ids grow", run: idsGrow},
		{name: "ids are unique", run: idsAreUnique},
		{name: "an id need not be used in order", run: idsOutOfOrder},
	}
}

// fullMessage returns a message with all fields set.
func (x *trial) fullMessage(lane queue.Lane) queue.Message {
	m := x.message(lane)
	m.Text = true
	m.IdempotencyKey = "key-" + m.ID.String()
	m.Retry = "exponential"
	m.NotBefore = time.Now().Add(-x.unit)
	m.ExpiresAt = time.Now().Add(100 * x.unit)
	m.Payload = []byte{0, 1, 0xff, '"', '\''}
	m.Metadata = transport.Metadata{"a": "1", "ü": "\x01", "empty": ""}
	m.Priority = queue.PriorityHigh
	m.OrderingKey = "order-" + m.ID.String()
	m.SkipBlocked = true
	m.MinEvidence = transport.Acknowledged
	m.Targets = []queue.Target{targetOf(x.message(laneB())), targetOf(m)}
	m.Target = 1
	return m
}

// targetOf returns the place a message goes to.
func targetOf(m queue.Message) queue.Target {
	return queue.Target{Lane: m.Lane, Endpoint: m.Endpoint, URI: m.URI}
}

func everyFieldIsKept(x *trial) {
	full, bare := x.fullMessage(laneA()), queue.Message{ID: x.store.NewID(), Lane: laneA()}
	for _, m := range []queue.Message{full, bare} {
		want := m
		want.Payload, want.Metadata, want.Targets = slices.Clone(m.Payload), m.Metadata.Clone(), slices.Clone(m.Targets)
		x.enqueue(m)
		got := x.get(m.ID)
		if diff := diffMessages(&got.Message, &want); diff != "" {
			x.Errorf("get: %s", diff)
		}
		if got.Bytes != want.Size() {
			x.Errorf("Bytes is %d, want %d", got.Bytes, want.Size())
		}
		leased := x.lease(laneA(), 1)[0]
		if diff := diffMessages(&leased.Message, &want); diff != "" {
			x.Errorf("lease: %s", diff)
		}
	}
}

func recordBegins(x *trial) {
	now := time.Now()
	m := x.message(laneA())
	results, err := x.store.Enqueue(x.Context(), []queue.Message{m})
	if err != nil || len(results) != 1 || results[0] != (queue.Enqueued{ID: m.ID, Status: queue.StatusQueued}) {
		x.Fatalf("enqueue: %+v, %v", results, err)
	}
	r := x.get(m.ID)
	if r.State != queue.StatePending || r.Result != "" || r.Status != queue.StatusQueued ||
		r.Evidence != transport.None || r.Attempts != 0 || r.Replays != 0 || r.LastError != "" {
		x.Errorf("a new record is %+v", r)
	}
	x.about("CreatedAt", r.CreatedAt, now)
	x.about("QueuedAt", r.QueuedAt, now)
	x.about("UpdatedAt", r.UpdatedAt, now)
	x.about("NextAt", r.NextAt, now)

	later := x.message(laneA())
	later.NotBefore = now.Add(5 * x.unit)
	x.enqueue(later)
	r = x.get(later.ID)
	if r.State != queue.StatePending {
		x.Errorf("a new record with NotBefore is %s, want pending", r.State)
	}
	x.at("NextAt", r.NextAt, later.NotBefore)
}

func resultsInOrder(x *trial) {
	batch := make([]queue.Message, 50)
	for i := range batch {
		batch[i] = x.message([]queue.Lane{laneA(), laneB(), otherLane()}[i%3])
	}
	for i, id := range x.enqueue(batch...) {
		if id != batch[i].ID {
			x.Fatalf("result %d is for %s, want %s", i, id, batch[i].ID)
		}
	}
}

func emptyBatch(x *trial) {
	for _, batch := range [][]queue.Message{nil, {}} {
		if results, err := x.store.Enqueue(x.Context(), batch); err != nil || len(results) != 0 {
			x.Errorf("enqueue of nothing: %v, %v", results, err)
		}
	}
}

func allOrNothing(x *trial) {
	kept := x.message(laneB())
	kept.IdempotencyKey = "known"
	x.enqueue(kept)
	batch := []queue.Message{x.fullMessage(laneA()), x.fullMessage(laneA()), x.message(laneA()), x.message(laneA())}
	batch[2].IdempotencyKey = "known"
	batch[3].ID = transport.ID{} // an error
	if results, err := x.store.Enqueue(x.Context(), batch); err == nil {
		x.Fatalf("a message without an id was taken: %v", results)
	}
	x.gone(batch[0].ID, batch[1].ID, batch[2].ID)
	x.leaseNone(laneA())
	x.has(queue.StatePending, "", kept.ID)
	batch[3].ID = x.store.NewID()
	results, err := x.store.Enqueue(x.Context(), batch)
	if err != nil {
		x.Fatalf("enqueue: %v", err)
	}
	for i, result := range results {
		if result.Duplicate != (i == 2) {
			x.Errorf("the batch is kept now, and result %d is %+v", i, result)
		}
	}
}

func tenThousand(x *trial) {
	const n = 10_000
	ids := x.add(laneA(), n)
	leased := x.lease(laneA(), n)
	same(x, "leased", leasedIDs(leased), ids)
	x.end(queue.VerdictDelivered, time.Time{}, leased...)
	records, err := x.store.Get(x.Context(), ids, false)
	if err != nil || len(records) != n {
		x.Fatalf("get: %d records, %v", len(records), err)
	}
	for i := range records {
		if records[i].ID != ids[i] || records[i].Result != queue.Delivered {
			x.Fatalf("record %d is %s %s, want %s delivered", i, records[i].ID, records[i].Result, ids[i])
		}
	}
	listed := x.pages(x.store.List, queue.Query{Limit: queue.MaxPage})
	same(x, "listed", recordIDs(listed), ids)
}

func idsGrow(x *trial) {
	last := x.store.NewID()
	for i := range 5000 {
		if i%1000 == 0 {
			x.advance(x.unit / 1000)
		}
		id := x.store.NewID()
		if id.IsZero() || compareIDs(id, last) <= 0 {
			x.Fatalf("id %s came after %s", id, last)
		}
		last = id
	}
	x.about("the time in the id", last.Time(), time.Now())
}

func idsAreUnique(x *trial) {
	made := make([][]transport.ID, 8)
	var workers sync.WaitGroup
	for i := range made {
		workers.Go(func() {
			for range 1000 {
				made[i] = append(made[i], x.store.NewID())
			}
		})
	}
	workers.Wait()
	all := slices.Concat(made...)
	slices.SortFunc(all, compareIDs)
	if n := len(slices.Compact(all)); n != 8000 {
		x.Errorf("8000 ids are %d different ones", n)
	}
}

func idsOutOfOrder(x *trial) {
	batch := make([]queue.Message, 600)
	for i := range batch {
		batch[i] = x.message(laneA())
	}
	want := make([]transport.ID, len(batch))
	for i := range batch {
		want[i] = batch[i].ID
	}
	for i := range 3 { // every third, then the next ones, the latest first
		for j := len(batch) - 3 + i; j >= 0; j -= 3 {
			x.enqueue(batch[j])
		}
	}
	same(x, "listed", recordIDs(x.pages(x.store.List, queue.Query{Limit: 7})), want)
	for _, id := range want {
		x.has(queue.StatePending, "", id)
	}
}

package queuetest

import (
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// Bench measures a store: what it costs to enqueue one message and batches of
// 64, and to take a message, and batches, from Enqueue to delivered. ns/op and
// allocations are per message.
func Bench(b *testing.B, open Open) {
	b.Helper()
	for _, bench := range []struct {
		name  string
		size  int
		cycle bool
	}{
		{"Enqueue1", 1, false}, {"Enqueue64", 64, false}, {"Cycle1", 1, true}, {"Cycle64", 64, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			store := open(b)
			x := newCourse(b, store, bench.size)
			b.ReportAllocs()
			b.ResetTimer()
			for done := 0; done < b.N; done += bench.size {
				x.enqueue()
				if bench.cycle {
					x.deliver()
				}
				if x.kept += bench.size; bench.cycle && x.kept >= 4096 {
					x.purge()
				}
			}
			b.StopTimer()
			if err := store.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// course is a running benchmark and its scratch space.
type course struct {
	*testing.B
	store    queue.Store
	message  queue.Message // each is like it
	attempt  queue.Attempt // as is each attempt
	budgets  []queue.Budget
	batch    []queue.Message
	leased   []queue.Leased
	outcomes []queue.Outcome
	kept     int
}

// newCourse prepares all that is not the store's to do, so that the allocations
// are the store's.
func newCourse(b *testing.B, store queue.Store, size int) *course {
	b.Helper()
	lane := laneA()
	return &course{
		B: b, store: store, batch: make([]queue.Message, size),
		message: queue.Message{
			Lane: lane, Endpoint: lane.Destination, URI: transport.NewSecret(lane.Destination), Format: "raw", Payload: make([]byte, 1024),
		},
		attempt: queue.Attempt{StartedAt: time.Now(), Class: transport.Success, Evidence: transport.Acknowledged, Code: "200"},
		budgets: []queue.Budget{{Lane: lane, Max: size}},
	}
}

func (x *course) enqueue() {
	for i := range x.batch {
		x.batch[i] = x.message
		x.batch[i].ID = x.store.NewID()
	}
	if _, err := x.store.Enqueue(x.Context(), x.batch); err != nil {
		x.Fatal(err)
	}
}

func (x *course) deliver() {
	var err error
	x.leased, err = x.store.Lease(x.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: x.budgets}, x.leased[:0])
	if err != nil || len(x.leased) != len(x.batch) {
		x.Fatalf("leased %d messages, %v, want %d", len(x.leased), err, len(x.batch))
	}
	x.outcomes = x.outcomes[:0]
	for i := range x.leased {
		x.outcomes = append(x.outcomes, queue.Outcome{LeaseRef: x.leased[i].Ref(), Verdict: queue.VerdictDelivered, Attempt: &x.attempt})
	}
	if faults, err := x.store.Settle(x.Context(), x.outcomes); err != nil || faults != nil {
		x.Fatal(faults, err)
	}
}

func (x *course) purge() {
	if _, _, err := x.store.Purge(x.Context(), queue.Retention{Result: queue.Delivered, Keep: 1}, x.kept); err != nil {
		x.Fatal(err)
	}
	x.kept = 0
}

package sqlitequeue_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

// crashed opens what a kill -9 at this instant would leave of a store: the files
// as they are.
func crashed(t *testing.T, dir string) *sqlitequeue.Store {
	t.Helper()
	copied := t.TempDir()
	for _, name := range []string{"queue.db", "queue.db-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(copied, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	store, err := sqlitequeue.Open(t.Context(), copied, sqlitequeue.Options{OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return store
}

var slow, fast = queue.Lane{Profile: "p", Destination: "http://slow"}, queue.Lane{Profile: "p", Destination: "http://fast"}

func messageTo(store queue.Store, lane queue.Lane) queue.Message {
	return queue.Message{
		ID: store.NewID(), Lane: lane, Endpoint: lane.Destination, URI: transport.NewSecret(lane.Destination), Format: "raw", Payload: []byte("hello"),
	}
}

// leaseAll leases what is due in a lane.
func leaseAll(t *testing.T, store queue.Store, lane queue.Lane) []queue.Leased {
	t.Helper()
	leased, err := store.Lease(t.Context(), queue.LeaseRequest{
		TTL: time.Minute, Budgets: []queue.Budget{{Lane: lane, Max: 100}},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return leased
}

func deliverAll(t *testing.T, store queue.Store, lane queue.Lane) {
	t.Helper()
	var outcomes []queue.Outcome
	for _, leased := range leaseAll(t, store, lane) {
		outcomes = append(outcomes, queue.Outcome{LeaseRef: leased.Ref(), Verdict: queue.VerdictDelivered})
	}
	if lost, err := store.Settle(t.Context(), outcomes); err != nil || lost != nil {
		t.Fatal(lost, err)
	}
}

// The row of the log stays while one of its messages waits, and the others may be
// purged from the history meanwhile.
func TestWhatWasDeliveredAndPurgedDoesNotComeBackAfterACrash(t *testing.T) {
	t.Parallel()
	store := openWith(sqlitequeue.Options{})(t).(opened)
	defer func() { _ = store.Close(t.Context()) }()
	batch := []queue.Message{messageTo(store, fast), messageTo(store, fast), messageTo(store, slow)}
	if _, err := store.Enqueue(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	deliverAll(t, store, fast)
	removed, _, err := store.Purge(t.Context(), queue.Retention{Result: queue.Delivered, Before: time.Now().Add(time.Hour)}, 100)
	if err != nil || removed != 2 {
		t.Fatalf("Purge: %d, %v", removed, err)
	}
	after := crashed(t, store.dir)
	if again := leaseAll(t, after, fast); len(again) != 0 {
		t.Errorf("%d messages are to be delivered again, want none", len(again))
	}
	if left := leaseAll(t, after, slow); len(left) != 1 {
		t.Errorf("%d messages are left, want 1", len(left))
	}
}

// The same for one that failed first, and so went through the tables.
func TestWhatDiedAndWasPurgedDoesNotComeBackAfterACrash(t *testing.T) {
	t.Parallel()
	store := openWith(sqlitequeue.Options{})(t).(opened)
	defer func() { _ = store.Close(t.Context()) }()
	if _, err := store.Enqueue(t.Context(), []queue.Message{messageTo(store, fast), messageTo(store, slow)}); err != nil {
		t.Fatal(err)
	}
	leased := leaseAll(t, store, fast)
	if lost, err := store.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDead}}); err != nil || lost != nil {
		t.Fatal(lost, err)
	}
	held := leaseAll(t, store, slow)
	removed, _, err := store.Purge(t.Context(), queue.Retention{Result: queue.Dead, Before: time.Now().Add(time.Hour)}, 100)
	if err != nil || removed != 1 {
		t.Fatalf("Purge: %d, %v", removed, err)
	}
	after := crashed(t, store.dir)
	if again := leaseAll(t, after, fast); len(again) != 0 {
		t.Errorf("%d messages are to be delivered again, want none", len(again))
	}
	if lost, err := store.Settle(t.Context(), []queue.Outcome{{LeaseRef: held[0].Ref(), Verdict: queue.VerdictDelivered}}); err != nil || lost != nil {
		t.Errorf("settle what was leased meanwhile: %v, %v", lost, err)
	}
	stats, err := store.Stats(t.Context(), queue.ByTotal)
	if err != nil || stats[0].Waiting() != 0 || stats[0].Delivered != 1 {
		t.Errorf("Stats: %+v, %v", stats, err)
	}
}

// A message whose delivery ends the process is taken out of the way by one call that
// is answered while it is attempted.
func TestCancelledDuringTheAttemptThatACrashCutShort(t *testing.T) {
	t.Parallel()
	store := openWith(sqlitequeue.Options{})(t).(opened)
	defer func() { _ = store.Close(t.Context()) }()
	bad := messageTo(store, slow)
	if _, err := store.Enqueue(t.Context(), []queue.Message{bad}); err != nil {
		t.Fatal(err)
	}
	leaseAll(t, store, slow)
	if again := leaseAll(t, crashed(t, store.dir), slow); len(again) != 1 || again[0].Attempt != 1 {
		t.Fatalf("after a crash during the attempt: %+v, want it again, as the first", again)
	}
	if page, err := store.Cancel(t.Context(), queue.Query{IDs: []transport.ID{bad.ID}, Limit: 1}); err != nil || len(page.Records) != 1 {
		t.Fatal(page, err)
	}
	after := crashed(t, store.dir)
	if again := leaseAll(t, after, slow); len(again) != 0 {
		t.Errorf("%d messages are attempted again, want none", len(again))
	}
	ended, _, err := after.Expire(t.Context(), 10)
	if err != nil || len(ended) != 1 || ended[0].Result != queue.Cancelled {
		t.Errorf("Expire: %+v, %v", ended, err)
	}
}

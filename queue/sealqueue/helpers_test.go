package sealqueue

import (
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

func newMaster(tb testing.TB) *keyring.Master {
	tb.Helper()
	master, err := keyring.ParseMaster(keyring.NewMaster())
	if err != nil {
		tb.Fatal(err)
	}
	return master
}

func newRing(tb testing.TB, dir string, master *keyring.Master) *keyring.Keyring {
	tb.Helper()
	keys, err := keyring.Open(dir, master)
	if err != nil {
		tb.Fatal(err)
	}
	return keys
}

func newInner(tb testing.TB) queue.Store {
	tb.Helper()
	inner, err := memqueue.New(memqueue.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return inner
}

func newSeal(tb testing.TB, inner queue.Store, keys *keyring.Keyring, options Options) *Store {
	tb.Helper()
	s, err := New(inner, keys, options)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// newStore returns a sealed store, and what is inside.
func newStore(tb testing.TB) (*Store, *spy) {
	tb.Helper()
	inner := &spy{Store: newInner(tb)}
	return newSeal(tb, inner, newRing(tb, tb.TempDir(), newMaster(tb)), Options{}), inner
}

func lane(name string) queue.Lane {
	return queue.Lane{Profile: "acme", Destination: "https://" + name + ".example.com"}
}

// Texts that must not be seen.
const (
	secretPayload  = "canary-payload"
	secretMetadata = "canary-metadata"
	secretURI      = "canary-uri"
	secretResponse = "canary-response"
)

func newMessage(store queue.Store, at queue.Lane) queue.Message {
	return queue.Message{
		ID: store.NewID(), Lane: at, Endpoint: at.Destination + "/inbox", URI: transport.NewSecret(at.Destination + "/inbox#" + secretURI),
		Format: "raw", ContentType: "text/plain", Text: true, Payload: []byte("a " + secretPayload),
		Metadata: transport.Metadata{"x-" + secretMetadata: "1", "authorization": secretMetadata, "": ""}, IdempotencyKey: "",
	}
}

// enqueue keeps a message and returns it as it was.
func enqueue(tb testing.TB, store queue.Store, m queue.Message) queue.Message {
	tb.Helper()
	results, err := store.Enqueue(tb.Context(), []queue.Message{m})
	if err != nil || len(results) != 1 || results[0].ID != m.ID || results[0].Duplicate {
		tb.Fatalf("enqueue: %+v, %v", results, err)
	}
	return m
}

func leaseUpTo(tb testing.TB, store queue.Store, at queue.Lane, most int) ([]queue.Leased, queue.Budget) {
	tb.Helper()
	budgets := []queue.Budget{{Lane: at, Max: most, Ended: 99}}
	leased, err := store.Lease(tb.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, nil)
	if err != nil {
		tb.Fatalf("lease: %v", err)
	}
	return leased, budgets[0]
}

func lease(tb testing.TB, store queue.Store, at queue.Lane) queue.Leased {
	tb.Helper()
	leased, budget := leaseUpTo(tb, store, at, 1)
	if len(leased) != 1 || budget.Ended != 0 {
		tb.Fatalf("leased %d messages, and %d were ended", len(leased), budget.Ended)
	}
	return leased[0]
}

func settle(tb testing.TB, store queue.Store, outcome queue.Outcome) queue.Outcome {
	tb.Helper()
	outcomes := []queue.Outcome{outcome}
	if faults, err := store.Settle(tb.Context(), outcomes); err != nil || faults != nil {
		tb.Fatalf("settle: %v, %v", faults, err)
	}
	return outcomes[0]
}

func get(tb testing.TB, store queue.Store, id transport.ID) queue.Record {
	tb.Helper()
	records, err := store.Get(tb.Context(), []transport.ID{id}, false)
	if err != nil || len(records) != 1 {
		tb.Fatalf("get: %d records, %v", len(records), err)
	}
	return records[0]
}

func attempts(tb testing.TB, store queue.Store, id transport.ID) []queue.Attempt {
	tb.Helper()
	log, err := store.Attempts(tb.Context(), id)
	if err != nil {
		tb.Fatalf("attempts: %v", err)
	}
	return log
}

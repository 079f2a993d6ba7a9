package sqlitequeue

import (
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// TestKeysAreGivenBack: what the database has of keys goes with their lifetime, also
// that of messages which were removed long before, and after a restart.
func TestKeysAreGivenBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := filler{T: t, store: reopened(t, dir)}
		const messages = 5
		for i := range messages {
			f.put("a", func(m *queue.Message) { m.IdempotencyKey = fmt.Sprint("k", i) })
			f.end("a", queue.Outcome{Verdict: queue.VerdictDelivered})
			<-time.After(time.Minute)
		}
		f.purge(queue.Delivered, messages-1)
		f.wantKeys(messages, messages-1)
		<-time.After(DefaultKeyLifetime - messages*time.Minute + 10*time.Second)
		f.purge(queue.Delivered, 0) // which wakes it
		<-time.After(2 * keepEvery)
		f.wantKeys(messages-1, messages-2)
		must(t, f.store.Close(t.Context()))
		<-time.After(messages * time.Minute)
		f.store = reopened(t, dir)
		<-time.After(2 * keepEvery)
		f.wantKeys(0, 0)
		f.put("a", func(m *queue.Message) { m.IdempotencyKey = "k0" })
		f.wantKeys(1, 0)
		must(t, f.store.Close(t.Context()))
	})
	if report := check(t, dir, CheckOptions{}); !report.OK() {
		t.Errorf("check: %+v", report)
	}
}

// purge removes all records with a result but the latest.
func (f *filler) purge(result queue.Result, want int) {
	f.Helper()
	removed, _, err := f.store.Purge(f.Context(), queue.Retention{Result: result, Keep: 1}, 100)
	if err != nil || removed != want {
		f.Errorf("purge removed %d, %v, want %d", removed, err, want)
	}
}

// wantKeys checks how many runs of keys, and how many keys without their messages,
// the database has.
func (f *filler) wantKeys(runs, gone int64) {
	f.Helper()
	must(f.T, f.store.(*Store).exclusively(f.Context(), func(t *tx) error {
		for table, want := range map[string]int64{"keys": runs, "gone": gone} {
			if n, err := t.c.number("SELECT count(*) FROM " + table); err != nil || n != want {
				f.Errorf("%d rows of %s, %v, want %d", n, table, err, want)
			}
		}
		return nil
	}))
}

// TestKeysAreTold: two keys are told apart where all that memory has of them is the
// same.
func TestKeysAreTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	f.put("a", func(m *queue.Message) { m.IdempotencyKey = "k" })
	f.end("a", queue.Outcome{Verdict: queue.VerdictDelivered})
	f.put("a", func(*queue.Message) {})
	f.end("a", queue.Outcome{Verdict: queue.VerdictDelivered})
	f.purge(queue.Delivered, 1)
	known, other := queue.Message{Lane: laneOf("a"), IdempotencyKey: "k"}, queue.Message{Lane: laneOf("a"), IdempotencyKey: "l"}
	keys := &f.store.(*Store).keep.known
	must(t, f.store.(*Store).exclusively(t.Context(), func(*tx) error {
		shared, _ := keyHash(&other)
		hash, _ := keyHash(&known)
		keys.seqs[shared] = keys.seqs[hash]
		return nil
	}))
	for _, m := range []queue.Message{known, other} {
		m.ID = f.store.NewID()
		result, err := f.store.Enqueue(t.Context(), []queue.Message{m})
		if err != nil || result[0].Duplicate != (m.IdempotencyKey == "k") {
			t.Errorf("%s: %+v, %v", m.IdempotencyKey, result, err)
		}
	}
	must(t, f.store.Close(t.Context()))
}

// TestGoldenKeys: a key outlives its record in a store that was written long ago.
func TestGoldenKeys(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	undump(t, goldens()[len(goldens())-1]+".sql", filepath.Join(dir, databaseName))
	store, err := Open(t.Context(), dir, Options{KeyLifetime: ages})
	must(t, err)
	m := queue.Message{ID: store.NewID(), Lane: laneOf("done"), IdempotencyKey: "removed"}
	results, err := store.Enqueue(t.Context(), []queue.Message{m})
	if err != nil || !results[0].Duplicate || results[0].Status != "sent_to_external_queue" {
		t.Fatalf("enqueue: %+v, %v", results, err)
	}
	if found, err := store.Get(t.Context(), []transport.ID{results[0].ID}, false); err != nil || len(found) != 0 {
		t.Errorf("get: %v, %v", found, err)
	}
	must(t, store.Close(t.Context()))
}

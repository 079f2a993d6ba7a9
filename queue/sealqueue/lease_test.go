package sealqueue

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// TestUnreadable: a message that cannot be opened is dead, with a text that says
// why; it keeps nothing up, and its end is told.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(t *testing.T, store *Store, inner *spy, m *queue.Message)
		err   error
	}{
		"shredded": {func(t *testing.T, store *Store, _ *spy, _ *queue.Message) {
			if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
				t.Fatal(err)
			}
		}, keyring.ErrKeyMissing},
		"changed payload": {func(_ *testing.T, _ *Store, inner *spy, m *queue.Message) {
			id := m.ID
			inner.change = func(m *queue.Message) {
				if m.ID == id && len(m.Payload) > 0 {
					m.Payload[0] ^= 1
				}
			}
		}, ErrDamaged},
		"changed address": {func(_ *testing.T, _ *Store, inner *spy, m *queue.Message) {
			id := m.ID
			inner.change = func(m *queue.Message) {
				if m.ID == id {
					m.URI = transport.NewSecret(m.URI.Reveal() + "A")
				}
			}
		}, ErrDamaged},
		"not sealed": {func(_ *testing.T, store *Store, inner *spy, m *queue.Message) {
			store.options.SealedOnly = true
			id := m.ID
			inner.change = func(m *queue.Message) {
				if m.ID == id {
					m.URI = transport.NewSecret("https://a.example.com/planted")
				}
			}
		}, ErrNotSealed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, inner := newStore(t)
			var told []Unreadable
			store.options.OnUnreadable = func(u Unreadable) { told = append(told, u) }
			bad := enqueue(t, store, newMessage(store, lane("a")))
			size := bad.Size()
			test.spoil(t, store, inner, &bad)
			good := enqueue(t, store, newMessage(store, lane("a")))
			leased, budget := leaseUpTo(t, store, lane("a"), 10)
			if len(leased) != 1 || leased[0].ID != good.ID || string(leased[0].Payload) != string(good.Payload) || budget.Ended != 1 {
				t.Fatalf("leased %+v, ended %d", leased, budget.Ended)
			}
			if len(told) != 1 || told[0].ID != bad.ID || !errors.Is(told[0].Err, test.err) || !told[0].Ended || told[0].Endpoint != bad.Endpoint {
				t.Errorf("told %+v", told)
			}
			r := get(t, store, bad.ID)
			if r.Result != queue.Dead || r.Status != queue.StatusUndeliverable || !strings.Contains(r.LastError, test.err.Error()) {
				t.Errorf("the record is %+v", r)
			}
			log := attempts(t, store, bad.ID)
			if len(log) != 1 || log[0].Class != transport.Permanent || log[0].Evidence != transport.None || !strings.HasPrefix(log[0].Error, "not attempted") {
				t.Errorf("the log is %+v", log)
			}
			ended, _, err := store.Expire(t.Context(), 10)
			if err != nil || len(ended) != 1 {
				t.Fatalf("expire: %d records, %v", len(ended), err)
			}
			e := ended[0]
			if e.ID != bad.ID || e.Result != queue.Dead || e.State != queue.StateDone || e.Bytes != size || e.LastError != r.LastError ||
				e.Attempts != r.Attempts || e.Payload != nil || e.Metadata != nil || !e.URI.IsZero() {
				t.Errorf("ended: %+v", e)
			}
			if ended, _, err = store.Expire(t.Context(), 10); err != nil || len(ended) != 0 {
				t.Errorf("told again: %+v, %v", ended, err)
			}
		})
	}
}

// TestManyUnreadable: those behind them are reached, lane by lane.
func TestManyUnreadable(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	for i := range 10 {
		enqueue(t, store, newMessage(store, lane(fmt.Sprint(i%2))))
	}
	if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	good := enqueue(t, store, newMessage(store, lane("1")))
	budgets := []queue.Budget{{Lane: lane("0"), Max: 3}, {Lane: lane("1"), Max: 7}}
	before := queue.Leased{Token: 77}
	leased, err := store.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, []queue.Leased{before})
	if err != nil || len(leased) != 2 || leased[0].Token != 77 || leased[1].ID != good.ID {
		t.Fatalf("leased %+v, %v", leased, err)
	}
	if budgets[0].Ended != 3 || budgets[1].Ended != 5 || budgets[0].NextAt.IsZero() {
		t.Errorf("budgets: %+v", budgets)
	}
	for _, want := range []int{5, 3, 0} {
		if ended, next, err := store.Expire(t.Context(), 5); err != nil || len(ended) != want || want > 0 && next.After(time.Now()) {
			t.Errorf("expire: %d records, want %d; next %v, %v", len(ended), want, next, err)
		}
	}
}

// TestReplayUnreadable: a message whose key is found again can be replayed; else it
// is dead again.
func TestReplayUnreadable(t *testing.T) {
	t.Parallel()
	dir, master, inner := t.TempDir(), newMaster(t), newInner(t)
	store := newSeal(t, inner, newRing(t, dir, master), Options{})
	m := enqueue(t, store, newMessage(store, lane("a")))
	path := filepath.Join(dir, keyring.FileName)
	backup, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if leased, budget := leaseUpTo(t, store, lane("a"), 1); len(leased) != 0 || budget.Ended != 1 {
			t.Fatalf("leased %d messages, ended %d", len(leased), budget.Ended)
		}
		page, err := store.Replay(t.Context(), queue.Query{})
		if err != nil || len(page.Records) != 1 {
			t.Fatalf("replay: %+v, %v", page, err)
		}
	}
	if err := os.WriteFile(path, backup, 0o600); err != nil {
		t.Fatal(err)
	}
	l := lease(t, store, lane("a"))
	same(t, &l.Message, &m)
}

// TestKeyringOutOfReach: what is not known to be lost is kept, and does not stand
// in the way.
func TestKeyringOutOfReach(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir, master, inner := t.TempDir(), newMaster(t), newInner(t)
		store := newSeal(t, inner, newRing(t, dir, master), Options{})
		other := newSeal(t, inner, newRing(t, dir, master), Options{})
		first := enqueue(t, store, newMessage(store, lane("a")))
		lease(t, other, lane("a")) // so that it knows the first key
		if _, err := store.keys.Rotate(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		m := enqueue(t, store, newMessage(store, lane("a")))
		path := filepath.Join(dir, keyring.FileName)
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		var told []Unreadable
		other.options.OnUnreadable = func(u Unreadable) { told = append(told, u) }
		if leased, budget := leaseUpTo(t, other, lane("a"), 1); len(leased) != 0 || budget.Ended != 0 {
			t.Fatalf("leased %d messages, ended %d", len(leased), budget.Ended)
		}
		if len(told) != 1 || told[0].Ended || !errors.Is(told[0].Err, keyring.ErrExposed) {
			t.Errorf("told %+v", told)
		}
		if r := get(t, store, m.ID); r.State != queue.StatePending || r.Attempts != 0 {
			t.Errorf("the record is %s after %d attempts", r.State, r.Attempts)
		}
		if err := os.Chmod(path, 0o600); err != nil {
			t.Fatal(err)
		}
		if leased, _ := leaseUpTo(t, other, lane("a"), 1); len(leased) != 0 {
			t.Error("it was leased at once again")
		}
		<-time.NewTimer(lookAgain + time.Millisecond).C
		if l := lease(t, other, lane("a")); l.ID != m.ID || l.Attempt != 1 || string(l.Payload) != string(first.Payload) {
			t.Errorf("leased %+v", l)
		}
	})
}

// TestOutcomeNotRecorded: a message whose end cannot be recorded is not lost
// either.
func TestOutcomeNotRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		store, inner := newStore(t)
		var told []Unreadable
		store.options.OnUnreadable = func(u Unreadable) { told = append(told, u) }
		enqueue(t, store, newMessage(store, lane("a")))
		if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
			t.Fatal(err)
		}
		inner.refuse = queue.ErrStoreFailed
		if leased, budget := leaseUpTo(t, store, lane("a"), 1); len(leased) != 0 || budget.Ended != 0 {
			t.Fatalf("leased %d messages, ended %d", len(leased), budget.Ended)
		}
		if len(told) != 1 || told[0].Ended || !errors.Is(told[0].Err, queue.ErrStoreFailed) || !errors.Is(told[0].Err, keyring.ErrKeyMissing) {
			t.Errorf("told %+v", told)
		}
		if ended, _, err := store.Expire(t.Context(), 1); err != nil || len(ended) != 0 {
			t.Errorf("ended: %+v, %v", ended, err)
		}
		inner.refuse = nil
		<-time.NewTimer(time.Minute + time.Millisecond).C // the lease's
		if leased, budget := leaseUpTo(t, store, lane("a"), 1); len(leased) != 0 || budget.Ended != 1 {
			t.Errorf("leased %d messages, ended %d", len(leased), budget.Ended)
		}
	})
}

// TestCancelledMeanwhile: what is cancelled while it is put off ends, and is told.
func TestCancelledMeanwhile(t *testing.T) {
	t.Parallel()
	dir, master, inner := t.TempDir(), newMaster(t), &spy{Store: newInner(t)}
	store := newSeal(t, inner, newRing(t, dir, master), Options{})
	empty := newSeal(t, inner, newRing(t, dir, master), Options{}) // knows no key yet
	m := enqueue(t, store, newMessage(store, lane("a")))
	if err := os.Chmod(filepath.Join(dir, keyring.FileName), 0o644); err != nil {
		t.Fatal(err)
	}
	inner.leased = func() {
		if _, err := inner.Cancel(t.Context(), queue.Query{}); err != nil {
			t.Error(err)
		}
	}
	if leased, budget := leaseUpTo(t, empty, lane("a"), 1); len(leased) != 0 || budget.Ended != 1 {
		t.Fatalf("leased %d messages, ended %d", len(leased), budget.Ended)
	}
	ended, _, err := empty.Expire(t.Context(), 1)
	if err != nil || len(ended) != 1 || ended[0].ID != m.ID || ended[0].Result != queue.Cancelled || ended[0].Attempts != 0 {
		t.Errorf("ended: %+v, %v", ended, err)
	}
}

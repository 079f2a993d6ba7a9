package sealqueue

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/transport"
)

// TestTurnedOnLater: what was kept in the clear is delivered, beside what is sealed.
func TestTurnedOnLater(t *testing.T) {
	t.Parallel()
	inner := newInner(t)
	old := enqueue(t, inner, newMessage(inner, lane("a")))
	lookalike := newMessage(inner, lane("a"))
	lookalike.Payload = []byte(marker + "AAAA")
	enqueue(t, inner, lookalike)
	bare := newMessage(inner, lane("a"))
	bare.URI = transport.Secret{}
	enqueue(t, inner, bare)
	store := newSeal(t, inner, newRing(t, t.TempDir(), newMaster(t)), Options{})
	sealed := enqueue(t, store, newMessage(store, lane("a")))
	leased, budget := leaseUpTo(t, store, lane("a"), 10)
	if len(leased) != 4 || budget.Ended != 0 {
		t.Fatalf("leased %d messages, ended %d", len(leased), budget.Ended)
	}
	for i, want := range []queue.Message{old, lookalike, bare, sealed} {
		same(t, &leased[i].Message, &want)
	}
	settle(t, store, queue.Outcome{
		LeaseRef: leased[0].Ref(), Verdict: queue.VerdictRetry, Attempt: &queue.Attempt{Response: []byte("sealed though the message is not")},
	})
	if log := attempts(t, store, old.ID); len(log) != 1 || string(log[0].Response) != "sealed though the message is not" {
		t.Errorf("the log: %+v", log)
	}
}

// TestLooksSealed: what a sender makes look sealed is sealed, and comes back.
func TestLooksSealed(t *testing.T) {
	t.Parallel()
	store, inner := newStore(t)
	kept := keptMessage(t, store, inner, nil)
	m := newMessage(store, lane("a"))
	m.URI, m.Payload = kept.URI, kept.Payload
	enqueue(t, store, m)
	leased, _ := leaseUpTo(t, store, lane("a"), 10)
	if len(leased) != 2 {
		t.Fatalf("leased %d messages", len(leased))
	}
	same(t, &leased[1].Message, &m)
	// A peer's answer that was kept in the clear and looks sealed is left out.
	answer := queue.Attempt{Response: []byte(responseMarker + "so says the peer, and no more than that: it is no envelope at all")}
	if _, err := inner.Store.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[1].Ref(), Verdict: queue.VerdictRetry, Attempt: &answer}}); err != nil {
		t.Fatal(err)
	}
	if log := attempts(t, store, m.ID); len(log) != 1 || log[0].Response != nil || log[0].Note == "" {
		t.Errorf("the log: %+v", log)
	}
}

func TestRotateAndRewrap(t *testing.T) {
	t.Parallel()
	dir, master, next, inner := t.TempDir(), newMaster(t), newMaster(t), newInner(t)
	store := newSeal(t, inner, newRing(t, dir, master), Options{})
	first := enqueue(t, store, newMessage(store, lane("a")))
	if _, err := store.keys.Rotate(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	second := enqueue(t, store, newMessage(store, lane("a")))
	if err := store.keys.Rewrap(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	third := enqueue(t, store, newMessage(store, lane("a")))
	if _, err := keyring.Open(dir, master); !errors.Is(err, keyring.ErrWrongKey) {
		t.Errorf("the old master key: %v", err)
	}
	again := newSeal(t, inner, newRing(t, dir, next), Options{SealedOnly: true})
	leased, _ := leaseUpTo(t, again, lane("a"), 10)
	if len(leased) != 3 {
		t.Fatalf("leased %d messages", len(leased))
	}
	for i, want := range []queue.Message{first, second, third} {
		same(t, &leased[i].Message, &want)
	}
}

// TestShredOneProfile: the others' messages and all that is readable stay.
func TestShredOneProfile(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	other := lane("a")
	other.Profile = "other"
	acme, kept := enqueue(t, store, newMessage(store, lane("a"))), enqueue(t, store, newMessage(store, other))
	l := lease(t, store, lane("a"))
	settle(t, store, queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Attempt: &queue.Attempt{Error: "busy", Response: []byte(secretResponse)}})
	if _, err := store.keys.Shred(t.Context(), "acme"); err != nil {
		t.Fatal(err)
	}
	same(t, &func() *queue.Leased { l := lease(t, store, other); return &l }().Message, &kept)
	log := attempts(t, store, acme.ID)
	if len(log) != 1 || log[0].Response != nil || log[0].Note == "" || log[0].Error != "busy" {
		t.Errorf("the log: %+v", log)
	}
}

// TestKeyOnDiskFirst: no message is kept whose key is not.
func TestKeyOnDiskFirst(t *testing.T) {
	t.Parallel()
	dir, inner := filepath.Join(t.TempDir(), "dir"), &spy{Store: newInner(t)}
	store := newSeal(t, inner, newRing(t, dir, newMaster(t)), Options{})
	m := newMessage(store, lane("a"))
	if _, err := store.Enqueue(t.Context(), []queue.Message{m}); err == nil || len(inner.kept) != 0 {
		t.Fatalf("%d messages are kept without a key on disk, %v", len(inner.kept), err)
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	enqueue(t, store, m)
	if _, err := os.Stat(filepath.Join(dir, keyring.FileName)); err != nil {
		t.Error(err)
	}
}

// TestAnswerWithoutKey: an outcome is recorded also where its answer cannot be
// sealed.
func TestAnswerWithoutKey(t *testing.T) {
	t.Parallel()
	inner := newInner(t)
	m := enqueue(t, inner, newMessage(inner, lane("a")))
	store := newSeal(t, inner, newRing(t, filepath.Join(t.TempDir(), "none"), newMaster(t)), Options{})
	l := lease(t, store, lane("a"))
	outcome := settle(t, store, queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictDelivered, Attempt: &queue.Attempt{Note: "n", Response: []byte(secretResponse)}})
	log := attempts(t, inner, m.ID)
	if outcome.Result != queue.Delivered || len(log) != 1 || log[0].Response != nil || log[0].Note == "n" {
		t.Errorf("result %q, log %+v", outcome.Result, log)
	}
}

// TestLeasedBefore: a process that did not lease a message can settle it, and its
// answer is sealed.
func TestLeasedBefore(t *testing.T) {
	t.Parallel()
	dir, master, inner := t.TempDir(), newMaster(t), &spy{Store: newInner(t)}
	store := newSeal(t, inner, newRing(t, dir, master), Options{})
	m := enqueue(t, store, newMessage(store, lane("a")))
	l := lease(t, store, lane("a"))
	again := newSeal(t, inner, newRing(t, dir, master), Options{})
	settle(t, again, queue.Outcome{LeaseRef: l.Ref(), Verdict: queue.VerdictDelivered, Attempt: &queue.Attempt{Response: []byte(secretResponse)}})
	if log := attempts(t, store, m.ID); len(log) != 1 || string(log[0].Response) != secretResponse || inner.seen(secretResponse) != "" {
		t.Errorf("the log: %+v, the answer is inside %s", log, inner.seen(secretResponse))
	}
	gone := queue.LeaseRef{ID: store.NewID(), Token: 1}
	faults, err := store.Settle(t.Context(), []queue.Outcome{{LeaseRef: gone, Verdict: queue.VerdictDead, Attempt: &queue.Attempt{Response: []byte("x")}}})
	if err != nil || len(faults) != 1 || !errors.Is(faults[0], queue.ErrLeaseLost) {
		t.Errorf("settle of what is not there: %v, %v", faults, err)
	}
	for _, profile := range store.keys.Profiles() {
		if profile.Profile == "" {
			t.Error("a key was made for no profile")
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, newRing(t, t.TempDir(), newMaster(t)), Options{}); err == nil {
		t.Error("no store was taken")
	}
	if _, err := New(newInner(t), nil, Options{}); err == nil {
		t.Error("no keyring was taken")
	}
}

package sqlitequeue

import (
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// turnsOf is how many turns memory knows.
func turnsOf(t *testing.T, s *Store) (n int) {
	t.Helper()
	must(t, s.exclusively(t.Context(), func(tx *tx) error {
		n = len(tx.s.turns)
		return nil
	}))
	return n
}

func keyed(s *Store, key string) queue.Message {
	m := testMessage(s, key)
	m.OrderingKey = key
	return m
}

// TestTurnsAreBounded: memory knows the turns of the keys that were used lately; all
// that are in the log, and none of them after a start.
func TestTurnsAreBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const keys, fresh, most = 50, 10, 20
	s := testOpen(t, dir, Options{Window: fresh})
	for i := range keys {
		testEnqueue(t, s, keyed(s, fmt.Sprint(i)), keyed(s, fmt.Sprint(i)))
	}
	must(t, s.exclusively(t.Context(), func(tx *tx) error {
		tx.s.forgetTurns(most)
		if n := len(tx.s.turns); n != most {
			t.Errorf("%d turns are known, want %d", n, most)
		}
		tx.s.forgetTurns(0)
		if n := len(tx.s.turns); n != fresh {
			t.Errorf("%d turns are known, want those of the %d messages in the log", n, fresh)
		}
		return nil
	}))
	leased, _ := testLease(t, s, 2*keys)
	if len(leased) != keys {
		t.Errorf("leased %d, want one of each key", len(leased))
	}
	must(t, s.Close(t.Context()))
	s = testOpen(t, dir, Options{Window: fresh})
	if n := turnsOf(t, s); n != 0 {
		t.Errorf("%d turns are known after the start, want none", n)
	}
	if leased, _ := testLease(t, s, 2*keys); len(leased) != keys {
		t.Errorf("leased %d after the start, want one of each key", len(leased))
	}
}

// TestLostTurn: where damage has taken the message that had the turn, the next that
// comes has it passed on, in order.
func TestLostTurn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{})
	lost, second := keyed(s, "k"), keyed(s, "k")
	lost.NotBefore = time.Now().Add(time.Hour) // so that it is in the tables
	testEnqueue(t, s, lost, second)
	must(t, s.exclusively(t.Context(), func(tx *tx) error {
		return tx.c.exec("UPDATE message SET status = 7 WHERE seq = ?", seqOf(lost.ID))
	}))
	must(t, s.Close(t.Context()))
	s = testOpen(t, dir, Options{})
	third := keyed(s, "k")
	testEnqueue(t, s, third)
	for _, want := range []queue.Message{second, third} {
		leased, _ := testLease(t, s, 10)
		if len(leased) != 1 || leased[0].ID != want.ID {
			t.Fatalf("leased %v, want %s", leased, want.ID)
		}
		_, err := s.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered}})
		must(t, err)
	}
}

// TestTurnOfDamagedLog: where the message that had the turn is damaged in the log, it
// ends when it is leased, and the next has the turn.
func TestTurnOfDamagedLog(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{})
	second := keyed(s, "k")
	testEnqueue(t, s, keyed(s, "k"))
	testEnqueue(t, s, second)
	must(t, s.exclusively(t.Context(), func(tx *tx) error {
		return tx.c.exec("UPDATE accepted SET records = substr(records, 1, length(records) - 3)")
	}))
	again := testOpen(t, crashed(t, s.dir), Options{})
	testLease(t, again, 10)
	if ended, _, err := again.Expire(t.Context(), 10); err != nil || len(ended) != 1 || ended[0].Result != queue.Dead {
		t.Fatalf("ended %v, %v, want the damaged one, dead", ended, err)
	}
	if leased, _ := testLease(t, again, 10); len(leased) != 1 || leased[0].ID != second.ID {
		t.Errorf("leased %v, want the second", leased)
	}
}

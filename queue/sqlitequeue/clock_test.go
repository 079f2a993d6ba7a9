package sqlitequeue

import (
	"context"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// openAhead opens a store on a machine whose wall clock is ahead of ours.
func openAhead(t *testing.T, dir string, ahead time.Duration) *Store {
	t.Helper()
	s, err := New(dir, Options{OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	s.clock.ahead, s.clock.origin = int64(ahead), s.clock.origin+int64(ahead)
	if err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.WithoutCancel(t.Context())) })
	return s
}

// TestClockSetBetweenTwoRuns: the wall clock may be an hour or a year off when a
// machine starts, and be set before the next start. What was due is due, what waits
// for a retry waits no longer than it was to, and new ids follow the old ones.
func TestClockSetBetweenTwoRuns(t *testing.T) {
	t.Parallel()
	for name, ahead := range map[string]time.Duration{
		"not":            0,
		"back an hour":   time.Hour,
		"back a year":    365 * 24 * time.Hour,
		"ahead an hour":  -time.Hour,
		"ahead a decade": -10 * 365 * 24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			before := openAhead(t, dir, ahead)
			retried, later := testMessage(before, "retried"), testMessage(before, "later")
			later.NotBefore = time.Now().Add(time.Hour)
			testEnqueue(t, before, retried, later)
			leased, _ := testLease(t, before, 1)
			outcome := queue.Outcome{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictRetry, At: time.Now().Add(time.Millisecond)}
			if lost, err := before.Settle(t.Context(), []queue.Outcome{outcome}); lost != nil || err != nil {
				t.Fatal(lost, err)
			}
			fresh := testMessage(before, "fresh")
			testEnqueue(t, before, fresh)
			if err := before.Close(t.Context()); err != nil {
				t.Fatal(err)
			}

			after := openAhead(t, dir, 0)
			budget := queue.Budget{Lane: testLane, Max: 10}
			var got []queue.Leased
			for began := time.Now(); len(got) < 2 && time.Since(began) < time.Second; {
				budgets := []queue.Budget{budget}
				var err error
				if got, err = after.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, got); err != nil {
					t.Fatal(err)
				}
				budget = budgets[0]
			}
			want := 2
			if ahead < 0 { // then the time of the third has come, as far as anybody knows
				want = 3
			}
			if len(got) != want {
				t.Fatalf("%d messages are due, want %d", len(got), want)
			}
			if id := after.NewID(); id.String() <= fresh.ID.String() {
				t.Errorf("the new id %s does not follow %s", id, fresh.ID)
			}
		})
	}
}

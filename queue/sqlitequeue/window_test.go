package sqlitequeue

import (
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// TestMemoryIsBounded: however many lanes there are, and however small their
// messages, memory has no more than the window; and what it reads is no more than
// what is leased, once the window is full.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const lanes, each, window = 100, 50, 1000
	s := testOpen(t, t.TempDir(), Options{WindowBytes: window * itemBytes})
	var budgets []queue.Budget
	for n := range lanes {
		lane := laneOf(fmt.Sprint(n))
		budgets = append(budgets, queue.Budget{Lane: lane, Max: 2})
		batch := make([]queue.Message, each)
		for i := range batch {
			batch[i] = queue.Message{ID: s.NewID(), Lane: lane}
		}
		testEnqueue(t, s, batch...)
	}
	inMemory := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.items)
	}
	before := inMemory()
	if before < window/2 || before > window+each {
		t.Errorf("%d messages are in memory, want about %d", before, window)
	}
	leased, err := s.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, nil)
	if err != nil || len(leased) != 2*lanes {
		t.Fatalf("leased %d, %v; want %d", len(leased), err, 2*lanes)
	}
	if after := inMemory(); after > before+2*lanes {
		t.Errorf("%d messages are in memory after %d were leased, and %d before", after, len(leased), before)
	}
}

// TestMemoryIsBoundedByLane: of each lane and priority memory has no more than the
// window, whatever becomes of the messages, so that one lane leaves room for others.
func TestMemoryIsBoundedByLane(t *testing.T) {
	t.Parallel()
	const window = 20
	s := testOpen(t, t.TempDir(), Options{Window: window})
	priorities := []queue.Priority{queue.PriorityHigh, queue.PriorityNormal}
	lanes := []queue.Lane{laneOf("a"), laneOf("b")}
	send := func(each int) {
		for range each {
			for _, lane := range lanes {
				for _, priority := range priorities {
					testEnqueue(t, s, queue.Message{ID: s.NewID(), Lane: lane, Priority: priority})
				}
			}
		}
	}
	lease := func(each int) (again []queue.Outcome) {
		for _, lane := range lanes {
			leased, _ := leaseMost(t, s, lane, each)
			for i := range leased {
				again = append(again, queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictRetry})
			}
		}
		return again
	}
	retry := func(again []queue.Outcome) {
		if lost, err := s.Settle(t.Context(), again); err != nil || lost != nil {
			t.Fatal(lost, err)
		}
	}
	check := func(when string, least int) {
		t.Helper()
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, lane := range lanes {
			for _, priority := range priorities {
				if n := s.lanes[lane].levels[levelOf(priority)].ready.count; n < least || n > window {
					t.Errorf("%s: %d messages of %s, %v are in memory, want %d to %d", when, n, lane.Destination, priority, least, window)
				}
			}
		}
	}
	send(window)
	first := lease(len(priorities) * window)
	send(window)
	retry(first)
	check("some are to be attempted again", window)
	lease(2 * len(priorities) * window)
	send(10 * window)
	check("more were accepted than there is room for", window)
	retry(lease(5 * window))
	check("some of them were attempted", 0)
}

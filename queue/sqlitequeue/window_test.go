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

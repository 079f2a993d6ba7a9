package memqueue

import (
	"fmt"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// TestPassedPausesAreDropped: destinations that were once paused cost nothing,
// also where nobody lists them.
func TestPassedPausesAreDropped(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{}, func(f *fixture) {
		set := func(destination string, until time.Time) {
			t.Helper()
			lane := queue.Lane{Profile: "acme", Destination: destination}
			if err := f.SetLane(f.Context(), queue.LaneState{Lane: lane, PausedUntil: until}); err != nil {
				t.Fatal(err)
			}
		}
		const held = 100
		for i := range held {
			set(fmt.Sprint("held ", i), queue.Forever)
		}
		most := 0
		for round := range 200 {
			for i := range 50 {
				set(fmt.Sprint("round ", round, " ", i), time.Now().Add(time.Second))
				most = max(most, f.state.len())
			}
			<-time.NewTimer(time.Minute).C
		}
		if limit := 2*(held+50) + 1; most > limit {
			t.Errorf("%d states were kept at once, of which %d held: want at most %d", most, held+50, limit)
		}
		states, err := f.Lanes(f.Context())
		if err != nil || len(states) != held || f.state.len() != held {
			t.Errorf("%d states are listed and %d kept, %v, want %d", len(states), f.state.len(), err, held)
		}
	})
}

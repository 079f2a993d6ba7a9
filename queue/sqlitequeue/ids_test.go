package sqlitequeue

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// TestIDsAreNeverMadeTwice: a store that is opened again makes ids that follow all
// that were made before, when no message is left to tell of them, and the clock has
// been set back: each life begins at the same instant. After a crash they have other
// rows at least.
func TestIDsAreNeverMadeTwice(t *testing.T) {
	t.Parallel()
	for name, crash := range map[string]bool{"closed": false, "crashed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			var latest transport.ID
			for life := range 3 {
				synctest.Test(t, func(t *testing.T) { // whose clock begins anew
					s := testOpen(t, dir, Options{})
					first := s.NewID()
					if first.Sequence() <= latest.Sequence() {
						t.Errorf("life %d: the first id %s has row %d, and there was row %d", life, first, first.Sequence(), latest.Sequence())
					}
					if !crash && first.String() <= latest.String() {
						t.Errorf("life %d: the first id %s does not follow %s", life, first, latest)
					}
					<-time.After(time.Hour)
					for range 100 {
						testEnqueue(t, s, testMessage(s, ""))
					}
					removeAll(t, s)
					for range 10_000 { // of messages that are on their way
						latest = s.NewID()
					}
					if crash { // at once: maintenance has seen none of them
						synctest.Wait() // the files are not copied at one instant
						left := filepath.Join(dir, fmt.Sprint(life))
						copyStore(t, dir, left)
						dir = left
					}
					must(t, s.Close(t.Context()))
				})
			}
		})
	}
}

// copyStore makes what a crash at this instant would leave of a store.
func copyStore(t *testing.T, from, to string) {
	t.Helper()
	must(t, os.Mkdir(to, 0o700))
	for _, name := range []string{databaseName, databaseName + "-wal"} {
		content, err := os.ReadFile(filepath.Join(from, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(to, name), content, 0o600))
	}
}

// removeAll delivers all messages of the lane, and has none of them kept.
func removeAll(t *testing.T, s *Store) {
	t.Helper()
	for {
		leased, _ := testLease(t, s, 1000)
		if len(leased) == 0 {
			break
		}
		outcomes := make([]queue.Outcome, len(leased))
		for i := range leased {
			outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictDelivered}
		}
		if lost, err := s.Settle(t.Context(), outcomes); err != nil || lost != nil {
			t.Fatal(lost, err)
		}
	}
	for more := true; more; {
		var err error
		_, more, err = s.Purge(t.Context(), queue.Retention{Result: queue.Delivered, Before: time.Now().Add(time.Hour)}, 1000)
		must(t, err)
	}
}

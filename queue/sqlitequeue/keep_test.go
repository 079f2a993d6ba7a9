package sqlitequeue

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// TestRoomIsGivenBack: once what is kept has been removed, the file gets shorter by
// itself.
func TestRoomIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s := testOpen(t, dir, Options{})
		size := func() int64 {
			info, err := os.Stat(filepath.Join(dir, databaseName))
			must(t, err)
			return info.Size()
		}
		const all = 28
		for range all {
			m := testMessage(s, "")
			m.Payload = bytes.Repeat([]byte("x"), 1<<20)
			testEnqueue(t, s, m)
			leased, _ := testLease(t, s, 1)
			_, err := s.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDead}})
			must(t, err)
		}
		before := size()
		removed, _, err := s.Purge(t.Context(), queue.Retention{Result: queue.Dead, Before: time.Now().Add(time.Hour)}, 2*all)
		if err != nil || removed != all || before < 16<<20 {
			t.Fatalf("removed %d, %v, of %d bytes", removed, err, before)
		}
		<-time.After(time.Minute)
		if after := size(); after > 2*vacuumFrom*4096 {
			t.Errorf("the file has %d bytes a minute after, and had %d before", after, before)
		}
		must(t, s.Close(t.Context()))
	})
}

// TestLogAgesInParts: messages that leave the log are not so many at once that others
// would wait for them for long.
func TestLogAgesInParts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testOpen(t, t.TempDir(), Options{})
		fresh := func() int {
			synctest.Wait()
			s.mu.Lock()
			defer s.mu.Unlock()
			return len(s.fresh)
		}
		const all, atOnce = 10, ageBytes >> 20
		for range all {
			m := testMessage(s, "")
			m.Payload = bytes.Repeat([]byte("x"), 1<<20)
			testEnqueue(t, s, m)
		}
		<-time.After(freshFor - time.Millisecond)
		for want := all; want > 0; want = max(0, want-atOnce) {
			if got := fresh(); got != want {
				t.Errorf("the log has %d messages, want %d", got, want)
			}
			<-time.After(keepEvery)
		}
		if got := fresh(); got != 0 {
			t.Errorf("the log has %d messages for ever", got)
		}
		must(t, s.Close(t.Context()))
	})
}

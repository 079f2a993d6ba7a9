package outbound_test

import (
	"testing"
	"testing/synctest"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestOutcomesOnTheirWayAreBounded: what is attempted, and not recorded, may arrive
// twice after a crash. It is no more than three messages for each worker, whatever
// the disk does.
func TestOutcomesOnTheirWayAreBounded(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const workers, all = 4, 100
		store, disk := newBadStore(t), make(chan struct{})
		store.settle = func() error { <-disk; return nil }
		f := startOver(t, store, &driver{}, outbound.Options{Workers: workers})
		var ids []transport.ID
		for range all {
			ids = append(ids, f.send("test://host/", nil))
		}
		synctest.Wait()
		// The batch that is being recorded began with one outcome at least.
		if n := len(f.driver.seen()); n < 2*workers+1 || n > 3*workers {
			t.Errorf("%d messages were attempted before an outcome was recorded, want %d to %d", n, 2*workers+1, 3*workers)
		}
		close(disk)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			f.wantResult(id, queue.Delivered)
		}
		if n := len(f.driver.seen()); n != all {
			t.Errorf("%d attempts for %d messages", n, all)
		}
	})
}

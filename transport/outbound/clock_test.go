package outbound_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestPurgeDoesNotHoldUpRetries(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		var parts atomic.Int64
		store.purge = func() bool { // takes 10 s in all
			if parts.Add(1) > 100 {
				return false
			}
			pass(100 * time.Millisecond)
			return true
		}
		d := newFailing(fail(transport.Temporary))
		f := startOver(t, store, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3}})
		pass(time.Hour - time.Millisecond) // it purges every hour
		began := time.Now()
		f.send("test://host/", nil)
		pass(time.Minute)
		seen := d.seen()
		if n := parts.Load(); n <= 100 || len(seen) != 3 {
			t.Fatalf("%d parts were purged and %d attempts made", n, len(seen))
		}
		if first := seen[1].at.Sub(began); first > 2*time.Second {
			t.Errorf("a retry that was due after about 1 s came after %v", first)
		}
	})
}

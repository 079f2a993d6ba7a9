package memqueue_test

import (
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/queuetest"
)

func open(tb testing.TB) queue.Store {
	tb.Helper()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, open, queuetest.Features{KeyLifetime: memqueue.DefaultKeyLifetime})
}

// TestFewKeys runs the suite with keys that are forgotten soon, and few of them.
func TestFewKeys(t *testing.T) {
	t.Parallel()
	const lifetime, keys = 3 * time.Hour, 10
	queuetest.Run(t, func(tb testing.TB) queue.Store {
		tb.Helper()
		store, err := memqueue.New(memqueue.Options{KeyLifetime: lifetime, MaxKeys: keys})
		if err != nil {
			tb.Fatal(err)
		}
		return store
	}, queuetest.Features{KeyLifetime: lifetime, MaxKeys: keys})
}

func BenchmarkStore(b *testing.B) { queuetest.Bench(b, open) }

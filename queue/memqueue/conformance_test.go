package memqueue_test

import (
	"testing"

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
	queuetest.Run(t, open, queuetest.Features{})
}

func BenchmarkStore(b *testing.B) { queuetest.Bench(b, open) }

package queuetest_test

import (
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/queuetest"
)

func TestMain(m *testing.M) { leak.Main(m) }

// durable passes for a durable store: nobody ends the process here.
type durable struct{ queue.Store }

func (durable) Capabilities() queue.Capabilities { return queue.Capabilities{Durable: true} }

// opened returns what opens such a store.
func opened(options memqueue.Options) queuetest.Open {
	return func(tb testing.TB) queue.Store {
		tb.Helper()
		store, err := memqueue.New(options)
		if err != nil {
			tb.Fatal(err)
		}
		return durable{store}
	}
}

func reopen(_ testing.TB, store queue.Store) queue.Store { return store }

// TestFeatures runs the cases that package memqueue's own test leaves out.
func TestFeatures(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits in real time")
	}
	queuetest.Run(t, opened(memqueue.Options{}), queuetest.Features{RealTime: 100 * time.Millisecond, Reopen: reopen})
}

// TestForgets runs those for a durable store that forgets keys, in no time.
func TestForgets(t *testing.T) { // not parallel: TestFeatures waits in real time, and needs the machine
	const lifetime, keys = 3 * time.Hour, 10
	queuetest.Run(t, opened(memqueue.Options{KeyLifetime: lifetime, MaxKeys: keys}), queuetest.Features{Reopen: reopen, KeyLifetime: lifetime, MaxKeys: keys})
}

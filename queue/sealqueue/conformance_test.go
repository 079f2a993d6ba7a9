package sealqueue

import (
	"testing"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/queue/queuetest"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
)

func open(tb testing.TB) queue.Store {
	tb.Helper()
	return newSeal(tb, newInner(tb), newRing(tb, tb.TempDir(), newMaster(tb)), Options{})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, open, queuetest.Features{KeyLifetime: memqueue.DefaultKeyLifetime})
}

// lasting is a store that another one can be put around, as if it had been on a
// disk meanwhile.
type lasting struct {
	queue.Store
	dir    string
	master *keyring.Master
}

func (l *lasting) Capabilities() queue.Capabilities { return queue.Capabilities{Durable: true} }

// TestConformanceReopened: what was sealed is opened by another process, with what
// is in the keyring's file.
func TestConformanceReopened(t *testing.T) {
	t.Parallel()
	around := func(tb testing.TB, inner *lasting) queue.Store {
		return newSeal(tb, inner, newRing(tb, inner.dir, inner.master), Options{SealedOnly: true})
	}
	queuetest.Run(t, func(tb testing.TB) queue.Store {
		return around(tb, &lasting{newInner(tb), tb.TempDir(), newMaster(tb)})
	}, queuetest.Features{KeyLifetime: memqueue.DefaultKeyLifetime, Reopen: func(tb testing.TB, store queue.Store) queue.Store {
		return around(tb, store.(*Store).Store.(*lasting))
	}})
}

func BenchmarkStore(b *testing.B) { queuetest.Bench(b, open) }

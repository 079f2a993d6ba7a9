package sqlitequeue_test

import (
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/queuetest"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

func TestMain(m *testing.M) { leak.Main(m) }

// opened is a store that knows its directory.
type opened struct {
	*sqlitequeue.Store
	dir string
}

func openIn(tb testing.TB, dir string) queue.Store {
	tb.Helper()
	store, err := sqlitequeue.Open(tb.Context(), dir, sqlitequeue.Options{OnFault: func(err error) { tb.Error(err) }})
	if err != nil {
		tb.Fatal(err)
	}
	return opened{store, dir}
}

func open(tb testing.TB) queue.Store {
	tb.Helper()
	return openIn(tb, tb.TempDir())
}

func reopen(tb testing.TB, store queue.Store) queue.Store {
	tb.Helper()
	if err := store.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return openIn(tb, store.(opened).dir)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	queuetest.Run(t, open, queuetest.Features{Reopen: reopen, KeyLifetime: sqlitequeue.DefaultKeyLifetime})
}

func BenchmarkStore(b *testing.B) { queuetest.Bench(b, open) }

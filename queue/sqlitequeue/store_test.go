package sqlitequeue_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/queuetest"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

func TestMain(m *testing.M) { leak.Main(m) }

// opened is a store that knows what it was opened with.
type opened struct {
	*sqlitequeue.Store
	dir     string
	options sqlitequeue.Options
}

func openIn(tb testing.TB, dir string, options sqlitequeue.Options) queue.Store {
	tb.Helper()
	options.OnFault = func(err error) { tb.Error(err) }
	store, err := sqlitequeue.Open(tb.Context(), dir, options)
	if err != nil {
		tb.Fatal(err)
	}
	return opened{store, dir, options}
}

func openWith(options sqlitequeue.Options) queuetest.Open {
	return func(tb testing.TB) queue.Store {
		tb.Helper()
		return openIn(tb, tb.TempDir(), options)
	}
}

func reopen(tb testing.TB, store queue.Store) queue.Store {
	tb.Helper()
	if err := store.Close(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	was := store.(opened)
	return openIn(tb, was.dir, was.options)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]sqlitequeue.Options{
		"in memory": {},
		"a window":  {Window: 3},
		"on disk":   {WindowBytes: 1},
		"few keys":  {KeyLifetime: 3 * time.Hour, MaxKeys: 10},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			features := queuetest.Features{Reopen: reopen, KeyLifetime: options.KeyLifetime, MaxKeys: options.MaxKeys}
			if features.KeyLifetime == 0 {
				features.KeyLifetime = sqlitequeue.DefaultKeyLifetime
			}
			queuetest.Run(t, openWith(options), features)
		})
	}
}

func TestRelativeDirectoryIsOne(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.Rel(here, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := openIn(t, dir, sqlitequeue.Options{}).Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "queue.db")); err != nil {
		t.Error(err)
	}
	for name, use := range map[string]func() error{
		"inspect": func() error { _, err := sqlitequeue.Inspect(t.Context(), dir); return err },
		"snapshot": func() error {
			s, err := sqlitequeue.OpenSnapshot(t.Context(), dir)
			if err != nil {
				return err
			}
			return s.Close()
		},
		"check": func() error { _, err := sqlitequeue.Check(t.Context(), dir, sqlitequeue.CheckOptions{}); return err },
		"compact": func() error {
			_, err := sqlitequeue.Compact(t.Context(), dir, sqlitequeue.CompactOptions{})
			return err
		},
		"import": func() error {
			i, err := sqlitequeue.NewImporter(t.Context(), dir)
			if err != nil {
				return err
			}
			return i.Commit(t.Context())
		},
	} {
		if err := use(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func BenchmarkStore(b *testing.B) { queuetest.Bench(b, openWith(sqlitequeue.Options{})) }

// TestNotOpened: a store that was made and not opened says what is missing.
func TestNotOpened(t *testing.T) {
	t.Parallel()
	s, err := sqlitequeue.New(t.TempDir(), sqlitequeue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for call, err := range map[string]error{"Health": s.Health(), "Close": s.Close(t.Context())} {
		if !errors.Is(err, queue.ErrClosed) || !strings.Contains(err.Error(), "Open has not been called") {
			t.Errorf("%s: %v", call, err)
		}
	}
}

package sqlitequeue

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/outrider-go/outrider/queue"
)

// crashed is the store as a process leaves it that ends now.
func crashed(t *testing.T, dir string) (copied string) {
	t.Helper()
	copied = t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, databaseName+suffix))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(copied, databaseName+suffix), content, 0o600))
	}
	return copied
}

// TestCrashWithBareMessages: a message with nothing in it that listings show, and no
// URI, is in the log when the process ends.
func TestCrashWithBareMessages(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store := reopened(t, dir)
	_, err := store.Enqueue(t.Context(), []queue.Message{{ID: store.NewID(), Lane: laneOf("a")}})
	must(t, err)
	copied := crashed(t, dir)
	if report := check(t, copied, CheckOptions{}); !report.OK() || report.Counts.Pending != 1 {
		t.Errorf("check: %+v", report)
	}
	again := reopened(t, copied)
	if leased := leaseAll(t, again); len(leased) != 1 {
		t.Errorf("leased %v", leased)
	}
	must(t, again.Close(t.Context()))
	must(t, store.Close(t.Context()))
}

// TestCheckOfBareAttempts: an attempt that says nothing is no damage.
func TestCheckOfBareAttempts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	f.put("a", func(*queue.Message) {})
	f.end("a", queue.Outcome{Verdict: queue.VerdictDelivered, Attempt: &queue.Attempt{}})
	f.put("b", func(*queue.Message) {})
	f.end("b", queue.Outcome{Verdict: queue.VerdictRetry, Attempt: &queue.Attempt{}})
	must(t, f.store.Close(t.Context()))
	if report := check(t, dir, CheckOptions{}); !report.OK() || len(report.Damaged) > 0 {
		t.Errorf("check: %+v", report)
	}
	all, lanes, want := saveAll(t, dir)
	other := t.TempDir()
	importAll(t, other, all, lanes)
	if _, _, got := saveAll(t, other); got != want {
		t.Errorf("after an import:\n%s\nbefore:\n%s", got, want)
	}
}

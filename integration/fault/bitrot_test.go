//go:build unix

package fault

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/verify"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

var rotting = queue.Lane{Profile: "default", Destination: "https://example.com"}

// TestBitRot flips bits in the files of a store. It opens, or says why not; what it
// hands out is what was put in, or it is an error. Nothing crashes.
func TestBitRot(t *testing.T) {
	t.Parallel()
	for name, closed := range map[string]bool{"closed": true, "crashed": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := storeFiles(t, closed)
			random := rand.New(rand.NewPCG(*seed, 4))
			refused, damaged, handed := 0, 0, 0
			for range effort(400) {
				dir := t.TempDir()
				if err := rot(files, dir, random); err != nil {
					t.Fatal(err)
				}
				found := takeOut(t, dir)
				handed += found.handed
				switch {
				case found.refused:
					refused++
				case found.faults:
					damaged++
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			// A write-ahead log whose checksums are wrong is taken to end there, and
			// nobody is told: see docs/verify.md.
			if handed == 0 || closed && refused+damaged == 0 {
				t.Error("no message was handed out, or no damage was noticed: the trial says nothing")
			}
			t.Logf("of %d stores, %d were refused, %d told of damage; %d messages were handed out, all intact", effort(400), refused, damaged, handed)
		})
	}
}

// storeFiles returns the files of a store with messages in all places: the log, the
// tables and the history.
func storeFiles(t *testing.T, closed bool) map[string][]byte {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlitequeue.Open(t.Context(), dir, sqlitequeue.Options{OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, store, "delivered", 40)
	settleAll(t, store, queue.Outcome{Verdict: queue.VerdictDelivered})
	enqueue(t, store, "retried", 40)
	settleAll(t, store, queue.Outcome{Verdict: queue.VerdictRetry})
	enqueue(t, store, "new", 40)
	if closed {
		if err := store.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	files := map[string][]byte{}
	for _, name := range []string{"queue.db", "queue.db-wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if closed && errors.Is(err, os.ErrNotExist) { // there is no log then
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(content) > 0 {
			files[name] = content
		}
	}
	if !closed {
		if err := store.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func enqueue(t *testing.T, store queue.Store, kind string, n int) {
	t.Helper()
	var batch []queue.Message
	for i := range n {
		name := fmt.Sprintf("%s-%d", kind, i)
		batch = append(batch, queue.Message{
			ID: store.NewID(), Lane: rotting, Endpoint: "https://example.com/" + name, URI: transport.NewSecret("https://example.com/" + name),
			Format: "raw", Payload: verify.Payload(name, 20+i*40), Metadata: transport.Metadata{"name": name},
		})
	}
	if _, err := store.Enqueue(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
}

func settleAll(t *testing.T, store queue.Store, outcome queue.Outcome) {
	t.Helper()
	leased, err := store.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: []queue.Budget{{Lane: rotting, Max: 1000}}}, nil)
	if err != nil || len(leased) == 0 {
		t.Fatal(len(leased), err)
	}
	outcomes := make([]queue.Outcome, len(leased))
	for i := range leased {
		outcomes[i] = outcome
		outcomes[i].LeaseRef = leased[i].Ref()
	}
	if lost, err := store.Settle(t.Context(), outcomes); lost != nil || err != nil {
		t.Fatal(lost, err)
	}
}

// rot writes files into a directory, with some bits flipped in one of them.
func rot(files map[string][]byte, dir string, random *rand.Rand) error {
	var names []string
	for _, name := range []string{"queue.db", "queue.db-wal"} {
		if files[name] != nil {
			names = append(names, name)
		}
	}
	victim := names[random.IntN(len(names))]
	for _, name := range names {
		content := append([]byte{}, files[name]...)
		if name == victim {
			for range 1 << random.IntN(6) {
				content[random.IntN(len(content))] ^= 1 << random.IntN(8)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// found is what came out of a damaged store.
type found struct {
	refused bool // it did not open
	faults  bool // it opened, and something was told to be damaged
	handed  int  // messages
}

// takeOut opens a store and takes all that it gives.
func takeOut(t *testing.T, dir string) (f found) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	faults := make(chan error, 1000)
	store, err := sqlitequeue.Open(ctx, dir, sqlitequeue.Options{OnFault: func(err error) {
		select {
		case faults <- err:
		default:
		}
	}})
	if err != nil {
		f.refused = true
		return f
	}
	leased, err := store.Lease(ctx, queue.LeaseRequest{TTL: time.Minute, Budgets: []queue.Budget{{Lane: rotting, Max: 1000}}}, nil)
	f.faults = err != nil
	for i := range leased {
		name, intact := verify.ReadPayload(leased[i].Payload)
		if uri := "https://example.com/" + name; !intact || leased[i].URI.Reveal() != uri || leased[i].Metadata["name"] != name {
			t.Errorf("a changed message is handed out: %s to %s, intact %v, metadata %v", name, leased[i].URI.Reveal(), intact, leased[i].Metadata)
		}
	}
	f.handed = len(leased)
	// What these answer is their matter, as long as they do.
	_, _, expired := store.Expire(ctx, 1000)
	page, listed := store.List(ctx, queue.Query{Limit: 1000})
	for i := range page.Records {
		_, _ = store.Attempts(ctx, page.Records[i].ID)
	}
	_, counted := store.Stats(ctx, queue.ByLane)
	_, _, purged := store.Purge(ctx, queue.Retention{Result: queue.Delivered, Keep: 1}, 1000)
	closed := store.Close(ctx)
	f.faults = f.faults || len(faults) > 0 || errors.Join(expired, listed, counted, purged, closed) != nil
	return f
}

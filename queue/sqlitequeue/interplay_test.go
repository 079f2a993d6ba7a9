package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What calls do to each other that are under way at the same time, and what damage
// to a part of the file does to the rest.

// gate is a connection that stops once, where it asks something of the database.
type gate struct {
	driver.Conn
	query            string
	passes           int   // how often it is asked before
	answered         bool  // it stops with the answer, and not before it asks
	fault            error // is the answer, and it does not stop
	reached, release chan struct{}
}

type gateStatement struct {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
	gate *gate
}

func (g *gate) Prepare(query string) (driver.Stmt, error) {
	prepared, err := g.Conn.Prepare(query)
	if err != nil || !strings.Contains(query, g.query) {
		return prepared, err
	}
	return gateStatement{prepared, prepared.(driver.StmtExecContext), prepared.(driver.StmtQueryContext), g}, nil
}

func (s gateStatement) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	g := s.gate
	stops := g.passes == 0
	g.passes--
	if stops && g.fault != nil {
		return nil, g.fault
	}
	if stops && !g.answered {
		g.stop()
	}
	rows, err := s.StmtQueryContext.QueryContext(ctx, args)
	if stops && g.answered {
		g.stop()
	}
	return rows, err
}

func (g *gate) stop() {
	close(g.reached)
	<-g.release
}

// stopReader has the next call that reads stop at a query, which passes some times
// before.
func stopReader(s *Store, query string, passes int) *gate {
	var readers []*conn
	for range readerCount {
		readers = append(readers, <-s.readers)
	}
	g := &gate{Conn: readers[0].driver, query: query, passes: passes, reached: make(chan struct{}), release: make(chan struct{})}
	readers[0].driver = g
	for _, c := range readers {
		s.readers <- c
	}
	return g
}

// stopCommitter has everything that is to be written wait until it is let go.
func stopCommitter(t *testing.T, s *Store) (release func()) {
	t.Helper()
	let, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- s.exclusively(t.Context(), func(*tx) error { <-let; return nil }) }()
	synctest.Wait()
	return func() {
		close(let)
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// leaseMost leases from a lane, in any goroutine of a test.
func leaseMost(t *testing.T, s *Store, lane queue.Lane, most int) ([]queue.Leased, queue.Budget) {
	t.Helper()
	budgets := []queue.Budget{{Lane: lane, Max: most}}
	leased, err := s.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, nil)
	if err != nil {
		t.Error(err)
	}
	return leased, budgets[0]
}

func settleAs(t *testing.T, s *Store, l *queue.Leased, o queue.Outcome) {
	t.Helper()
	o.LeaseRef = l.Ref()
	if lost, err := s.Settle(t.Context(), []queue.Outcome{o}); err != nil || lost != nil {
		t.Errorf("settle: %v, %v", lost, err)
	}
}

func ordered(s *Store, payload string) queue.Message {
	m := testMessage(s, payload)
	m.OrderingKey = "k"
	return m
}

// TestPurgedDoesNotComeBack: what was purged is in no row of the log that the next
// start reads, whether others of its row wait or none.
func TestPurgedDoesNotComeBack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name            string
		cancelled, done int // of three
	}{{"all delivered", 0, 3}, {"partly delivered", 0, 2}, {"cancelled", 1, 0}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := testOpen(t, t.TempDir(), Options{})
			batch := []queue.Message{testMessage(s, "a"), testMessage(s, "b"), testMessage(s, "c")}
			testEnqueue(t, s, batch...)
			for range c.cancelled {
				_, err := s.Cancel(t.Context(), queue.Query{IDs: []transport.ID{batch[0].ID}})
				must(t, err)
			}
			leased, _ := testLease(t, s, c.done)
			for i := range leased {
				settleAs(t, s, &leased[i], queue.Outcome{Verdict: queue.VerdictDelivered})
			}
			gone := 0
			for _, result := range []queue.Result{queue.Delivered, queue.Cancelled} {
				removed, _, err := s.Purge(t.Context(), queue.Retention{Result: result, Before: time.Now().Add(time.Hour)}, 10)
				must(t, err)
				gone += removed
			}
			if gone != c.cancelled+c.done {
				t.Fatalf("%d were purged, want %d", gone, c.cancelled+c.done)
			}
			again := testOpen(t, crashed(t, s.dir), Options{})
			stats, err := again.Stats(t.Context(), queue.ByTotal)
			must(t, err)
			if leased, _ := testLease(t, again, 10); len(leased) != 3-gone || stats[0].Waiting() != int64(3-gone) {
				t.Errorf("after the crash %d were leased, and %d waited, want %d", len(leased), stats[0].Waiting(), 3-gone)
			}
		})
	}
}

// TestLoadHeedsOnlyWhatChangedSince: a message that changes while another lane is
// loaded is leased when it is due, by a load that begins after the change.
func TestLoadHeedsOnlyWhatChangedSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testOpen(t, t.TempDir(), Options{WindowBytes: 1})
		one, two := testMessage(s, "in memory"), testMessage(s, "on disk")
		one.Lane, two.Lane = laneOf("b"), laneOf("b")
		testEnqueue(t, s, one)
		testEnqueue(t, s, two, testMessage(s, "a"))
		leased, _ := testLease(t, s, 1)
		g := stopReader(s, "INDEXED BY wait", 0)
		var other sync.WaitGroup
		other.Go(func() { leaseMost(t, s, laneOf("b"), 2) })
		<-g.reached
		settleAs(t, s, &leased[0], queue.Outcome{Verdict: queue.VerdictRetry, At: time.Now().Add(time.Second)})
		<-time.After(2 * time.Second)
		leased, budget := testLease(t, s, 1)
		close(g.release)
		other.Wait()
		if len(leased) != 1 {
			t.Errorf("leased nothing, the next at %v: the message is stuck", budget.NextAt)
		}
	})
}

// TestLaneIsNotEmptyWhileItIsLoaded: who asks meanwhile gets what is loaded, and is
// told that the lane has something.
func TestLaneIsNotEmptyWhileItIsLoaded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := testOpen(t, t.TempDir(), Options{})
		testEnqueue(t, from, testMessage(from, "a"), testMessage(from, "b"), testMessage(from, "c"))
		s := testOpen(t, crashed(t, from.dir), Options{})
		g := stopReader(s, "INDEXED BY wait", 0)
		var calls sync.WaitGroup
		calls.Go(func() { leaseMost(t, s, testLane, 1) })
		<-g.reached
		if due, err := s.Due(t.Context(), queue.Lane{}, 10); err != nil || len(due) != 1 {
			t.Errorf("due: %v, %v, want the lane", due, err)
		}
		var leased []queue.Leased
		var budget queue.Budget
		calls.Go(func() { leased, budget = leaseMost(t, s, testLane, 1) })
		synctest.Wait()
		close(g.release)
		calls.Wait()
		if len(leased) != 1 || budget.NextAt.IsZero() {
			t.Errorf("leased %d, the next at %v: the lane has three messages", len(leased), budget.NextAt)
		}
	})
}

// TestSkipAndJoinInOneCommit: what gives up its turn is overtaken by what comes in
// the same transaction, and by that alone.
func TestSkipAndJoinInOneCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testOpen(t, t.TempDir(), Options{})
		next := ordered(s, "next")
		testEnqueue(t, s, ordered(s, "first"))
		leased, _ := testLease(t, s, 1)
		release := stopCommitter(t, s)
		var calls sync.WaitGroup
		calls.Go(func() {
			settleAs(t, s, &leased[0], queue.Outcome{Verdict: queue.VerdictRetry, Skip: true, At: time.Now().Add(time.Hour)})
		})
		calls.Go(func() {
			if _, err := s.Enqueue(t.Context(), []queue.Message{next}); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // for both to be in the round that comes next
		release()
		calls.Wait()
		testEnqueue(t, s, ordered(s, "last"))
		if got, _ := testLease(t, s, 10); len(got) != 1 || got[0].ID != next.ID {
			t.Errorf("leased %d messages, want the next alone", len(got))
		}
		var fault error
		must(t, s.exclusively(t.Context(), func(tx *tx) error { fault = disagreement(tx); return nil }))
		if fault != nil {
			t.Errorf("memory and tables do not agree: %v", fault)
		}
	})
}

// TestGetDuringAMerge: who reads the history finds what is merged meanwhile.
func TestGetDuringAMerge(t *testing.T) {
	t.Parallel()
	const count = runLength + 6
	for _, c := range []struct {
		name   string
		passes int // a list reads many runs, and has the first before they are merged
		find   func(context.Context, *Store, transport.ID) (int, error)
		want   int
	}{
		{"get", 0, func(ctx context.Context, s *Store, id transport.ID) (int, error) {
			records, err := s.Get(ctx, []transport.ID{id}, false)
			return len(records), err
		}, 1},
		{"list", 1, func(ctx context.Context, s *Store, _ transport.ID) (int, error) {
			page, err := s.List(ctx, queue.Query{Limit: count})
			return len(page.Records), err
		}, count},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := testOpen(t, t.TempDir(), Options{})
				for range count {
					testEnqueue(t, s, testMessage(s, "a"))
				}
				leased, _ := testLease(t, s, count)
				for i := range leased { // each makes a run
					settleAs(t, s, &leased[i], queue.Outcome{Verdict: queue.VerdictDelivered})
				}
				g := stopReader(s, "FROM delivered", c.passes)
				found := make(chan error, 1)
				go func() {
					n, err := c.find(t.Context(), s, leased[runLength/2].ID)
					if err == nil && n != c.want {
						err = fmt.Errorf("found %d, want %d", n, c.want)
					}
					found <- err
				}()
				<-g.reached
				<-time.After(3 * keepEvery)
				close(g.release)
				if err := <-found; err != nil {
					t.Error(err)
				}
				<-time.After(3 * keepEvery)
				if n := len(s.allRuns()); n > 1+count-runLength {
					t.Errorf("%d runs, none was merged", n)
				}
			})
		})
	}
}

// TestFoundOnItsWay: who looks for a message finds it, wherever it goes from the log
// meanwhile and whatever has been looked at by then.
func TestFoundOnItsWay(t *testing.T) {
	t.Parallel()
	for name, find := range map[string]func(context.Context, *Store, transport.ID) (bool, error){
		"get": func(ctx context.Context, s *Store, id transport.ID) (bool, error) {
			records, err := s.Get(ctx, []transport.ID{id}, true)
			return len(records) == 1, err
		},
		"attempts": func(ctx context.Context, s *Store, id transport.ID) (bool, error) {
			_, err := s.Attempts(ctx, id)
			return err == nil, err
		},
	} {
		for to, verdict := range map[string]queue.Verdict{"tables": queue.VerdictRetry, "history": queue.VerdictDelivered} {
			for _, query := range []string{"FROM message", "FROM delivered"} {
				t.Run(name+" to the "+to+" after "+query, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) { findOnItsWay(t, find, verdict, query) })
				})
			}
		}
	}
}

func findOnItsWay(t *testing.T, find func(context.Context, *Store, transport.ID) (bool, error), verdict queue.Verdict, query string) {
	t.Helper()
	s := testOpen(t, t.TempDir(), Options{})
	testEnqueue(t, s, testMessage(s, "before"), testMessage(s, "on its way"), testMessage(s, "behind"))
	leased, _ := testLease(t, s, 3)
	around := []queue.Outcome{ // the history is read for what may be between these
		{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered},
		{LeaseRef: leased[2].Ref(), Verdict: queue.VerdictDelivered},
	}
	_, err := s.Settle(t.Context(), around)
	must(t, err)
	g := stopReader(s, query, 0)
	g.answered = true
	var found bool
	var calls sync.WaitGroup
	calls.Go(func() { found, err = find(t.Context(), s, leased[1].ID) })
	synctest.Wait() // for it to stop, or to have found it
	settleAs(t, s, &leased[1], queue.Outcome{Verdict: verdict, At: time.Now().Add(time.Hour)})
	close(g.release)
	if calls.Wait(); !found || err != nil {
		t.Errorf("found: %v, %v", found, err)
	}
}

// TestGetWhileTheContentGoes: a message whose content is dropped while it is read has
// been delivered, and is not damaged.
func TestGetWhileTheContentGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testOpen(t, t.TempDir(), Options{WindowBytes: 1}) // the second goes into the tables at once
		testEnqueue(t, s, testMessage(s, "in the log"))
		testEnqueue(t, s, testMessage(s, "in the tables"))
		leased, _ := testLease(t, s, 2)
		g := stopReader(s, "FROM content", 0)
		var records []queue.Record
		var err error
		var calls sync.WaitGroup
		calls.Go(func() { records, err = s.Get(t.Context(), []transport.ID{leased[1].ID}, true) })
		<-g.reached
		settleAs(t, s, &leased[1], queue.Outcome{Verdict: queue.VerdictDelivered})
		<-time.After(3 * keepEvery)
		close(g.release)
		calls.Wait()
		if err != nil || len(records) != 1 || records[0].Result != queue.Delivered {
			t.Errorf("%+v, %v, want it delivered", records, err)
		}
	})
}

// TestExpiryOfWhatIsBeingSettled: a message whose outcome waits for the committer
// expires like others.
func TestExpiryOfWhatIsBeingSettled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := testOpen(t, t.TempDir(), Options{})
		m := testMessage(s, "a")
		m.ExpiresAt = time.Now().Add(time.Minute)
		testEnqueue(t, s, m)
		leased, _ := testLease(t, s, 1)
		release := stopCommitter(t, s)
		var calls sync.WaitGroup
		var next time.Time
		calls.Go(func() {
			var err error
			if _, next, err = s.Expire(t.Context(), 10); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // or it would be settled before
		calls.Go(func() {
			settleAs(t, s, &leased[0], queue.Outcome{Verdict: queue.VerdictRetry, At: time.Now().Add(time.Hour)})
		})
		synctest.Wait()
		release()
		calls.Wait()
		if next.IsZero() {
			t.Error("nothing expires, but a message does in a minute")
		}
	})
}

// damaged is a copy of a store after a statement, as a crash leaves it.
func damaged(t *testing.T, s *Store, statement string) (dir string) {
	t.Helper()
	must(t, s.exclusively(t.Context(), func(tx *tx) error { return tx.c.exec(statement) }))
	return crashed(t, s.dir)
}

// TestDamagedLogLeavesTheTurn: what is lost with the log does not block those that
// have its ordering key.
func TestDamagedLogLeavesTheTurn(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{})
	testEnqueue(t, s, ordered(s, "first"))
	testEnqueue(t, s, ordered(s, "second"))
	var told []error
	again := testOpen(t, damaged(t, s, "UPDATE accepted SET records = x'ff'"), Options{OnFault: func(err error) { told = append(told, err) }})
	testEnqueue(t, again, ordered(again, "third"))
	if leased, _ := testLease(t, again, 10); len(leased) != 1 || len(told) == 0 {
		t.Errorf("leased %d, told %v, want one: nothing is before it", len(leased), told)
	}
}

// TestDamagedHistory: damage in what is delivered is told, and keeps nothing from
// being delivered.
func TestDamagedHistory(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{})
	testEnqueue(t, s, testMessage(s, "delivered"))
	leased, _ := testLease(t, s, 1)
	settleAs(t, s, &leased[0], queue.Outcome{Verdict: queue.VerdictDelivered})
	testEnqueue(t, s, testMessage(s, "waits"))
	var told []error
	again := testOpen(t, damaged(t, s, "UPDATE delivered SET records = x'ff'"), Options{OnFault: func(err error) { told = append(told, err) }})
	if leased, _ := testLease(t, again, 10); len(leased) != 1 || len(told) != 1 {
		t.Errorf("leased %d, told %v, want one of each", len(leased), told)
	}
}

// TestOpenAgainAfterItFailed: a store that could not be opened is opened once what
// was wrong is mended, with all it had.
func TestOpenAgainAfterItFailed(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{})
	testEnqueue(t, s, testMessage(s, "a"))
	dir := damaged(t, s, "CREATE TRIGGER broken BEFORE INSERT ON message BEGIN SELECT RAISE(ABORT, 'an I/O error'); END")
	again, err := New(dir, Options{})
	must(t, err)
	if err := again.Open(t.Context()); err == nil {
		t.Fatal("it was opened")
	}
	c, err := openDatabase(filepath.Join(dir, databaseName))
	must(t, err)
	must(t, errors.Join(c.exec("DROP TRIGGER broken"), c.close()))
	must(t, again.Open(t.Context()))
	leased, _ := testLease(t, again, 10)
	if fault := again.Health(); fault != nil || len(leased) != 1 {
		t.Errorf("leased %d of one, health: %v", len(leased), fault)
	}
	must(t, again.Close(t.Context()))
}

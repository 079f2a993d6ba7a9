package sqlitequeue

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

var testLane = queue.Lane{Profile: "acme", Destination: "https://a.example.com"}

func testMessage(s *Store, payload string) queue.Message {
	return queue.Message{
		ID: s.NewID(), Lane: testLane, Endpoint: "https://a.example.com/inbox", URI: transport.NewSecret("https://a.example.com/inbox"),
		Format: "raw", Payload: []byte(payload),
	}
}

func testOpen(t *testing.T, dir string, options Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && !errors.Is(err, queue.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func testEnqueue(t *testing.T, s *Store, messages ...queue.Message) {
	t.Helper()
	if _, err := s.Enqueue(t.Context(), messages); err != nil {
		t.Fatal(err)
	}
}

func testLease(t *testing.T, s *Store, most int) ([]queue.Leased, queue.Budget) {
	t.Helper()
	budgets := []queue.Budget{{Lane: testLane, Max: most}}
	leased, err := s.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return leased, budgets[0]
}

// TestDamagedContent: a message whose bytes are not what was written is never
// delivered. It ends as dead, and the others go on.
func TestDamagedContent(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{
		"UPDATE content SET body = 'other' WHERE seq = ?", "UPDATE content SET secret = x'0101' WHERE seq = ?",
		"DELETE FROM content WHERE seq = ?", "UPDATE message SET head = x'ff' WHERE seq = ?",
		"UPDATE message SET head = x'' WHERE seq = ?", "UPDATE content SET sum = sum + 1 WHERE seq = ?",
	} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			var faults atomic.Int64
			s := testOpen(t, t.TempDir(), Options{WindowBytes: 1, OnFault: func(error) { faults.Add(1) }})
			first, bad, last := testMessage(s, "first"), testMessage(s, "bad"), testMessage(s, "last")
			testEnqueue(t, s, testMessage(s, "in memory"))
			testEnqueue(t, s, first, bad, last)
			if err := s.exclusively(t.Context(), func(tx *tx) error { return tx.c.exec(damage, seqOf(bad.ID)) }); err != nil {
				t.Fatal(err)
			}
			leased, budget := testLease(t, s, 10)
			if len(leased) != 3 || budget.Ended != 1 || leased[1].ID != first.ID || leased[2].ID != last.ID {
				t.Fatalf("leased %d messages, %d ended, want 3 and 1", len(leased), budget.Ended)
			}
			ended, _, err := s.Expire(t.Context(), 10)
			if err != nil || len(ended) != 1 || ended[0].ID != bad.ID || ended[0].Result != queue.Dead || ended[0].LastError == "" {
				t.Errorf("ended: %+v, %v, want the damaged one as dead", ended, err)
			}
			if faults.Load() != 1 {
				t.Errorf("%d faults were told, want 1", faults.Load())
			}
		})
	}
}

// TestFullDisk: new messages are refused, outcomes are still recorded, and messages
// are taken again once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	var s *Store
	limit := func(pages int64) {
		used, err := s.writer.number("PRAGMA page_count")
		if err == nil {
			_, err = s.writer.number(fmt.Sprintf("PRAGMA max_page_count = %d", used+pages))
		}
		if err != nil {
			t.Error(err)
		}
	}
	full := make(chan error, 1)
	s = testOpen(t, t.TempDir(), Options{OnFault: func(err error) {
		limit(20) // what the reserve is for
		full <- err
	}})
	kept := testMessage(s, "kept")
	testEnqueue(t, s, kept)
	if err := s.exclusively(t.Context(), func(*tx) error { limit(3); return nil }); err != nil {
		t.Fatal(err)
	}
	large := testMessage(s, strings.Repeat("x", 1<<20))
	if _, err := s.Enqueue(t.Context(), []queue.Message{large}); !errors.Is(err, queue.ErrStoreFull) {
		t.Fatalf("enqueue: %v, want ErrStoreFull", err)
	}
	if err := <-full; !errors.Is(err, queue.ErrStoreFull) || !errors.Is(s.Health(), queue.ErrStoreFull) {
		t.Errorf("told %v, and health says %v", err, s.Health())
	}
	if _, err := s.Enqueue(t.Context(), []queue.Message{testMessage(s, "small")}); !errors.Is(err, queue.ErrStoreFull) {
		t.Errorf("enqueue while it is full: %v, want ErrStoreFull", err)
	}
	leased, _ := testLease(t, s, 1)
	faults, err := s.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered}})
	if err != nil || faults != nil {
		t.Fatalf("settle: %v, %v", faults, err)
	}
	records, err := s.Get(t.Context(), []transport.ID{kept.ID, large.ID}, false)
	if err != nil || len(records) != 1 || records[0].Result != queue.Delivered {
		t.Errorf("the store has %+v, %v, want what was delivered alone", records, err)
	}
	if err := s.exclusively(t.Context(), func(*tx) error { limit(100_000); return nil }); err != nil {
		t.Fatal(err)
	}
	for look := time.NewTicker(time.Millisecond); s.Health() != nil; { // the committer looks once a second
		<-look.C
	}
	testEnqueue(t, s, large)
}

// TestFailedStore: after a write that failed nothing is taken and nothing is leased,
// until the store is opened again.
func TestFailedStore(t *testing.T) {
	t.Parallel()
	dir, told := t.TempDir(), make(chan error, 1)
	s := testOpen(t, dir, Options{OnFault: func(err error) { told <- err }})
	kept := testMessage(s, "kept")
	testEnqueue(t, s, kept)
	leased, _ := testLease(t, s, 1)
	broken := errors.New("the disk is gone")
	if err := s.exclusively(t.Context(), func(*tx) error { return broken }); !errors.Is(err, queue.ErrStoreFailed) {
		t.Fatalf("a write that failed: %v, want ErrStoreFailed", err)
	}
	if err := <-told; !errors.Is(err, broken) {
		t.Errorf("told %v", err)
	}
	for name, call := range map[string]func() error{
		"health": s.Health,
		"enqueue": func() error {
			_, err := s.Enqueue(t.Context(), []queue.Message{testMessage(s, "late")})
			return err
		},
		"settle": func() error {
			_, err := s.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered}})
			return err
		},
		"lease": func() error {
			_, err := s.Lease(t.Context(), queue.LeaseRequest{TTL: time.Minute, Budgets: []queue.Budget{{Lane: testLane, Max: 1}}}, nil)
			return err
		},
	} {
		if err := call(); !errors.Is(err, queue.ErrStoreFailed) {
			t.Errorf("%s: %v, want ErrStoreFailed", name, err)
		}
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := testOpen(t, dir, Options{})
	if leased, _ := testLease(t, again, 2); len(leased) != 1 || leased[0].ID != kept.ID {
		t.Errorf("leased %v after the store was opened again, want what it had accepted", leased)
	}
}

func TestLocked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{})
	if _, err := Open(t.Context(), dir, Options{}); !errors.Is(err, queue.ErrLocked) {
		t.Errorf("a second store: %v, want ErrLocked", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	testOpen(t, dir, Options{})
}

// TestQueriesUseIndexes: nothing that is asked looks through a table, or sorts it.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{WindowBytes: 1})
	useAll(t, s)
	used := []*conn{s.writer}
	for range readerCount {
		c := <-s.readers
		used = append(used, c)
		s.readers <- c
	}
	if err := s.Close(t.Context()); err != nil { // its goroutines use them, too
		t.Fatal(err)
	}
	readers := testOpen(t, dir, Options{}).readers
	reader := <-readers
	defer func() { readers <- reader }()
	scans := map[string]bool{ // of what is small, once, when the store is opened
		"SELECT id, profile, destination, tally, state FROM lane": true, "SELECT id, folded FROM lane": true,
		"SELECT n, at, pairs FROM keys ORDER BY n": true, "SELECT n, tallies FROM journal ORDER BY n": true,
		"SELECT n, at, records FROM delivered ORDER BY n": true, "SELECT n FROM accepted ORDER BY n": true,
	}
	explained := 0
	for _, c := range used {
		for query := range c.statements {
			if scans[query] || !strings.Contains(query, " FROM ") && !strings.HasPrefix(query, "UPDATE") {
				continue
			}
			explained++
			if plan := explain(t, reader, query); strings.Contains(plan, "SCAN message") && !strings.Contains(plan, "USING") ||
				strings.Contains(plan, "SCAN content") || strings.Contains(plan, "TEMP B-TREE") {
				t.Errorf("%s:\n%s", query, plan)
			}
		}
	}
	if explained < 25 {
		t.Errorf("%d queries were looked at: useAll does not use the store", explained)
	}
}

func explain(t *testing.T, c *conn, query string) string {
	t.Helper()
	args := make([]any, strings.Count(query, "?"))
	for i := range args {
		args[i] = int64(1)
	}
	var plan []string
	err := (&conn{driver: c.driver, statements: map[string]*statement{}}).query("EXPLAIN QUERY PLAN "+query, func(v []driver.Value) error {
		plan = append(plan, text(v[3]))
		return nil
	}, args...)
	if err != nil {
		t.Errorf("%s: %v", query, err)
	}
	return strings.Join(plan, "\n")
}

// useAll makes every kind of call once.
func useAll(t *testing.T, s *Store) {
	t.Helper()
	for i := range 40 {
		m := testMessage(s, "payload")
		m.OrderingKey, m.IdempotencyKey = fmt.Sprint(i%4), fmt.Sprint(i)
		m.ExpiresAt = time.Now().Add(time.Hour)
		testEnqueue(t, s, m)
	}
	verdicts := []queue.Verdict{queue.VerdictDelivered, queue.VerdictDead, queue.VerdictRetry, queue.VerdictPark}
	for round := range 6 {
		leased, _ := testLease(t, s, 4)
		outcomes := make([]queue.Outcome, len(leased))
		for i := range leased {
			outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: verdicts[(i+round)%4], Attempt: &queue.Attempt{}, Skip: true}
		}
		if _, err := s.Settle(t.Context(), outcomes); err != nil {
			t.Fatal(err)
		}
	}
	var faults []error
	for _, q := range []queue.Query{
		{}, {Descending: true}, {Profile: "acme"}, {Profile: "acme", Destination: testLane.Destination, Descending: true},
		{States: []queue.State{queue.StatePending}}, {States: []queue.State{queue.StateRetry}}, {States: []queue.State{queue.StateDeliver}},
		{Results: []queue.Result{queue.Dead}}, {Results: []queue.Result{queue.Delivered}},
		{Profile: "acme", States: []queue.State{queue.StateRetry}, Descending: true}, {Profile: "acme", Results: []queue.Result{queue.Dead}},
	} {
		page, err := s.List(t.Context(), q)
		faults = append(faults, err)
		for _, r := range page.Records {
			_, err := s.Attempts(t.Context(), r.ID)
			faults = append(faults, err)
		}
	}
	_, err := s.Replay(t.Context(), queue.Query{Limit: 1})
	faults = append(faults, err)
	_, err = s.Cancel(t.Context(), queue.Query{Limit: 1})
	faults = append(faults, err)
	_, _, err = s.Expire(t.Context(), 10)
	faults = append(faults, err)
	_, err = s.Stats(t.Context(), queue.ByLane)
	faults = append(faults, err)
	_, err = s.Due(t.Context(), queue.Lane{}, 10)
	faults = append(faults, err)
	_, _, err = s.Purge(t.Context(), queue.Retention{Result: queue.Delivered, Keep: 1}, 10)
	faults = append(faults, err)
	if err := errors.Join(faults...); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedLog: damage in the log of what was accepted takes no message but the one
// it is in. That one ends as dead, where it can be told which it is; else it is
// lost, which is told once, and counts no more.
func TestDamagedLog(t *testing.T) {
	t.Parallel()
	const count = 200
	for _, c := range []struct {
		name         string
		damage       string // of the records
		leased, dead int
		told         string // when the store is opened
	}{
		{"a length", "substr(records, 1, 1) || x'ff' || substr(records, 3)", count, 0, ""},
		{"the seq", "substr(records, 1, 6) || x'7f' || substr(records, 8)", count - 1, 0, "1 messages are lost"},
		{"the lane", "substr(records, 1, 6 + n) || x'7f' || substr(records, 8 + n)", count - 1, 0, "1 messages are lost"},
		{"the payload", "substr(records, 1, instr(records, 'payload 0') - 1) || x'00' || substr(records, instr(records, 'payload 0') + 1)", count - 1, 1, "0 messages are lost"},
		{"the end", "substr(records, 1, length(records) - 3)", count - 1, 1, "0 messages are lost"},
		{"all of it", "x'ff'", 0, 0, "200 messages are lost"},
		{"that it is there", "x''", 0, 0, "200 messages are lost"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := testOpen(t, t.TempDir(), Options{})
			batch := make([]queue.Message, count)
			for i := range batch {
				batch[i] = testMessage(s, fmt.Sprintf("payload %03d", i))
			}
			testEnqueue(t, s, batch...)
			lane := len(appendSeq(batch[0].ID)) + 1 // tag and length are before the lane
			dir := damaged(t, s, "UPDATE accepted SET records = CAST("+strings.NewReplacer("6 + n", fmt.Sprint(6+lane), "8 + n", fmt.Sprint(8+lane)).Replace(c.damage)+" AS BLOB)")
			report := check(t, dir, CheckOptions{})
			if found := len(report.Damaged) + len(report.Unreadable); (found > 0) != (c.told != "") {
				t.Errorf("check has found %v, %v", report.Damaged, report.Unreadable)
			}
			var told []string
			for range 2 {
				again, err := Open(t.Context(), dir, Options{OnFault: func(err error) { told = append(told, err.Error()) }})
				must(t, err)
				leased, budget := testLease(t, again, count)
				if len(leased) != c.leased || budget.Ended+tellDead(t, again, batch) != c.dead {
					t.Errorf("leased %d and %d ended, want %d and %d", len(leased), budget.Ended, c.leased, c.dead)
				}
				_, _, err = again.Expire(t.Context(), count)
				must(t, err)
				stats, err := again.Stats(t.Context(), queue.ByTotal)
				must(t, err)
				if n := stats[0].Waiting(); n != int64(c.leased) {
					t.Errorf("%d wait, want %d", n, c.leased)
				}
				must(t, again.Close(t.Context()))
			}
			if c.told == "" {
				if len(told) != 0 {
					t.Errorf("told %q", told)
				}
				return
			}
			if len(told) != 1+c.dead || !strings.Contains(told[0], c.told) {
				t.Errorf("told %q, want %q once", told, c.told)
			}
			aside, err := filepath.Glob(filepath.Join(dir, "damaged-log-*"))
			must(t, err)
			if len(aside) != 1 || !strings.Contains(told[0], aside[0]) {
				t.Errorf("put aside %v, told %q", aside, told)
			}
			if after := check(t, dir, CheckOptions{}); !after.OK() {
				t.Errorf("check of what is left: %+v", after)
			}
		})
	}
}

// appendSeq is the field of a record that has the seq of an id.
func appendSeq(id transport.ID) []byte { return putInt(nil, recordSeq, seqOf(id)) }

// tellDead counts the messages that have ended as dead.
func tellDead(t *testing.T, s *Store, batch []queue.Message) (n int) {
	t.Helper()
	for i := range batch {
		records, err := s.Get(t.Context(), []transport.ID{batch[i].ID}, false)
		must(t, err)
		if len(records) == 1 && records[0].Result == queue.Dead {
			n++
		}
	}
	return n
}

// Numbers that are out of range in a damaged row choose no place outside of a
// slice, and no lane that is not there: the record is shown and removed like others.
func TestDamagedNumbers(t *testing.T) {
	t.Parallel()
	for _, damage := range []string{"status = 77", "status = -1", "level = 9", "lane = 4711", "turn = 5", "lane = 4711, status = 5, updated = 1"} {
		t.Run(damage, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := testOpen(t, dir, Options{})
			message := testMessage(s, "x")
			message.OrderingKey = "k"
			message.NotBefore = time.Now().Add(time.Hour) // so that it is in the tables
			testEnqueue(t, s, message, testMessage(s, "y"))
			if err := s.exclusively(t.Context(), func(tx *tx) error {
				return tx.c.exec("UPDATE message SET "+damage+" WHERE seq = ?", seqOf(message.ID))
			}); err != nil {
				t.Fatal(err)
			}
			for range 2 { // as it is, and opened again
				_, _ = s.List(t.Context(), queue.Query{})
				_, _ = s.Get(t.Context(), []transport.ID{message.ID}, true)
				_, _ = s.Cancel(t.Context(), queue.Query{IDs: []transport.ID{message.ID}})
				_, _, _ = s.Purge(t.Context(), queue.Retention{Result: queue.Dead, Before: time.Now().Add(time.Hour)}, 10)
				if leased, _ := testLease(t, s, 10); len(leased) > 1 {
					t.Errorf("%d messages are leased", len(leased))
				}
				if err := s.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				again, err := Open(t.Context(), dir, Options{})
				if err != nil {
					if !strings.Contains(err.Error(), errDamaged.Error()) {
						t.Errorf("it does not open: %v", err)
					}
					return
				}
				s = again
			}
			if err := s.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

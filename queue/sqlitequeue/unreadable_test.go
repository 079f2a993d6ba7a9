package sqlitequeue

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// What becomes of the rest where SQLite cannot read a page of the file.

const unreadableCount = 1500

// keptOnDisk makes a store with messages that wait in the tables, of which memory
// has none, and returns its directory. It is not open.
func keptOnDisk(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	s := testOpen(t, dir, Options{WindowBytes: 1}) // all but the first go into the tables
	testEnqueue(t, s, testMessage(s, "in the log"))
	var batch []queue.Message
	for i := range unreadableCount - 1 {
		batch = append(batch, testMessage(s, fmt.Sprintf("payload %d of some length: %s", i, strings.Repeat("x", 200))))
	}
	testEnqueue(t, s, batch...)
	must(t, s.Close(t.Context()))
	return dir
}

// breakLeaves flips a bit in the header of leaf pages of a table, so that SQLite
// cannot read them.
func breakLeaves(t *testing.T, dir, table string, which ...int) {
	t.Helper()
	path := filepath.Join(dir, databaseName)
	c, err := connect(path)
	must(t, err)
	root, err := c.number("SELECT rootpage FROM sqlite_schema WHERE name = '" + table + "'")
	must(t, errors.Join(err, c.close()))
	file, err := os.ReadFile(path)
	must(t, err)
	const size, interior, leaf = 4096, 5, 13
	at := func(page int64) []byte { return file[(page-1)*size : page*size] }
	if at(root)[0] != interior {
		t.Fatalf("the root of %s is of type %d: it has too few rows", table, at(root)[0])
	}
	for _, n := range which {
		cell := binary.BigEndian.Uint16(at(root)[12+2*n:])
		page := at(int64(binary.BigEndian.Uint32(at(root)[cell:])))
		if page[0] != leaf {
			t.Fatalf("page %d of %s is of type %d", n, table, page[0])
		}
		page[0] ^= 1
	}
	must(t, os.WriteFile(path, file, 0o600))
}

// drain delivers all that is leased, and returns how many that were, and how many
// ended as dead.
func drain(t *testing.T, s *Store) (sent, dead int) {
	t.Helper()
	for {
		leased, _ := testLease(t, s, 100)
		for i := range leased {
			settleAs(t, s, &leased[i], queue.Outcome{Verdict: queue.VerdictDelivered})
		}
		ended, _, err := s.Expire(t.Context(), 1000)
		must(t, err)
		for i := range ended {
			if ended[i].Result != queue.Dead || !strings.Contains(ended[i].LastError, "cannot be read") {
				t.Errorf("ended: %+v", ended[i])
			}
		}
		if sent, dead = sent+len(leased), dead+len(ended); len(leased)+len(ended) == 0 {
			return sent, dead
		}
	}
}

// TestUnreadableContent: a message whose content cannot be read ends as dead, and all
// others of its lane are delivered. Health says it, and what is to be removed of the
// file does not fail the store.
func TestUnreadableContent(t *testing.T) {
	t.Parallel()
	dir := keptOnDisk(t)
	breakLeaves(t, dir, "content", 3, 4, 20)
	told := 0
	s := testOpen(t, dir, Options{OnFault: func(err error) {
		if errors.Is(err, queue.ErrStoreDamaged) {
			told++
		}
	}})
	must(t, s.Health())
	sent, dead := drain(t, s)
	if sent+dead != unreadableCount || dead < 3 || dead > 60 {
		t.Errorf("%d were sent and %d are dead, of %d", sent, dead, unreadableCount)
	}
	if err := s.Health(); !errors.Is(err, queue.ErrStoreDamaged) || !strings.Contains(err.Error(), dir) {
		t.Errorf("health: %v, want ErrStoreDamaged", err)
	}
	must(t, s.exclusively(t.Context(), func(tx *tx) error { return tx.dropContents(contentsAtOnce) }))
	for _, result := range []queue.Result{queue.Delivered, queue.Dead} {
		_, _, err := s.Purge(t.Context(), queue.Retention{Result: result, Before: time.Now().Add(time.Hour)}, unreadableCount)
		must(t, err)
	}
	must(t, s.exclusively(t.Context(), (*tx).maintain))
	testEnqueue(t, s, testMessage(s, "new"))
	if sent, _ := drain(t, s); sent != 1 || told != 1 {
		t.Errorf("%d of one new message sent, told %d times of damage", sent, told)
	}
}

// TestUnreadableMessages: messages of which nothing can be read stay, and the others
// of their lane are delivered.
func TestUnreadableMessages(t *testing.T) {
	t.Parallel()
	dir := keptOnDisk(t)
	breakLeaves(t, dir, "message", 20)
	s := testOpen(t, dir, Options{})
	sent, dead := drain(t, s)
	if sent >= unreadableCount || sent < unreadableCount-100 || dead != 0 {
		t.Errorf("%d were sent and %d are dead, of %d", sent, dead, unreadableCount)
	}
	if err := s.Health(); !errors.Is(err, queue.ErrStoreDamaged) {
		t.Errorf("health: %v, want ErrStoreDamaged", err)
	}
	testEnqueue(t, s, testMessage(s, "new"))
	if sent, _ := drain(t, s); sent != 1 {
		t.Error("what came later is not delivered")
	}
}

// TestSnapshotOfUnreadable: of a file with pages that cannot be read, all the others
// have is saved, and can be imported. What is missing is counted.
func TestSnapshotOfUnreadable(t *testing.T) {
	t.Parallel()
	dir, other := keptOnDisk(t), t.TempDir()
	breakLeaves(t, dir, "content", 3, 4, 20)
	breakLeaves(t, dir, "message", 0, 5, 6, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25)
	s, err := OpenSnapshot(t.Context(), dir)
	must(t, err)
	var all []*Saved
	hidden := 0
	must(t, s.Each(t.Context(), nil, func(one *Saved) error {
		if all = append(all, one); one.Fault != "" {
			hidden++
		}
		return nil
	}))
	parts, missing := s.Unreadable(), s.Missing()
	must(t, s.Close())
	if missing < 4 || missing > 900 || len(all)+int(missing) != unreadableCount {
		t.Errorf("%d were saved and %d are missing, of %d", len(all), missing, unreadableCount)
	}
	if hidden < 3 || hidden > 60 {
		t.Errorf("%d were saved without content", hidden)
	}
	if text := fmt.Sprint(parts); len(parts) != 12 || strings.Count(text, messagePart.name) != 11 || !strings.Contains(text, fmt.Sprintf("the content of %d messages", hidden)) {
		t.Errorf("unreadable: %q", parts)
	}
	importAll(t, other, all, nil)
	store := testOpen(t, other, Options{})
	sent := 0
	for {
		leased, budget := testLease(t, store, 100)
		sent += len(leased)
		if len(leased)+budget.Ended == 0 {
			break
		}
	}
	if sent != len(all)-hidden {
		t.Errorf("%d of the imported were leased, want %d", sent, len(all)-hidden)
	}
	report := check(t, dir, CheckOptions{})
	if report.OK() || len(report.Integrity) == 0 || len(report.Damaged) != hidden {
		t.Errorf("check has found %d damaged, want %d, and %q", len(report.Damaged), hidden, report.Integrity)
	}
}

// TestSnapshotOfAnUnreadableEnd: where nothing behind can be read, what is before is
// saved, and the search ends.
func TestSnapshotOfAnUnreadableEnd(t *testing.T) {
	t.Parallel()
	dir := keptOnDisk(t)
	path := filepath.Join(dir, databaseName)
	c, err := connect(path)
	must(t, err)
	root, err := c.number("SELECT rootpage FROM sqlite_schema WHERE name = 'message'")
	must(t, errors.Join(err, c.close()))
	file, err := os.ReadFile(path)
	must(t, err)
	last := int(binary.BigEndian.Uint32(file[(root-1)*4096+8:])) // the rightmost page
	file[(last-1)*4096] ^= 1
	must(t, os.WriteFile(path, file, 0o600))
	all, _, _ := saveAll(t, dir)
	if len(all) >= unreadableCount || len(all) < unreadableCount-200 {
		t.Errorf("%d were saved, of %d", len(all), unreadableCount)
	}
}

// TestSnapshotBehindAGap: ids begin anew far behind the latest when a store is opened.
// Where the first page behind such a gap cannot be read, nothing more is skipped.
func TestSnapshotBehindAGap(t *testing.T) {
	t.Parallel()
	from := keptOnDisk(t)
	file, err := os.ReadFile(filepath.Join(from, databaseName))
	must(t, err)
	for _, other := range []int{2, 12, 20} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, databaseName), file, 0o600))
		breakLeaves(t, dir, "message", 0, other)
		if all, _, _ := saveAll(t, dir); len(all) < unreadableCount-120 {
			t.Errorf("with pages 0 and %d broken %d were saved, of %d", other, len(all), unreadableCount)
		}
	}
}

// lastOfLeaf returns the last seq of a leaf page of the table of messages.
func lastOfLeaf(t *testing.T, dir string, n int) (seq int64) {
	t.Helper()
	c, err := connect(filepath.Join(dir, databaseName))
	must(t, err)
	root, err := c.number("SELECT rootpage FROM sqlite_schema WHERE name = 'message'")
	must(t, errors.Join(err, c.close()))
	file, err := os.ReadFile(filepath.Join(dir, databaseName))
	must(t, err)
	page := file[(root-1)*4096 : root*4096]
	cell := page[binary.BigEndian.Uint16(page[12+2*n:])+4:]
	for i := 0; ; i++ { // a number of SQLite's; it is below 1 << 56
		if seq = seq<<7 | int64(cell[i]&0x7f); cell[i] < 0x80 {
			return seq
		}
	}
}

// leafOf returns the leaf page that a message is in.
func leafOf(t *testing.T, dir string, m *queue.Message) int {
	t.Helper()
	for leaf := 0; ; leaf++ {
		if seqOf(m.ID) <= lastOfLeaf(t, dir, leaf) {
			return leaf
		}
	}
}

// TestUnreadableContender: where the row that is to get the turn of an ordering key
// cannot be read, the outcome of the one that had it is kept, the next has the turn,
// and new ones wait for theirs.
func TestUnreadableContender(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{WindowBytes: 1})
	testEnqueue(t, s, testMessage(s, "in the log"))
	var batch []queue.Message
	for i := range unreadableCount {
		batch = append(batch, testMessage(s, fmt.Sprint(i)))
	}
	first, second, third := &batch[0], &batch[700], &batch[1300]
	first.OrderingKey, second.OrderingKey, third.OrderingKey = "k", "k", "k"
	testEnqueue(t, s, batch...)
	must(t, s.Close(t.Context()))
	breakLeaves(t, dir, "message", leafOf(t, dir, second))

	s = testOpen(t, dir, Options{})
	fourth := keyed(s, "k")
	testEnqueue(t, s, fourth)
	var got []queue.Message
	for {
		leased, _ := testLease(t, s, 100)
		if len(leased) == 0 {
			break
		}
		for i := range leased {
			if leased[i].OrderingKey == "k" {
				settleAs(t, s, &leased[i], queue.Outcome{Verdict: queue.VerdictDelivered})
				got = append(got, leased[i].Message)
			}
		}
	}
	if len(got) != 3 || got[0].ID != first.ID || got[1].ID != third.ID || got[2].ID != fourth.ID {
		t.Errorf("%d of the key were delivered, want the first, the third and the fourth", len(got))
	}
	if err := s.Health(); !errors.Is(err, queue.ErrStoreDamaged) || errors.Is(err, queue.ErrStoreFailed) {
		t.Errorf("health: %v, want ErrStoreDamaged", err)
	}
}

// TestUnreadableDuplicate: an enqueue that comes to a message which cannot be read is
// refused, as often as it is repeated. Others of its commit are kept, and outcomes.
func TestUnreadableDuplicate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := testOpen(t, dir, Options{WindowBytes: 1})
	testEnqueue(t, s, testMessage(s, "in the log"))
	var batch []queue.Message
	for i := range unreadableCount {
		batch = append(batch, testMessage(s, fmt.Sprint(i)))
	}
	known := &batch[700]
	known.IdempotencyKey = "known"
	testEnqueue(t, s, batch...)
	must(t, s.Close(t.Context()))
	breakLeaves(t, dir, "message", leafOf(t, dir, known))

	s = testOpen(t, dir, Options{})
	leased, _ := testLease(t, s, 10)
	for i := range leased {
		duplicate, other := testMessage(s, "again"), testMessage(s, "other")
		duplicate.IdempotencyKey = known.IdempotencyKey
		enqueue := func(m queue.Message) *op {
			return &op{batch: []queue.Message{m}, enqueued: make([]queue.Enqueued, 1), done: make(chan struct{}, 1)}
		}
		refused, kept, settled := enqueue(duplicate), enqueue(other), &op{done: make(chan struct{}, 1)}
		settled.outcomes = []queue.Outcome{{LeaseRef: leased[i].Ref(), Verdict: queue.VerdictDelivered}}
		s.claim(settled, settled.outcomes)
		must(t, s.exclusively(t.Context(), func(*tx) error { // all wait for it, and have a commit of their own
			for _, o := range []*op{refused, kept, settled} {
				s.ops <- o
			}
			return nil
		}))
		for _, o := range []*op{refused, kept, settled} {
			<-o.done
		}
		if !errors.Is(refused.err, queue.ErrStoreDamaged) || errors.Is(refused.err, queue.ErrStoreFailed) {
			t.Fatalf("the duplicate: %v, want ErrStoreDamaged", refused.err)
		}
		if kept.err != nil || settled.err != nil {
			t.Fatalf("the others: %v and %v", kept.err, settled.err)
		}
		if all, err := s.Get(t.Context(), []transport.ID{other.ID}, false); err != nil || len(all) != 1 {
			t.Fatalf("the other: %v, %v", all, err)
		}
	}
	if err := s.Health(); !errors.Is(err, queue.ErrStoreDamaged) {
		t.Errorf("health: %v, want ErrStoreDamaged", err)
	}
}

// TestUnreadableOrder: where more waits than the tables say when it is due, what is due
// now stays in memory, and so does what is to be attempted again now.
func TestUnreadableOrder(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{})
	testEnqueue(t, s, testMessage(s, "first"))
	s.mu.Lock()
	s.lanes[testLane].levels[levelOf(0)].waiting += 5 // as a load leaves it that was cut before the first
	s.mu.Unlock()
	now := testMessage(s, "now")
	testEnqueue(t, s, now)
	if r, found := s.logRow(seqOf(now.ID)); !found || r.status != fresh {
		t.Error("what is due now is not kept in memory")
	}
	leased, _ := testLease(t, s, 10)
	if len(leased) != 2 {
		t.Fatalf("leased %d, want 2", len(leased))
	}
	settleAs(t, s, &leased[1], queue.Outcome{Verdict: queue.VerdictRetry, Target: leased[1].Target})
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[seqOf(now.ID)] == nil {
		t.Error("what is to be attempted again now is not in memory")
	}
}

// TestContentThatCannotBeReadOnce: SQLite says of a disk that fails to read what it
// says of damage. A message whose content can be read again is not given up.
func TestContentThatCannotBeReadOnce(t *testing.T) {
	t.Parallel()
	s := testOpen(t, t.TempDir(), Options{WindowBytes: 1}) // the second goes into the tables at once
	testEnqueue(t, s, testMessage(s, "in the log"))
	testEnqueue(t, s, testMessage(s, "in the tables"))
	testLease(t, s, 1)
	g := stopReader(s, "FROM content", 0)
	g.fault = corruptError(t)
	leased, _ := testLease(t, s, 1)
	if g.passes >= 0 {
		t.Fatal("no content was read")
	}
	if len(leased) != 1 || string(leased[0].Payload) != "in the tables" {
		t.Errorf("leased %v, want the message in the tables", leased)
	}
}

// corruptError is what SQLite says of a file that is none of its own.
func corruptError(t *testing.T) error {
	t.Helper()
	path := filepath.Join(t.TempDir(), "damaged")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("no database "), 1000), 0o600))
	db, err := sql.Open("sqlite", path)
	must(t, err)
	defer func() { _ = db.Close() }()
	if _, err = db.Exec("SELECT * FROM sqlite_schema"); !isCorrupt(err) {
		t.Fatalf("%v is not of damage", err)
	}
	return err
}

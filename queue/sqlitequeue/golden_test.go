package sqlitequeue

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

var update = flag.Bool("update", false, "write the golden file of the latest schema version anew")

// goldens are the golden files of each schema version, the first first: with .sql a
// database as it writes it, and with .json what was seen in it then. Those of a
// released version are never written again.
func goldens() []string { return []string{"testdata/v1", "testdata/v2", "testdata/v3"} }

// ages is longer than the golden files will be used.
const ages = 200 * 365 * 24 * time.Hour

// TestGolden: a store that was written long ago is what it was.
func TestGolden(t *testing.T) {
	t.Parallel()
	if *update {
		writeGolden(t)
	}
	for _, golden := range goldens() {
		dir := t.TempDir()
		undump(t, golden+".sql", filepath.Join(dir, databaseName))
		want, err := os.ReadFile(golden + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if got, want := asText(t, see(t, dir)), sameFields(t, want); got != want {
			t.Errorf("%s is not seen as it was written: got\n%s\nwant\n%s", golden, got, want)
		}
	}
}

// sameFields gives a golden file the fields that this program knows.
func sameFields(t *testing.T, text []byte) string {
	t.Helper()
	var s sight
	must(t, json.Unmarshal(text, &s))
	return asText(t, s)
}

func asText(t *testing.T, s sight) string {
	t.Helper()
	text, err := json.MarshalIndent(s, "", " ")
	must(t, err)
	return string(text) + "\n"
}

// writeGolden writes the files as of the first day of 2000, the bubble's time: what
// is due then is due whenever they are read.
func writeGolden(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { fill(t, dir) })
	latest := goldens()[len(goldens())-1]
	for path, content := range map[string]string{latest + ".sql": dump(t, dir), latest + ".json": asText(t, see(t, dir))} {
		must(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

// dump writes a database as the statements that make it again.
func dump(t *testing.T, dir string) string {
	t.Helper()
	c, err := connect(filepath.Join(dir, databaseName))
	must(t, err)
	defer func() { must(t, c.close()) }()
	var text strings.Builder
	for _, setting := range []string{"auto_vacuum", "application_id", "user_version"} {
		value, err := c.number("PRAGMA " + setting)
		must(t, err)
		fmt.Fprintf(&text, "PRAGMA %s = %d;\n", setting, value)
	}
	var tables []string
	must(t, c.query("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid", func(v []driver.Value) error {
		if strings.HasPrefix(fmt.Sprint(v[1]), "CREATE TABLE") {
			tables = append(tables, fmt.Sprint(v[0]))
		}
		fmt.Fprintf(&text, "%s;\n", v[1])
		return nil
	}))
	for _, table := range tables {
		var columns []string
		must(t, c.query("SELECT name FROM pragma_table_info('"+table+"')", func(v []driver.Value) error {
			columns = append(columns, fmt.Sprintf("quote(%q)", v[0]))
			return nil
		}))
		must(t, c.query("SELECT "+strings.Join(columns, " || ', ' || ")+" FROM "+table+" ORDER BY 1", func(v []driver.Value) error {
			fmt.Fprintf(&text, "INSERT INTO %s VALUES (%s);\n", table, v[0])
			return nil
		}))
	}
	return text.String()
}

// undump makes the database that dump has written.
func undump(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	must(t, err)
	c, err := connect(to)
	must(t, err)
	must(t, c.script(string(text)))
	must(t, c.close())
}

// sight is all that callers can see in a store.
type sight struct {
	Records    []seenRecord
	ByLane     []string
	Lanes      []queue.LaneState
	Stats      []queue.Backlog
	Duplicates []string
	Leased     []string
	Expired    []string
}

type seenRecord struct {
	Record  queue.Record
	URI     string
	Targets []string
	Log     []queue.Attempt
}

// see opens a store and tells what is in it.
func see(t *testing.T, dir string) sight {
	t.Helper()
	store, err := Open(t.Context(), dir, Options{KeyLifetime: ages, OnFault: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { must(t, store.Close(t.Context())) }()
	records := listAll(t, store, queue.Query{Limit: queue.MaxPage})
	var s sight
	for i := range records {
		s.Records = append(s.Records, seeRecord(t, store, records[i].ID))
	}
	s.ByLane = byLane(t, store, records)
	if s.Lanes, err = store.Lanes(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range s.Lanes {
		atUTC(&s.Lanes[i].PausedUntil, &s.Lanes[i].FailingSince)
	}
	if s.Stats, err = store.Stats(t.Context(), queue.ByLane); err != nil {
		t.Fatal(err)
	}
	for i := range s.Stats {
		atUTC(&s.Stats[i].Oldest)
	}
	s.Duplicates = duplicates(t, store, records)
	s.Leased = leaseAll(t, store)
	ended, _, err := store.Expire(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ended {
		s.Expired = append(s.Expired, ended[i].ID.String()+" "+string(ended[i].Result))
	}
	return s
}

func seeRecord(t *testing.T, store queue.Store, id transport.ID) seenRecord {
	t.Helper()
	full, err := store.Get(t.Context(), []transport.ID{id}, true)
	if err != nil || len(full) != 1 {
		t.Fatalf("get %s: %d records, %v", id, len(full), err)
	}
	log, err := store.Attempts(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range log {
		atUTC(&log[i].StartedAt)
	}
	r := full[0]
	r.NextAt = r.NextAt.Round(time.Second) // two clocks say when that is, and differ by some nanoseconds
	atUTC(&r.NotBefore, &r.ExpiresAt, &r.CreatedAt, &r.QueuedAt, &r.UpdatedAt, &r.NextAt)
	one := seenRecord{Record: r, URI: r.URI.Reveal(), Log: log}
	for i := range r.Targets {
		one.Targets = append(one.Targets, r.Targets[i].URI.Reveal())
		r.Targets[i].URI = transport.Secret{}
	}
	one.Record.URI = transport.Secret{}
	return one
}

// byLane lists the lanes of records one by one.
func byLane(t *testing.T, store queue.Store, records []queue.Record) (ids []string) {
	t.Helper()
	known := map[queue.Lane]bool{}
	for i := range records {
		l := records[i].Lane
		if known[l] {
			continue
		}
		known[l] = true
		for _, r := range listAll(t, store, queue.Query{Profile: l.Profile, Destination: l.Destination}) {
			ids = append(ids, l.Destination+" "+r.ID.String())
		}
	}
	return ids
}

func atUTC(times ...*time.Time) {
	for _, t := range times {
		*t = t.UTC()
	}
}

// duplicates enqueues all idempotency keys again.
func duplicates(t *testing.T, store queue.Store, records []queue.Record) (known []string) {
	t.Helper()
	for i := range records {
		if records[i].IdempotencyKey == "" {
			continue
		}
		again := queue.Message{ID: store.NewID(), Lane: records[i].Lane, IdempotencyKey: records[i].IdempotencyKey}
		result, err := store.Enqueue(t.Context(), []queue.Message{again})
		if err != nil || !result[0].Duplicate {
			t.Fatalf("%s is not known: %+v, %v", again.IdempotencyKey, result, err)
		}
		known = append(known, again.IdempotencyKey+" "+result[0].ID.String()+" "+result[0].Status)
	}
	return known
}

// leaseAll leases all that is due.
func leaseAll(t *testing.T, store queue.Store) (leased []string) {
	t.Helper()
	due, err := store.Due(t.Context(), queue.Lane{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	var budgets []queue.Budget
	for _, lane := range due {
		budgets = append(budgets, queue.Budget{Lane: lane.Lane, Max: 100})
	}
	all, err := store.Lease(t.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: budgets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range all {
		leased = append(leased, all[i].ID.String()+" "+string(all[i].Payload))
	}
	slices.Sort(leased)
	return leased
}

func listAll(t *testing.T, store queue.Store, q queue.Query) []queue.Record {
	t.Helper()
	page, err := store.List(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return page.Records
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// filler puts messages into a store.
type filler struct {
	*testing.T
	store queue.Store
	next  time.Time // far, and on a whole second
}

// fill makes a store with a record in every state.
func fill(t *testing.T, dir string) {
	t.Helper()
	store, err := Open(t.Context(), dir, Options{OnFault: func(err error) { t.Error(err) }})
	must(t, err)
	f := filler{t, store, time.Date(2150, 1, 2, 3, 4, 5, 0, time.UTC)}
	f.removed()
	f.done()
	f.waiting()
	f.ordered()
	f.targets()
	f.lanes()
	f.cancelledWhileLeased()
	f.put("d", func(m *queue.Message) { m.Payload = []byte("fresh") })
	f.put("d", func(m *queue.Message) { m.Payload, m.Priority = []byte("fresh too"), queue.PriorityHigh })
	must(t, store.Close(context.WithoutCancel(t.Context())))
}

func laneOf(name string) queue.Lane {
	return queue.Lane{Profile: "acme", Destination: "https://" + name + ".example"}
}

// put enqueues a message.
func (f *filler) put(name string, change func(*queue.Message)) transport.ID {
	f.Helper()
	m := queue.Message{
		ID: f.store.NewID(), Lane: laneOf(name), Endpoint: laneOf(name).Destination + "/inbox?key=***",
		URI: transport.NewSecret(laneOf(name).Destination + "/inbox?key=secret"), Format: "raw", ContentType: "text/plain",
		Text: true, Payload: []byte("hello"), Metadata: transport.Metadata{"trace": "1"},
	}
	change(&m)
	_, err := f.store.Enqueue(f.Context(), []queue.Message{m})
	must(f.T, err)
	return m.ID
}

// end leases a message and settles it.
func (f *filler) end(name string, outcome queue.Outcome) {
	f.Helper()
	leased, err := f.store.Lease(f.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: laneOf(name), Max: 1}}}, nil)
	if err != nil || len(leased) != 1 {
		f.Fatalf("lease: %d messages, %v", len(leased), err)
	}
	outcome.LeaseRef = leased[0].Ref()
	lost, err := f.store.Settle(f.Context(), []queue.Outcome{outcome})
	if err != nil || lost != nil {
		f.Fatalf("settle: %v, %v", lost, err)
	}
}

func attempt(class transport.Class, fault string) *queue.Attempt {
	return &queue.Attempt{
		StartedAt: time.Date(2026, 5, 6, 7, 8, 9, 10, time.UTC), Duration: 15 * time.Millisecond, Class: class, Code: "503",
		Error: fault, Note: "response body cut short", Response: []byte("try\x00later"),
	}
}

// removed leaves a key whose record is gone.
func (f *filler) removed() {
	f.put("done", func(m *queue.Message) { m.IdempotencyKey = "removed" })
	f.end("done", queue.Outcome{Verdict: queue.VerdictDelivered, Status: "sent_to_external_queue"})
	_, _, err := f.store.Purge(f.Context(), queue.Retention{Result: queue.Delivered, Before: time.Now().Add(time.Second)}, 1)
	must(f.T, err)
}

func (f *filler) done() {
	f.put("done", func(m *queue.Message) { m.IdempotencyKey = "delivered" })
	f.end("done", queue.Outcome{Verdict: queue.VerdictDelivered, Status: "sent_to_session", Attempt: &queue.Attempt{N: 1, Class: transport.Success, Evidence: transport.Acknowledged}})
	f.put("done", func(*queue.Message) {})
	f.end("done", queue.Outcome{Verdict: queue.VerdictDead, Status: queue.StatusUndeliverable, Attempt: attempt(transport.Permanent, "no such inbox")})
	f.put("done", func(m *queue.Message) { m.ExpiresAt = time.Now().Add(-time.Hour) })
	_, _, err := f.store.Expire(f.Context(), 1)
	must(f.T, err)
	id := f.put("done", func(m *queue.Message) { m.MinEvidence, m.Retry = transport.Acknowledged, "attempts=3" })
	_, err = f.store.Cancel(f.Context(), queue.Query{IDs: []transport.ID{id}})
	must(f.T, err)
	id = f.put("done", func(m *queue.Message) { m.Payload = []byte("replayed"); m.ExpiresAt = f.next })
	_, err = f.store.Cancel(f.Context(), queue.Query{IDs: []transport.ID{id}})
	must(f.T, err)
	_, err = f.store.Replay(f.Context(), queue.Query{IDs: []transport.ID{id}})
	must(f.T, err)
}

func (f *filler) waiting() {
	f.put("wait", func(m *queue.Message) { m.NotBefore, m.IdempotencyKey = f.next, "later" })
	f.put("retry", func(m *queue.Message) { m.Priority, m.Payload, m.Text = queue.PriorityLow, []byte{0, 1, 0xff}, false })
	for range 60 { // more than a log keeps
		f.end("retry", queue.Outcome{Verdict: queue.VerdictRetry, Attempt: attempt(transport.Temporary, "busy")})
	}
	f.end("retry", queue.Outcome{Verdict: queue.VerdictRetry, At: f.next, Status: "waiting", Attempt: attempt(transport.Throttled, "too many")})
	f.put("park", func(m *queue.Message) { m.Metadata, m.Payload = nil, nil })
	f.end("park", queue.Outcome{Verdict: queue.VerdictPark, Status: "waiting_for_pickup"})
}

// ordered leaves one key whose first message has the turn, and one whose first
// has given it up.
func (f *filler) ordered() {
	for _, payload := range []string{"first", "second", "third"} {
		f.put("order", func(m *queue.Message) { m.OrderingKey, m.Payload = "invoice 1", []byte(payload) })
	}
	for _, payload := range []string{"aside", "in turn", "blocked"} {
		f.put("skip", func(m *queue.Message) { m.OrderingKey, m.SkipBlocked, m.Payload = "invoice 2", true, []byte(payload) })
	}
	f.end("skip", queue.Outcome{Verdict: queue.VerdictRetry, Skip: true, At: f.next, Attempt: attempt(transport.Temporary, "busy")})
}

func (f *filler) targets() {
	f.put("first", func(m *queue.Message) {
		m.Targets = []queue.Target{
			{Lane: m.Lane, Endpoint: m.Endpoint, URI: m.URI},
			{Lane: laneOf("second"), Endpoint: "https://second.example/in", URI: transport.NewSecret("https://second.example/in?key=other")},
		}
	})
	f.end("first", queue.Outcome{Verdict: queue.VerdictRetry, Target: 1, Attempt: attempt(transport.Permanent, "gone")})
}

func (f *filler) lanes() {
	must(f.T, f.store.SetLane(f.Context(), queue.LaneState{Lane: laneOf("paused"), PausedUntil: queue.Forever, Reason: "maintenance"}))
	must(f.T, f.store.SetLane(f.Context(), queue.LaneState{Lane: laneOf("retry"), FailingSince: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)}))
}

func (f *filler) cancelledWhileLeased() {
	id := f.put("leased", func(*queue.Message) {})
	_, err := f.store.Lease(f.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: laneOf("leased"), Max: 1}}}, nil)
	must(f.T, err)
	_, err = f.store.Cancel(f.Context(), queue.Query{IDs: []transport.ID{id}})
	must(f.T, err)
	f.put("leased", func(m *queue.Message) { m.Payload = []byte("leased when it was closed") })
}

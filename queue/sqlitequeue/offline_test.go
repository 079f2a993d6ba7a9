package sqlitequeue

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// filled is a store with a record in every state, as a crash leaves it.
func filled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	fill(t, dir)
	return dir
}

func check(t *testing.T, dir string, options CheckOptions) Report {
	t.Helper()
	report, err := Check(t.Context(), dir, options)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestCheckFindsNothing(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	before := fileSum(t, filepath.Join(dir, databaseName))
	report := check(t, dir, CheckOptions{})
	if !report.OK() || len(report.Damaged) > 0 || report.OrphanContents+report.OrphanAttempts > 0 {
		t.Errorf("got %+v", report)
	}
	want := Counts{Pending: 12, Retry: 3, Delivered: 1, Dead: 1, Cancelled: 1, Expired: 1}
	if report.Counts.Bytes = 0; report.Counts != want || report.Schema != len(migrations()) {
		t.Errorf("counts %+v, want %+v", report.Counts, want)
	}
	if fileSum(t, filepath.Join(dir, databaseName)) != before {
		t.Error("the file was changed")
	}
}

// TestCheckProgress: it is told of every thousand messages.
func TestCheckProgress(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	for range 25 {
		var batch []queue.Message
		for range 100 {
			batch = append(batch, queue.Message{ID: f.store.NewID(), Lane: laneOf("many"), NotBefore: time.Now().Add(time.Hour)})
		}
		_, err := f.store.Enqueue(t.Context(), batch)
		must(t, err)
	}
	must(t, f.store.Close(t.Context()))
	var told [][2]int64
	check(t, dir, CheckOptions{Progress: func(done, total int64) { told = append(told, [2]int64{done, total}) }})
	if want := [][2]int64{{1000, 2500}, {2000, 2500}}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Check(ctx, dir, CheckOptions{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func reopened(t *testing.T, dir string) *Store {
	t.Helper()
	store, err := Open(t.Context(), dir, Options{OnFault: func(err error) { t.Error(err) }})
	must(t, err)
	return store
}

func TestCheckAndRepair(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script string
		found  func(*Report) bool
		left   bool // not repaired
	}{
		"payload": {
			"UPDATE content SET body = x'00' WHERE seq IN (SELECT seq FROM message WHERE attempts > 0 AND status = 1)",
			func(r *Report) bool { return len(r.Damaged) == 2 },
			false,
		},
		"payload of a dead one": {
			"UPDATE content SET body = x'00' WHERE seq IN (SELECT seq FROM message WHERE status = 5)",
			func(r *Report) bool { return len(r.Damaged) == 1 && r.Damaged[0].Result == queue.Dead },
			false,
		},
		"content is gone": {
			"DELETE FROM content WHERE seq IN (SELECT seq FROM message WHERE status = 3)",
			func(r *Report) bool { return len(r.Damaged) == 1 && strings.Contains(r.Damaged[0].Fault, "not there") },
			false,
		},
		"head": {
			"UPDATE message SET head = x'01ffffffff' WHERE status = 2",
			func(r *Report) bool { return len(r.Damaged) == 4 },
			false,
		},
		"level": {
			"UPDATE message SET level = 9 WHERE status = 3",
			func(r *Report) bool { return len(r.Damaged) == 1 },
			false,
		},
		"tally": {
			"UPDATE lane SET tally = NULL, folded = 1 << 40 WHERE destination LIKE '%retry%'",
			func(r *Report) bool { return len(r.Tallies) == 1 && r.Tallies[0] == laneOf("retry") },
			false,
		},
		"tally that cannot be read": {
			"UPDATE lane SET tally = x'ff' WHERE destination LIKE '%retry%'",
			func(r *Report) bool { return len(r.Tallies) == 1 },
			false,
		},
		"journal": {
			"INSERT INTO journal (tallies) VALUES (x'ff')",
			func(r *Report) bool { return len(r.Tallies) > 5 },
			false,
		},
		"nobody's turn": {
			"UPDATE message SET status = 2 WHERE turn IS NOT NULL",
			func(r *Report) bool { return r.Turns > 0 },
			false,
		},
		"everybody's turn": {
			"UPDATE message SET status = 1 WHERE status = 2",
			func(r *Report) bool { return r.Turns == 2 },
			false,
		},
		"waits for no time": {
			"UPDATE message SET due = NULL WHERE attempts > 0 AND status = 1",
			func(r *Report) bool { return r.Lost == 2 },
			false,
		},
		"orphans": {
			"INSERT INTO content VALUES (1, 2, x'', NULL); INSERT INTO attempt VALUES (1, 1, x'')",
			func(r *Report) bool { return r.OrphanContents == 1 && r.OrphanAttempts == 1 && r.OK() },
			false,
		},
		"log of attempts": {
			"UPDATE attempt SET entry = x'01ff' WHERE n = 3",
			func(r *Report) bool { return len(r.Damaged) == 1 && strings.Contains(r.Damaged[0].Fault, "attempt 3") },
			true,
		},
		"lane": {
			"DELETE FROM lane WHERE destination LIKE '%retry%'",
			func(r *Report) bool { return len(r.Damaged) == 1 && strings.Contains(r.Damaged[0].Fault, "lane") },
			true,
		},
		"log of the accepted": {
			"UPDATE accepted SET records = x'ff'",
			func(r *Report) bool { return len(r.Unreadable) > 0 },
			true,
		},
		"history": {
			"UPDATE delivered SET records = x'0501'",
			func(r *Report) bool { return len(r.Unreadable) == 1 },
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filled(t)
			script(t, filepath.Join(dir, databaseName), test.script)
			report := check(t, dir, CheckOptions{})
			if !test.found(&report) {
				t.Errorf("found %+v", report)
			}
			if again := check(t, dir, CheckOptions{}); !test.found(&again) {
				t.Errorf("the first check has changed it: %+v", again)
			}
			repaired := check(t, dir, CheckOptions{Repair: true})
			if repaired.OK() == test.left {
				t.Errorf("after the repair: %+v", repaired)
			}
			if test.left {
				return
			}
			store := reopened(t, dir)
			if _, _, err := store.Expire(t.Context(), 100); err != nil {
				t.Error(err)
			}
			leaseAll(t, store)
			must(t, store.Close(t.Context()))
			if after := check(t, dir, CheckOptions{}); !after.OK() {
				t.Errorf("after use: %+v", after)
			}
		})
	}
}

// TestRepairTells what it did, and ends what cannot be delivered.
func TestRepairTells(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	script(t, filepath.Join(dir, databaseName), "UPDATE content SET body = x'00' WHERE seq IN (SELECT seq FROM message WHERE status = 3); UPDATE message SET status = 1 WHERE status = 2")
	report := check(t, dir, CheckOptions{Repair: true})
	if len(report.Repaired.Ended) != 1 || report.Repaired.Turns != 2 || report.Repaired.Tallies != 1 {
		t.Fatalf("repaired %+v", report.Repaired)
	}
	store := reopened(t, dir)
	records, err := store.Get(t.Context(), report.Repaired.Ended, false)
	if err != nil || len(records) != 1 || records[0].Result != queue.Dead || records[0].Status != queue.StatusUndeliverable ||
		!strings.Contains(records[0].LastError, "not what was written") {
		t.Errorf("got %+v, %v", records, err)
	}
	must(t, store.Close(t.Context()))
}

// TestCheckDamagedFile: what SQLite finds is reported, and nothing is written.
func TestCheckDamagedFile(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	path := filepath.Join(dir, databaseName)
	content, err := os.ReadFile(path)
	must(t, err)
	for i := range 1000 {
		content[3*4096+i] ^= 0xff
	}
	must(t, os.WriteFile(path, content, 0o600))
	before := fileSum(t, path)
	report, err := Check(t.Context(), dir, CheckOptions{Repair: true})
	if err != nil || len(report.Integrity) == 0 || report.OK() {
		t.Errorf("got %+v, %v", report, err)
	}
	if fileSum(t, path) != before {
		t.Error("the file was changed")
	}
}

// TestOfflineNeedsTheStore: all of it is refused while a process has the store, and
// makes nothing where there is none.
func TestOfflineNeedsTheStore(t *testing.T) {
	t.Parallel()
	dir, empty := filled(t), t.TempDir()
	store := reopened(t, dir)
	defer func() { must(t, store.Close(t.Context())) }()
	for name, run := range map[string]func(dir string) error{
		"check":   func(dir string) error { _, err := Check(t.Context(), dir, CheckOptions{Repair: true}); return err },
		"compact": func(dir string) error { _, err := Compact(t.Context(), dir, CompactOptions{}); return err },
	} {
		if err := run(dir); !errors.Is(err, queue.ErrLocked) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s of an open store: %v", name, err)
		}
		if err := run(empty); !errors.Is(err, ErrNoStore) {
			t.Errorf("%s of none: %v", name, err)
		}
	}
	if _, err := Lock(dir); !errors.Is(err, queue.ErrLocked) {
		t.Errorf("lock: %v", err)
	}
	if _, err := NewImporter(t.Context(), dir); !errors.Is(err, queue.ErrLocked) {
		t.Errorf("import: %v", err)
	}
	if _, err := Inspect(t.Context(), empty); !errors.Is(err, ErrNoStore) {
		t.Errorf("inspect none: %v", err)
	}
	if entries, err := os.ReadDir(empty); err != nil || len(entries) > 0 {
		t.Errorf("made %v, %v", entries, err)
	}
}

func TestCompact(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	store := reopened(t, dir)
	var batch []queue.Message
	for range 200 {
		batch = append(batch, queue.Message{ID: store.NewID(), Lane: laneOf("big"), Payload: make([]byte, 8000)})
	}
	_, err := store.Enqueue(t.Context(), batch)
	must(t, err)
	_, err = store.Cancel(t.Context(), queue.Query{Destination: laneOf("big").Destination, Limit: 1000})
	must(t, err)
	_, _, err = store.Purge(t.Context(), queue.Retention{Result: queue.Cancelled, Before: time.Now().Add(time.Hour)}, 1000)
	must(t, err)
	must(t, store.Close(t.Context()))
	must(t, os.WriteFile(filepath.Join(dir, newName), []byte("left by a crash"), 0o600))
	before := asText(t, seeQuietly(t, dir))

	var needs int64
	sizes, err := Compact(t.Context(), dir, CompactOptions{Needs: func(bytes int64) error { needs = bytes; return nil }})
	must(t, err)
	info, err := os.Stat(filepath.Join(dir, databaseName))
	must(t, err)
	if sizes.After >= sizes.Before/2 || sizes.After != info.Size() || needs < sizes.After/2 || needs > sizes.Before || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v with %d needed, and the file is %d, %v", sizes, needs, info.Size(), info.Mode())
	}
	if after := asText(t, seeQuietly(t, dir)); after != before {
		t.Errorf("after: %s\nbefore: %s", after, before)
	}
	if report := check(t, dir, CheckOptions{}); !report.OK() {
		t.Errorf("check: %+v", report)
	}
	if _, err := os.Stat(filepath.Join(dir, newName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", newName, err)
	}
}

// TestCompactRefused: the store is as it was.
func TestCompactRefused(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	refusal := errors.New("no room")
	before := fileSum(t, filepath.Join(dir, databaseName))
	if _, err := Compact(t.Context(), dir, CompactOptions{Needs: func(int64) error { return refusal }}); !errors.Is(err, refusal) {
		t.Errorf("refused: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Compact(ctx, dir, CompactOptions{Needs: func(int64) error { cancel(); return nil }}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if fileSum(t, filepath.Join(dir, databaseName)) != before {
		t.Error("the file was changed")
	}
	if _, err := os.Stat(filepath.Join(dir, newName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", newName, err)
	}
}

// seeQuietly sees a copy of a store: to see is to lease.
func seeQuietly(t *testing.T, dir string) sight {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, databaseName))
	must(t, err)
	other := t.TempDir()
	must(t, os.WriteFile(filepath.Join(other, databaseName), content, 0o600))
	return see(t, other)
}

// TestLogWithoutItsDatabase: nothing takes a directory whose database is gone for an
// empty one, or loses the log that is left.
func TestLogWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	from := testOpen(t, t.TempDir(), Options{})
	kept := testMessage(from, "kept")
	testEnqueue(t, from, kept)
	dir := crashed(t, from.dir)
	path, aside := filepath.Join(dir, databaseName), filepath.Join(t.TempDir(), databaseName)
	must(t, os.Rename(path, aside))
	log := fileSum(t, path+"-wal")
	for _, empty := range []bool{false, true} {
		if empty {
			must(t, os.WriteFile(path, nil, 0o600))
		}
		for name, run := range map[string]func() error{
			"open":   func() error { _, err := Open(t.Context(), dir, Options{}); return err },
			"check":  func() error { _, err := Check(t.Context(), dir, CheckOptions{Repair: true}); return err },
			"export": func() error { _, err := OpenSnapshot(t.Context(), dir); return err },
			"import": func() error { _, err := NewImporter(t.Context(), dir); return err },
		} {
			if err := run(); !errors.Is(err, ErrLogAlone) || !strings.Contains(err.Error(), "put queue.db back") {
				t.Errorf("%s: %v, want ErrLogAlone and what to do", name, err)
			}
		}
	}
	if fileSum(t, path+"-wal") != log {
		t.Fatal("the log was changed")
	}
	must(t, os.Rename(aside, path))
	if leased, _ := testLease(t, testOpen(t, dir, Options{}), 10); len(leased) != 1 || leased[0].ID != kept.ID {
		t.Errorf("leased %v once the database was back, want what was accepted", leased)
	}
}

// saveAll is all that a snapshot has, as text.
func saveAll(t *testing.T, dir string) (all []*Saved, lanes []queue.LaneState, text string) {
	t.Helper()
	s, err := OpenSnapshot(t.Context(), dir)
	must(t, err)
	must(t, s.Each(t.Context(), nil, func(one *Saved) error {
		all = append(all, one)
		return nil
	}))
	lanes = s.Lanes()
	must(t, s.Close())
	encoded, err := json.MarshalIndent([]any{all, lanes}, "", " ")
	must(t, err)
	return all, lanes, string(encoded)
}

func importAll(t *testing.T, dir string, all []*Saved, lanes []queue.LaneState) {
	t.Helper()
	i, err := NewImporter(t.Context(), dir)
	must(t, err)
	for _, state := range lanes {
		must(t, i.SetLane(state))
	}
	for _, one := range all {
		must(t, i.Add(one))
	}
	must(t, i.Commit(t.Context()))
	must(t, i.Close())
}

// TestImport: what a snapshot of a store has makes a store in which the same is
// seen, and of which a snapshot has the same.
func TestImport(t *testing.T) {
	t.Parallel()
	dir, other := filled(t), filepath.Join(t.TempDir(), "other")
	all, lanes, want := saveAll(t, dir)
	if len(all) != 19 || len(lanes) != 2 {
		t.Fatalf("%d messages, %d lanes", len(all), len(lanes))
	}
	slices.Reverse(all)
	importAll(t, other, all, lanes)
	if _, _, got := saveAll(t, other); got != want {
		t.Errorf("after the import:\n%s\nbefore:\n%s", got, want)
	}
	if report := check(t, other, CheckOptions{}); !report.OK() || len(report.Damaged) > 0 {
		t.Errorf("check: %+v", report)
	}
	if got, want := asText(t, see(t, other)), asText(t, see(t, dir)); got != want {
		t.Errorf("seen:\n%s\nwant:\n%s", got, want)
	}
}

// TestImportedIsNotMadeAgain: new ids come after those that were imported.
func TestImportedIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	dir, other := filled(t), t.TempDir()
	all, lanes, _ := saveAll(t, dir)
	importAll(t, other, all, lanes)
	store := reopened(t, other)
	id := store.NewID()
	if last := all[len(all)-1].ID; seqOf(id) <= seqOf(last) || compareIDs(id, last) <= 0 {
		t.Errorf("after %s came %s", last, id)
	}
	must(t, store.Close(t.Context()))
}

// TestSnapshotOfAnOpenStore sees what is accepted, also while it is leased, and what
// was delivered.
func TestSnapshotOfAnOpenStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	done := f.put("a", func(*queue.Message) {})
	f.end("a", queue.Outcome{Verdict: queue.VerdictDelivered, Attempt: attempt(transport.Success, "")})
	leased := f.put("a", func(*queue.Message) {})
	leaseAll(t, f.store)
	waits := f.put("b", func(*queue.Message) {})
	all, _, _ := saveAll(t, dir)
	var ids []transport.ID
	for _, one := range all {
		ids = append(ids, one.ID)
		if hasContent := one.URI.Reveal() != ""; hasContent == (one.ID == done) || one.Fault != "" {
			t.Errorf("%s: content %t, fault %q", one.ID, hasContent, one.Fault)
		}
	}
	if !slices.Equal(ids, []transport.ID{done, leased, waits}) || len(all[0].Log) != 1 || all[0].Result != queue.Delivered {
		t.Errorf("got %v, %+v", ids, all[0])
	}
	info, err := Inspect(t.Context(), dir)
	if err != nil || !info.InUse || info.Counts.Pending != 2 || info.Counts.Delivered != 1 || !info.Oldest.Equal(all[1].QueuedAt) || info.Lanes != 2 {
		t.Errorf("inspect: %+v, %v", info, err)
	}
	must(t, f.store.Close(t.Context()))
	if info, err := Inspect(t.Context(), dir); err != nil || info.InUse || info.DatabaseBytes == 0 || info.ReserveBytes != reserveBytes {
		t.Errorf("inspect after it was closed: %+v, %v", info, err)
	}
}

// TestBackupOfAnOpenStore: what another SQLite copies out of a store in use is a
// store.
func TestBackupOfAnOpenStore(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	f.put("a", func(*queue.Message) {})
	f.put("b", func(*queue.Message) {})
	script(t, filepath.Join(dir, databaseName), "VACUUM INTO '"+filepath.Join(other, databaseName)+"'")
	f.put("c", func(*queue.Message) {})
	store := reopened(t, other)
	if got := leaseAll(t, store); len(got) != 2 {
		t.Errorf("leased %v", got)
	}
	must(t, store.Close(t.Context()))
	must(t, f.store.Close(t.Context()))
}

// TestImportOfDamage: what was damaged is dead once it is its turn.
func TestImportOfDamage(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	f := filler{T: t, store: reopened(t, dir)}
	id := f.put("a", func(*queue.Message) {})
	f.end("a", queue.Outcome{Verdict: queue.VerdictRetry})
	must(t, f.store.Close(t.Context()))
	script(t, filepath.Join(dir, databaseName), "UPDATE content SET body = x'00'")
	all, lanes, _ := saveAll(t, dir)
	if len(all) != 1 || all[0].Fault == "" || all[0].Payload != nil {
		t.Fatalf("got %+v", all)
	}
	importAll(t, other, all, lanes)
	store, err := Open(t.Context(), other, Options{})
	must(t, err)
	leaseAll(t, store)
	ended, _, err := store.Expire(t.Context(), 10)
	if err != nil || len(ended) != 1 || ended[0].ID != id || ended[0].Result != queue.Dead {
		t.Errorf("ended %+v, %v", ended, err)
	}
	must(t, store.Close(t.Context()))
}

// TestImportSeesTheLogs: what was just accepted, or delivered at once, is not in the
// table of messages. A store that has nothing else is not empty.
func TestImportSeesTheLogs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := reopened(t, dir)
	_, err := s.Enqueue(t.Context(), []queue.Message{testMessage(s, "accepted")})
	must(t, err)
	accepted := crashed(t, dir)
	leased, _ := testLease(t, s, 1)
	_, err = s.Settle(t.Context(), []queue.Outcome{{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered}})
	must(t, err)
	must(t, s.Close(t.Context()))
	for name, dir := range map[string]string{"accepted": accepted, "delivered": dir} {
		if i, err := NewImporter(t.Context(), dir); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("%s: into a store with a message: %v", name, err)
			if err == nil {
				must(t, i.Close())
			}
		}
	}
}

func TestImportRefusals(t *testing.T) {
	t.Parallel()
	dir := filled(t)
	all, _, _ := saveAll(t, dir)
	before := fileSum(t, filepath.Join(dir, databaseName))
	if _, err := NewImporter(t.Context(), dir); !errors.Is(err, ErrNotEmpty) {
		t.Errorf("into a store with messages: %v", err)
	}
	if fileSum(t, filepath.Join(dir, databaseName)) != before {
		t.Error("the store was changed")
	}
	for name, test := range map[string]struct {
		change func(*Saved)
		want   string
	}{
		"no id":             {func(s *Saved) { s.ID = transport.ID{} }, "its id"},
		"no lane":           {func(s *Saved) { s.Lane = queue.Lane{} }, "destination"},
		"no time":           {func(s *Saved) { s.CreatedAt = time.Time{} }, "created"},
		"no such target":    {func(s *Saved) { s.Target = 3 }, "target"},
		"no such result":    {func(s *Saved) { s.Result = "lost" }, "result"},
		"no such evidence":  {func(s *Saved) { s.Evidence = 77 }, "evidence"},
		"below zero":        {func(s *Saved) { s.Attempts = -1 }, "below zero"},
		"done and waits":    {func(s *Saved) { s.Result, s.Parked = queue.Dead, true }, "waits"},
		"parked, has turn":  {func(s *Saved) { s.Parked, s.Turn = true, true }, "pick-up"},
		"unordered log":     {func(s *Saved) { s.Log = []queue.Attempt{{N: 2}, {N: 1}} }, "order"},
		"the same a second": {func(*Saved) {}, "there is another"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			other := t.TempDir()
			i, err := NewImporter(t.Context(), other)
			must(t, err)
			one := *all[4]
			must(t, i.Add(&one))
			test.change(&one)
			if err := i.Add(&one); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v", err)
			}
			must(t, i.Close())
			entries, err := os.ReadDir(other)
			if err != nil || len(entries) != 1 || entries[0].Name() != lockName {
				t.Errorf("left %v, %v", entries, err)
			}
		})
	}
}

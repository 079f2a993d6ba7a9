package archive

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sealqueue"
	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

func TestMain(m *testing.M) { leak.Main(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// golden is a store with a record in every state.
func golden(tb testing.TB) (dir string) {
	tb.Helper()
	script, err := os.ReadFile("../../queue/sqlitequeue/testdata/v3.sql")
	must(tb, err)
	dir = tb.TempDir()
	database, err := sql.Open("sqlite", filepath.Join(dir, "queue.db")) // the driver that sqlitequeue brings
	must(tb, err)
	_, err = database.ExecContext(tb.Context(), string(script))
	must(tb, errors.Join(err, database.Close()))
	return dir
}

func export(tb testing.TB, dir string, options Options) (string, Summary) {
	tb.Helper()
	snapshot, err := sqlitequeue.OpenSnapshot(tb.Context(), dir)
	must(tb, err)
	var file bytes.Buffer
	sum, err := Export(tb.Context(), snapshot, &file, options)
	must(tb, errors.Join(err, snapshot.Close()))
	return file.String(), sum
}

func load(ctx context.Context, tb testing.TB, dir, file string, options Options) (Summary, error) {
	tb.Helper()
	importer, err := sqlitequeue.NewImporter(ctx, dir)
	must(tb, err)
	sum, err := Import(ctx, strings.NewReader(file), importer, options)
	return sum, errors.Join(err, importer.Close())
}

func newKeys(tb testing.TB, dir string) *keyring.Keyring {
	tb.Helper()
	master, err := keyring.ParseMaster(keyring.NewMaster())
	must(tb, err)
	keys, err := keyring.Open(dir, master)
	must(tb, err)
	return keys
}

// TestThereAndBack: what was exported, imported and exported again is the same
// file, whether the store between is sealed or not.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	file, sum := export(t, golden(t), Options{})
	if sum.Messages != 19 || sum.Lanes != 2 || sum.Lost+sum.Skipped != 0 || strings.Count(file, "\n") != 23 {
		t.Fatalf("exported %+v:\n%s", sum, file)
	}
	for _, sealed := range []bool{false, true} {
		dir, options := t.TempDir(), Options{}
		if sealed {
			options.Keys = newKeys(t, dir)
		}
		in, err := load(t.Context(), t, dir, file, options)
		if err != nil || in.Messages != sum.Messages || in.Lanes != sum.Lanes {
			t.Fatalf("imported %+v, %v", in, err)
		}
		again, _ := export(t, dir, options)
		if again != file {
			t.Errorf("sealed %t: exported again:\n%s\nbefore:\n%s", sealed, again, file)
		}
		if report, err := sqlitequeue.Check(t.Context(), dir, sqlitequeue.CheckOptions{}); err != nil || !report.OK() {
			t.Errorf("sealed %t: check: %+v, %v", sealed, report, err)
		}
		content, err := os.ReadFile(filepath.Join(dir, "queue.db"))
		must(t, err)
		for _, secret := range []string{"key=secret", "try\x00later", "leased when it was closed"} {
			if found := bytes.Contains(content, []byte(secret)); found == sealed {
				t.Errorf("sealed %t: %q in the store: %t", sealed, secret, found)
			}
		}
	}
}

// TestSealed: without its keys a sealed store is not exported, and without one key
// its messages are exported without content.
func TestSealed(t *testing.T) {
	t.Parallel()
	file, _ := export(t, golden(t), Options{})
	dir := t.TempDir()
	keys := newKeys(t, dir)
	if _, err := load(t.Context(), t, dir, file, Options{Keys: keys}); err != nil {
		t.Fatal(err)
	}
	snapshot, err := sqlitequeue.OpenSnapshot(t.Context(), dir)
	must(t, err)
	if _, err := Export(t.Context(), snapshot, io.Discard, Options{}); !errors.Is(err, sealqueue.ErrSealed) {
		t.Errorf("without keys: %v", err)
	}
	must(t, snapshot.Close())
	_, err = keys.Shred(t.Context(), "acme")
	must(t, err)
	shredded, sum := export(t, dir, Options{Keys: keys})
	if sum.Messages != 19 || sum.Lost != 18 || strings.Contains(shredded, "key=secret") {
		t.Errorf("shredded: %+v\n%s", sum, shredded)
	}
	other := t.TempDir()
	if sum, err := load(t.Context(), t, other, shredded, Options{}); err != nil || sum.Lost != 18 {
		t.Errorf("import of what was shredded: %+v, %v", sum, err)
	}
	if again, _ := export(t, other, Options{}); strings.Count(again, `"fault":`) != 18 {
		t.Errorf("exported again: %s", again)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	dir := golden(t)
	for name, test := range map[string]struct {
		filter Filter
		want   int64
		lanes  int64
	}{
		"all":        {Filter{}, 19, 2},
		"profile":    {Filter{Profile: "acme"}, 19, 2},
		"another":    {Filter{Profile: "other"}, 0, 0},
		"dead":       {Filter{Results: []queue.Result{queue.Dead}}, 1, 2},
		"retry":      {Filter{States: []queue.State{queue.StateRetry}}, 3, 2},
		"later":      {Filter{Since: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}, 0, 2},
		"since ever": {Filter{Since: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)}, 19, 2},
	} {
		file, sum := export(t, dir, Options{Filter: test.filter})
		if sum.Messages != test.want || sum.Lanes != test.lanes {
			t.Errorf("%s: %+v", name, sum)
		}
		if in, err := load(t.Context(), t, t.TempDir(), file, Options{}); err != nil || in.Messages != test.want {
			t.Errorf("%s: imported %+v, %v", name, in, err)
		}
	}
}

// TestTextsOfAnyBytes: what is not UTF-8 is kept, too.
func TestTextsOfAnyBytes(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	store, err := sqlitequeue.Open(t.Context(), dir, sqlitequeue.Options{})
	must(t, err)
	want := queue.Message{
		ID: store.NewID(), Lane: queue.Lane{Profile: "a", Destination: "d"}, URI: transport.NewSecret("mem:\xff"), IdempotencyKey: "\xfe<&>\u2028",
		Metadata: transport.Metadata{"\xfd": "\xfc", "b": ""}, Payload: []byte{0xff},
	}
	_, err = store.Enqueue(t.Context(), []queue.Message{want})
	must(t, errors.Join(err, store.Close(t.Context())))
	file, _ := export(t, dir, Options{})
	if _, err := load(t.Context(), t, other, file, Options{}); err != nil {
		t.Fatal(err)
	}
	if store, err = sqlitequeue.Open(t.Context(), other, sqlitequeue.Options{}); err != nil {
		t.Fatal(err)
	}
	records, err := store.Get(t.Context(), []transport.ID{want.ID}, true)
	must(t, errors.Join(err, store.Close(t.Context())))
	got := records[0]
	if !got.URI.Equal(want.URI) || got.IdempotencyKey != want.IdempotencyKey || len(got.Metadata) != 2 || got.Metadata["\xfd"] != "\xfc" || !bytes.Equal(got.Payload, want.Payload) {
		t.Errorf("got %+v", got)
	}
}

// TestRefusedFiles: nothing of a file that is not whole gets into the store.
func TestRefusedFiles(t *testing.T) {
	t.Parallel()
	file, _ := export(t, golden(t), Options{})
	lines := strings.SplitAfter(file, "\n")
	lines = lines[:len(lines)-1]
	without := func(n int) string { return strings.Join(append(append([]string{}, lines[:n]...), lines[n+1:]...), "") }
	for name, test := range map[string]struct {
		file, want string
	}{
		"empty":               {"", "ends in line 1"},
		"something else":      {"{}\n", "first line"},
		"no JSON":             {"hello", "line 1"},
		"a later version":     {strings.Replace(file, `"version":1`, `"version":2`, 1), "version 2"},
		"without its end":     {without(len(lines) - 1), "ends in line 23"},
		"cut in a line":       {file[:len(file)/2], "it ends in line"},
		"without a message":   {without(7), "counts 19 messages"},
		"without a lane":      {without(1), "2 lanes"},
		"with a message more": {strings.Join(append(append(append([]string{}, lines[:5]...), lines[4]), lines[5:]...), ""), "there is another"},
		"more behind its end": {file + "{}\n", "behind its end"},
		"an unknown field":    {strings.Replace(file, `"turn":true`, `"tune":true`, 1), `unknown field "tune"`},
		"an empty line":       {strings.Replace(file, lines[5], "{}\n", 1), "neither"},
		"a sealed URI":        {strings.Replace(file, `"uri":"https://`, `"uri":"!!sealed:1:`, 1), "its URI"},
		"an unknown result":   {strings.Replace(file, `"result":"dead"`, `"result":"gone"`, 1), "result"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if _, err := load(t.Context(), t, dir, test.file, Options{}); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("left: %v, %v", entries, err)
			}
		})
	}
}

func TestCancelled(t *testing.T) {
	t.Parallel()
	dir := golden(t)
	file, _ := export(t, dir, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	snapshot, err := sqlitequeue.OpenSnapshot(ctx, dir)
	must(t, err)
	other := t.TempDir()
	importer, err := sqlitequeue.NewImporter(ctx, other)
	must(t, err)
	cancel()
	if _, err := Export(ctx, snapshot, io.Discard, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("export: %v", err)
	}
	if _, err := Import(ctx, strings.NewReader(file), importer, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("import: %v", err)
	}
	must(t, errors.Join(snapshot.Close(), importer.Close()))
	if _, err := os.Stat(filepath.Join(other, "queue.db")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a store was made: %v", err)
	}
}

// kept is an importer that keeps what it is given.
type kept struct {
	lanes    []queue.LaneState
	messages []*sqlitequeue.Saved
}

func (k *kept) SetLane(state queue.LaneState) error {
	k.lanes = append(k.lanes, state)
	return nil
}

func (k *kept) Add(s *sqlitequeue.Saved) error {
	k.messages = append(k.messages, s)
	return nil
}

// text is the file of what was kept.
func (k *kept) text(tb testing.TB) string {
	tb.Helper()
	var file bytes.Buffer
	out := json.NewEncoder(&file)
	must(tb, out.Encode(line{Kind: fileKind, Version: fileVersion}))
	for _, state := range k.lanes {
		must(tb, out.Encode(line{Lane: laneLine(state)}))
	}
	for _, s := range k.messages {
		m := messageOf(s)
		must(tb, out.Encode(line{Message: &m}))
	}
	must(tb, out.Encode(line{End: &end{int64(len(k.lanes)), int64(len(k.messages))}}))
	return file.String()
}

// FuzzRead: a file is refused, or is read as it would be written.
func FuzzRead(f *testing.F) {
	file, _ := export(f, golden(f), Options{})
	for one := range strings.SplitAfterSeq(file, "\n") {
		if strings.HasPrefix(one, `{"message"`) && len(one) < 800 {
			f.Add(`{"kind":"outrider export","version":1}` + "\n" + one + `{"end":{"lanes":0,"messages":1}}`)
		}
	}
	f.Add(`{"kind":"outrider export","version":1}` + "\n" + `{"end":{"lanes":0,"messages":0}}` + "\n")
	f.Add(`{"kind":"outrider export","version":1} {"message":{"id":"01a1fa88-65ef-7d0b-8000-0000000f424a","uri":{"base64":"/w=="},"metadata":[["a","b"],["a","c"]]}} {"end":{"messages":1}}`)
	f.Fuzz(func(t *testing.T, file string) {
		var first, second kept
		if newReader(strings.NewReader(file), &first, Options{}).readAll(t.Context()) != nil {
			return
		}
		written := first.text(t)
		if err := newReader(strings.NewReader(written), &second, Options{}).readAll(t.Context()); err != nil {
			t.Fatalf("what was read is refused once it is written: %v\n%s", err, written)
		}
		if again := second.text(t); again != written {
			t.Errorf("written:\n%s\nagain:\n%s", written, again)
		}
	})
}

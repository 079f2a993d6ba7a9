package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newStoreDir makes a store with a message that waits and one that was delivered.
func newStoreDir(t *testing.T, flags ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "data")
	sh, daemon := startDaemon(t, append([]string{"--dir", dir, "--retry", "exponential"}, flags...)...)
	sh.want(t, ExitOK, "send", closedPort(t)+"?key=canary", "-d", "waits")
	sh.want(t, ExitOK, "send", closedPort(t), "-d", "waits too", "--ttl", "100h")
	if code := daemon.stop(); code != ExitOK {
		t.Fatalf("exit code %d: %s", code, daemon.errors())
	}
	return dir
}

func TestStoreInfo(t *testing.T) {
	t.Parallel()
	dir := newStoreDir(t)
	var info struct {
		Dir    string
		Schema int
		InUse  bool `json:"in_use"`
		Counts struct{ Pending, Retry, Delivered int64 }
		Bytes  int64 `json:"database_bytes"`
	}
	shell{}.json(t, ExitOK, &info, "store", "info", "--dir", dir)
	if info.Dir != dir || info.Schema != 3 || info.InUse || info.Counts.Pending+info.Counts.Retry != 2 || info.Bytes == 0 {
		t.Errorf("got %+v", info)
	}
	text := shell{env: []string{"OUTRIDER_DIR=" + dir}}.want(t, ExitOK, "store", "info").stdout
	for _, want := range []string{dir, "not in use", "version 3", "pending", "0 delivered"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

func TestStoreCheck(t *testing.T) {
	t.Parallel()
	dir := newStoreDir(t)
	if got := (shell{}).want(t, ExitOK, "store", "check", "--dir", dir); !strings.Contains(got.stdout, "checked 2 messages") || !strings.Contains(got.stdout, "all is well") {
		t.Errorf("got %q", got.stdout)
	}
	path := filepath.Join(dir, "queue.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damaged := strings.ReplaceAll(string(content), "waits too", "waits tow")
	if damaged == string(content) {
		t.Fatal("the payload is not in the file")
	}
	if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
		t.Fatal(err)
	}
	var report struct {
		OK      bool
		Damaged []struct{ ID, Result, Fault string }
	}
	got := shell{}.want(t, ExitFailure, "store", "check", "--dir", dir, "--json")
	readJSON(t, got.stdout, &report)
	if report.OK || len(report.Damaged) != 1 || !strings.Contains(got.stderr, "--repair") {
		t.Errorf("got %+v, %s", report, got.stderr)
	}
	repaired := shell{}.want(t, ExitOK, "store", "check", "--repair", "--dir", dir)
	if !strings.Contains(repaired.stdout, "repaired: 1 damaged message") || !strings.Contains(repaired.stdout, report.Damaged[0].ID) {
		t.Errorf("got %q", repaired.stdout)
	}
}

func TestStoreCompact(t *testing.T) {
	t.Parallel()
	dir := newStoreDir(t)
	var sizes struct{ Before, After int64 }
	got := shell{}.want(t, ExitOK, "store", "compact", "--dir", dir, "--json")
	readJSON(t, got.stdout, &sizes)
	if sizes.Before == 0 || sizes.After == 0 || !strings.Contains(got.stderr, "more on its disk") {
		t.Errorf("got %+v, %q", sizes, got.stderr)
	}
	shell{}.want(t, ExitOK, "store", "check", "--dir", dir)
}

// TestStoreExportImport: what was exported, imported and exported again is the same,
// and its messages can be delivered.
func TestStoreExportImport(t *testing.T) {
	t.Parallel()
	dir, other := newStoreDir(t), filepath.Join(t.TempDir(), "other")
	file := filepath.Join(t.TempDir(), "queue.jsonl")
	var sum struct{ Messages, Lanes, Lost int64 }
	shell{}.json(t, ExitOK, &sum, "store", "export", "--dir", dir, "--out", file)
	if sum.Messages != 2 || sum.Lost != 0 {
		t.Errorf("exported %+v", sum)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(want), "key=canary") {
		t.Errorf("the whole endpoint is not in the export: %s", want)
	}
	if got := (shell{}).want(t, ExitFailure, "store", "export", "--dir", dir, "--out", file); !strings.Contains(got.stderr, "--out: "+file+" is there already, and is not overwritten: name another file, or remove it") {
		t.Errorf("over a file: %s", got.stderr)
	}
	if got := (shell{stdin: string(want)}).want(t, ExitOK, "store", "import", "-", "--dir", other); !strings.Contains(got.stdout, "imported 2 messages") {
		t.Errorf("imported: %s", got.stdout)
	}
	if got := (shell{}).want(t, ExitOK, "store", "export", "--dir", other); got.stdout != string(want) || strings.Contains(got.stderr, "canary") {
		t.Errorf("exported again: %s\nbefore: %s", got.stdout, want)
	}
	got := shell{}.want(t, ExitFailure, "store", "import", file, "--dir", other)
	if !strings.Contains(got.stderr, "not empty") {
		t.Errorf("into a store with messages: %s", got.stderr)
	}
	cut := shell{stdin: string(want[:len(want)-30])}.want(t, ExitFailure, "store", "import", "-", "--dir", filepath.Join(t.TempDir(), "cut"))
	if !strings.Contains(cut.stderr, "nothing was imported") || strings.Contains(cut.stderr, "canary") {
		t.Errorf("of a file that was cut short: %s", cut.stderr)
	}
	sh, daemon := startDaemon(t, "--dir", other)
	var page struct{ Messages []struct{ ID string } }
	sh.json(t, ExitOK, &page, "list")
	if len(page.Messages) != 2 || !strings.Contains(string(want), page.Messages[0].ID) {
		t.Errorf("a daemon lists %+v", page)
	}
	daemon.stop()
}

// TestStoreExportOfDamage: what can be read is exported and can be imported, and the
// exit code says that it is not all.
func TestStoreExportOfDamage(t *testing.T) {
	t.Parallel()
	dir, file := newStoreDir(t), filepath.Join(t.TempDir(), "queue.jsonl")
	path := filepath.Join(dir, "queue.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	payload := strings.LastIndex(string(content), "waits too") // it was in the log, too
	if payload < 0 {
		t.Fatal("the payload is not in the file")
	}
	content[payload/4096*4096] ^= 1 // the header of its page
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	got := shell{}.want(t, ExitIncomplete, "store", "export", "--dir", dir, "--out", file)
	for _, want := range []string{"2 messages without payload", "the content of 2 messages", "exported 2 messages", "not all that the store keeps: 2 messages could not be read"} {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%q is not in: %s", want, got.stderr)
		}
	}
	var sum struct{ Messages, Lost int64 }
	shell{}.json(t, ExitOK, &sum, "store", "import", file, "--dir", filepath.Join(t.TempDir(), "other"))
	if sum.Messages != 2 || sum.Lost != 2 {
		t.Errorf("imported %+v", sum)
	}
}

// TestStoreExportFailed: half a file is none.
func TestStoreExportFailed(t *testing.T) {
	t.Parallel()
	dir, file := newStoreDir(t), filepath.Join(t.TempDir(), "queue.jsonl")
	path := filepath.Join(dir, "queue.db")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[4096:])
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	shell{}.want(t, ExitFailure, "store", "export", "--dir", dir, "--out", file)
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is there: %v", err)
	}
}

func TestStoreSealed(t *testing.T) {
	t.Parallel()
	keyFile := filepath.Join(t.TempDir(), "master.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", keyFile)
	sealed := shell{env: []string{"OUTRIDER_ENCRYPTION_KEY_FILE=" + keyFile}}
	config := filepath.Join(t.TempDir(), "outrider.yaml")
	if err := os.WriteFile(config, []byte("encryption: {key_file: "+keyFile+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir, other := newStoreDir(t, "--config", config), filepath.Join(t.TempDir(), "other")
	want := sealed.want(t, ExitOK, "store", "export", "--dir", dir).stdout
	if !strings.Contains(want, "key=canary") {
		t.Errorf("it was not opened: %s", want)
	}
	if got := (shell{}).want(t, ExitFailure, "store", "export", "--dir", dir); !strings.Contains(got.stderr, "encryption.key_file") || strings.Contains(got.stdout, "{") {
		t.Errorf("without the key: %+v", got)
	}
	if err := os.Rename(filepath.Join(dir, "keys.json"), filepath.Join(t.TempDir(), "keys.json")); err != nil {
		t.Fatal(err)
	}
	if got := (shell{}).want(t, ExitFailure, "store", "export", "--dir", dir); !strings.Contains(got.stderr, "sealed") {
		t.Errorf("without the keyring: %+v", got)
	}
	sealed.stdin = want
	sealed.want(t, ExitOK, "store", "import", "-", "--dir", other)
	if got := sealed.want(t, ExitOK, "store", "export", "--dir", other, "--key-file", keyFile).stdout; got != want {
		t.Errorf("exported again: %s\nbefore: %s", got, want)
	}
	content, err := os.ReadFile(filepath.Join(other, "queue.db"))
	if err != nil || strings.Contains(string(content), "key=canary") {
		t.Errorf("it was imported in the clear, %v", err)
	}
}

// TestStoreLocked: while a daemon runs, what needs the store alone fails with its own
// exit code, and the others work.
func TestStoreLocked(t *testing.T) {
	t.Parallel()
	dir, keyFile := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "master.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", keyFile)
	config, next := filepath.Join(t.TempDir(), "outrider.yaml"), filepath.Join(t.TempDir(), "next.key")
	shell{}.want(t, ExitOK, "key", "new", "--out", next)
	if err := os.WriteFile(config, []byte("encryption: {key_file: "+keyFile+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sh, daemon := startDaemon(t, "--config", config, "--dir", dir)
	sh.want(t, ExitOK, "send", closedPort(t), "-d", "waits")
	place := []string{"--config", config, "--dir", dir}
	for _, command := range [][]string{
		{"store", "check"}, {"store", "check", "--repair"}, {"store", "compact"}, {"store", "import", "-"},
		{"key", "rotate", "--profile", "default"}, {"key", "rewrap", "--new-key-file", next}, {"key", "shred", "--profile", "default", "--yes"},
	} {
		got := shell{}.want(t, ExitLocked, append(command, place...)...)
		if !strings.Contains(got.stderr, "stop the daemon first") || !strings.Contains(got.stderr, dir) {
			t.Errorf("%v: %s", command, got.stderr)
		}
	}
	var info struct {
		InUse bool `json:"in_use"`
	}
	shell{}.json(t, ExitOK, &info, append([]string{"store", "info"}, place...)...)
	exported := shell{}.want(t, ExitOK, append([]string{"store", "export"}, place...)...)
	if !info.InUse || strings.Count(exported.stdout, `{"message":`) != 1 {
		t.Errorf("info %+v, export %s", info, exported.stdout)
	}
	shell{}.want(t, ExitOK, append([]string{"key", "list"}, place...)...)
	if code := daemon.stop(); code != ExitOK {
		t.Errorf("exit code %d: %s", code, daemon.errors())
	}
	if keys := openRing(t, dir, keyFile).Profiles(); len(keys) != 1 || len(keys[0].Keys) != 1 {
		t.Errorf("the keyring was changed: %+v", keys)
	}
	shell{}.want(t, ExitOK, append([]string{"key", "rotate", "--profile", "default"}, place...)...)
}

func TestStoreErrors(t *testing.T) {
	t.Parallel()
	empty := t.TempDir()
	for name, test := range map[string]struct {
		code int
		args []string
		want string
	}{
		"info of none":     {ExitFailure, []string{"info", "--dir", empty}, "there is no store"},
		"check of none":    {ExitFailure, []string{"check", "--dir", empty}, "there is no store"},
		"compact of none":  {ExitFailure, []string{"compact", "--dir", empty}, "there is no store"},
		"export of none":   {ExitFailure, []string{"export", "--dir", empty}, "there is no store"},
		"import of none":   {ExitFailure, []string{"import", filepath.Join(empty, "none"), "--dir", empty}, "no such file"},
		"import nothing":   {ExitUsage, []string{"import"}, "FILE is missing"},
		"unknown state":    {ExitUsage, []string{"export", "--state", "lost"}, "--state"},
		"states, results":  {ExitUsage, []string{"export", "--state", "retry,dead"}, "not both"},
		"no time":          {ExitUsage, []string{"export", "--since", "yesterday"}, "--since"},
		"json on stdout":   {ExitUsage, []string{"export", "--json"}, "--out"},
		"unknown command":  {ExitUsage, []string{"chek"}, "did you mean check?"},
		"argument of info": {ExitUsage, []string{"info", "x"}, "too many arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shell{}.want(t, test.code, append([]string{"store"}, test.args...)...)
			if !strings.Contains(got.stderr, test.want) || got.stdout != "" {
				t.Errorf("got %+v, want %q", got, test.want)
			}
		})
	}
	if got := (shell{env: []string{"OUTRIDER_MEMORY=true"}}).want(t, ExitUsage, "store", "info"); !strings.Contains(got.stderr, "in memory") {
		t.Errorf("in memory: %s", got.stderr)
	}
	t.Cleanup(func() {
		if entries, err := os.ReadDir(empty); err != nil || len(entries) != 0 {
			t.Errorf("something was made: %v, %v", entries, err)
		}
	})
}

// TestStoreFilters: an export has what was asked for.
func TestStoreFilters(t *testing.T) {
	t.Parallel()
	dir := newStoreDir(t)
	for flags, want := range map[string]int{
		"": 2, "--state pending,retry": 2, "--state dead": 0, "--profile default": 2, "--profile other": 0, "--since 1h": 2, "--since 2199-01-01T00:00:00Z": 0,
	} {
		got := shell{}.want(t, ExitOK, append([]string{"store", "export", "--dir", dir}, strings.Fields(flags)...)...)
		messages := 0
		for line := range strings.Lines(got.stdout) {
			var one struct{ Message json.RawMessage }
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatal(err)
			}
			if one.Message != nil {
				messages++
			}
		}
		if messages != want {
			t.Errorf("%q: %d messages, want %d", flags, messages, want)
		}
	}
}

package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

func TestParse(t *testing.T) {
	t.Parallel()
	good := `{"version":1,"master":"0011223344556677","profiles":{"a":[{"id":"0000000000000001","created":"2026-01-02T03:04:05Z","wrapped":"` +
		strings.Repeat("A", wrappedSize/3*4) + `"}]}}`
	if _, err := parse([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"nothing":           {good, ""},
		"not JSON":          {good, "keys"},
		"null":              {good, "null"},
		"a later version":   {`"version":1`, `"version":2`},
		"an unknown field":  {`"version":1`, `"version":1,"more":1`},
		"no master key":     {"0011223344556677", ""},
		"a short master id": {"0011223344556677", "00112233"},
		"no keys":           {`[{`, `[],"b":[{`},
		"a short id":        {"0000000000000001", "00000001"},
		"a short key":       {"AAAA", ""},
		"something behind":  {"}]}}", "}]}}{}"},
	} {
		text := strings.Replace(good, change[0], change[1], 1)
		if text == good {
			t.Fatalf("%s: nothing changed", name)
		}
		if _, err := parse([]byte(text)); err == nil {
			t.Errorf("%s was taken", name)
		} else if name != "a later version" && name != "null" && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	entry := good[strings.Index(good, "{\"id\"") : strings.Index(good, "}]")+1]
	if _, err := parse([]byte(strings.Replace(good, entry, entry+","+entry, 1))); !errors.Is(err, ErrDamaged) {
		t.Errorf("a key that is there twice: %v", err)
	}
}

// FuzzFile: whatever is in the file, it is refused or read, and what is read is
// written the same again.
func FuzzFile(f *testing.F) {
	master, err := ParseMaster(transport.NewSecret(strings.Repeat("0123456789abcdef", 4)))
	if err != nil {
		f.Fatal(err)
	}
	dir := f.TempDir()
	keys := openRing(f, dir, master)
	for _, profile := range []string{"acme", "<b>", ""} {
		seal(f, keys, profile)
		content, err := os.ReadFile(filepath.Join(dir, FileName))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(`{"version":1,"master":"0011223344556677","profiles":{"a":[{"id":"00"}]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		d, err := parse(content)
		if err != nil {
			return
		}
		profiles, err := d.open(master)
		if err != nil {
			return
		}
		again, err := (&state{master: master, profiles: profiles}).render()
		if err != nil {
			t.Fatal(err)
		}
		if d, err = parse(again); err != nil {
			t.Fatalf("what was written is refused: %v", err)
		}
		same, err := d.open(master)
		if err != nil || len(same) != len(profiles) {
			t.Fatalf("%d profiles became %d, %v", len(profiles), len(same), err)
		}
		for profile, keys := range profiles {
			for i, key := range keys {
				if got := same[profile][i]; got.ID() != key.ID() || !got.raw.Equal(key.raw) {
					t.Fatalf("key %d of %q became another", i, profile)
				}
			}
		}
	})
}

// FuzzMaster: no text of a master key makes trouble, and none is repeated.
func FuzzMaster(f *testing.F) {
	for _, seed := range []string{NewMaster().Reveal(), "", "A+-_/=", strings.Repeat("A", 43) + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		master, err := ParseMaster(transport.NewSecret(text))
		if (master == nil) == (err == nil) {
			t.Fatalf("%v, %v", master, err)
		}
	})
}

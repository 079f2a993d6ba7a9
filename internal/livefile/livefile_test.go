package livefile_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/internal/livefile"
)

// pair is two files that hold the same word, or do not fit each other.
type pair struct {
	t      *testing.T
	paths  [2]string
	writes int
	reads  int
	faults []string
}

func newPair(t *testing.T, word string) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t: t, paths: [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}
	p.write(word, 0, 1)
	return p
}

// write replaces files by others with a time stamp of their own.
func (p *pair) write(word string, files ...int) {
	p.t.Helper()
	p.writes++
	at := time.Unix(int64(p.writes), 0)
	for _, i := range files {
		if err := errors.Join(os.WriteFile(p.paths[i], []byte(word), 0o600), os.Chtimes(p.paths[i], at, at)); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *pair) read() (string, error) {
	p.reads++
	a, err := os.ReadFile(p.paths[0])
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(p.paths[1])
	if err == nil && string(a) != string(b) {
		err = errors.New("they do not fit")
	}
	return string(a), err
}

func (p *pair) value(every time.Duration) *livefile.Value[string] {
	return livefile.New(p.read, livefile.Options{
		Every: every, OnFault: func(err error) { p.faults = append(p.faults, err.Error()) },
	}, p.paths[:]...)
}

func (p *pair) want(v *livefile.Value[string], want string, reads int) {
	p.t.Helper()
	if got, err := v.Get(); got != want || err != nil {
		p.t.Errorf("Get is %q, %v, want %q", got, err, want)
	}
	if p.reads != reads {
		p.t.Errorf("the files were read %d times, want %d", p.reads, reads)
	}
}

func TestReadAgainWhenTheyChange(t *testing.T) {
	t.Parallel()
	p := newPair(t, "one")
	v := p.value(0)
	p.want(v, "one", 1)
	p.want(v, "one", 1)
	p.write("two", 0) // of the same length
	p.want(v, "one", 2)
	p.want(v, "one", 3)
	if !slices.Equal(p.faults, []string{"they do not fit"}) {
		t.Errorf("told %q, want that they do not fit, once", p.faults)
	}
	p.write("two", 1)
	p.want(v, "two", 4)
	p.want(v, "two", 4)
	p.write("three", 0) // the same fault, after it was gone
	p.want(v, "two", 5)
	if err := os.Remove(p.paths[0]); err != nil {
		t.Fatal(err)
	}
	p.want(v, "two", 6)
	p.want(v, "two", 7)
	if len(p.faults) != 3 || p.faults[1] != "they do not fit" || !strings.Contains(p.faults[2], "no such file") {
		t.Errorf("told %q", p.faults)
	}
}

func TestNeverRead(t *testing.T) {
	t.Parallel()
	p := newPair(t, "one")
	p.write("two", 0)
	v := p.value(time.Hour)
	for range 2 {
		if _, err := v.Get(); err == nil {
			t.Error("files that do not fit are taken")
		}
	}
	p.write("two", 1)
	p.want(v, "two", 3)
	if len(p.faults) > 0 {
		t.Errorf("what was returned is told, too: %q", p.faults)
	}
}

func TestLookedAtOnceInAWhile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		p := &pair{t: t, paths: [2]string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}}
		p.write("one", 0, 1)
		v := p.value(time.Second)
		p.want(v, "one", 1)
		p.write("two", 0, 1)
		<-time.After(time.Second - 1)
		p.want(v, "one", 1)
		<-time.After(1)
		p.want(v, "two", 2)
		p.write("three", 0, 1)
		p.want(v, "two", 2)
	})
}

func TestManyAsk(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, every := range []time.Duration{0, time.Microsecond} {
		v := livefile.New(func() ([]byte, error) { return os.ReadFile(path) }, livefile.Options{Every: every}, path)
		var asking sync.WaitGroup
		for range 4 {
			asking.Go(func() {
				for range 100 {
					if got, err := v.Get(); string(got) != "one" || err != nil {
						t.Errorf("Get is %q, %v", got, err)
					}
				}
			})
		}
		asking.Wait()
	}
}

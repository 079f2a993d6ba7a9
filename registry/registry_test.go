package registry_test

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/registry"
)

func TestMain(m *testing.M) { leak.Main(m) }

type driver interface{ Name() string }

type named string

func (n named) Name() string { return string(n) }

type pointer struct{ name string }

func (p *pointer) Name() string { return p.name }

// filled returns a registry where "web" has http and https, and "socket" has ws.
func filled(t *testing.T) *registry.Registry[driver] {
	t.Helper()
	r := registry.New[driver]()
	if err := r.Register("web", named("web"), "http", "https"); err != nil {
		t.Fatal(err)
	}
	if err := r.Register("socket", named("socket"), "ws"); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRegisterFaults(t *testing.T) {
	t.Parallel()
	var nilPointer *pointer
	tests := []struct {
		name    string
		value   driver
		schemes []string
		want    error
		text    []string
	}{
		{"taken", named("x"), []string{"ftp", "HTTPS"}, registry.ErrDuplicateScheme, []string{`"https"`, `"web"`, `"new"`}},
		{"two taken", named("x"), []string{"http", "ws"}, registry.ErrDuplicateScheme, []string{`"web"`, `"socket"`}},
		{"twice in the list", named("x"), []string{"ftp", "FTP"}, registry.ErrDuplicateScheme, []string{`"ftp"`, "twice"}},
		{"no schemes", named("x"), nil, registry.ErrInvalidScheme, []string{"at least one"}},
		{"empty scheme", named("x"), []string{"ftp", ""}, registry.ErrInvalidScheme, []string{"number 2 of 2"}},
		{"digit first", named("x"), []string{"9p"}, registry.ErrInvalidScheme, nil},
		{"plus first", named("x"), []string{"+a"}, registry.ErrInvalidScheme, nil},
		{"with colon", named("x"), []string{"ftp:"}, registry.ErrInvalidScheme, nil},
		{"underscore", named("x"), []string{"a_b"}, registry.ErrInvalidScheme, nil},
		{"space", named("x"), []string{"a b"}, registry.ErrInvalidScheme, nil},
		{"not ASCII", named("x"), []string{"lin\u212a"}, registry.ErrInvalidScheme, nil},
		{"too long", named("x"), []string{strings.Repeat("a", registry.MaxSchemeLength+1)}, registry.ErrInvalidScheme, nil},
		{"nil interface", nil, []string{"ftp"}, registry.ErrNil, []string{`"new"`}},
		{"nil pointer", nilPointer, []string{"ftp"}, registry.ErrNil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := filled(t)
			err := r.Register("new", tt.value, tt.schemes...)
			if !errors.Is(err, tt.want) {
				t.Fatalf("got %v, want %v", err, tt.want)
			}
			for _, part := range tt.text {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not mention %s", err, part)
				}
			}
			if got, want := r.Schemes(), []string{"http", "https", "ws"}; !slices.Equal(got, want) {
				t.Errorf("after a refused registration: %v, want %v", got, want)
			}
		})
	}
}

func TestRegisterReportsEveryFault(t *testing.T) {
	t.Parallel()
	err := filled(t).Register("new", named("x"), "9p", "ftp", "ftp", "a b")
	for _, part := range []string{"number 1 of 4", "number 4 of 4", `"ftp"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not mention %s", err, part)
		}
	}
}

func TestRegisterNilOfEveryKind(t *testing.T) {
	t.Parallel()
	check := func(name string, err error) {
		if !errors.Is(err, registry.ErrNil) {
			t.Errorf("%s: got %v, want ErrNil", name, err)
		}
	}
	check("func", registry.New[func()]().Register("o", nil, "a"))
	check("map", registry.New[map[string]int]().Register("o", nil, "a"))
	check("slice", registry.New[[]int]().Register("o", nil, "a"))
	check("chan", registry.New[chan int]().Register("o", nil, "a"))
	if err := registry.New[int]().Register("o", 0, "a"); err != nil {
		t.Errorf("a zero that is not nil: %v", err)
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	r := filled(t)
	for _, scheme := range []string{"http", "HTTP", "hTtPs"} {
		if got, err := r.Lookup(scheme); err != nil || got != named("web") {
			t.Errorf("%s: %v, %v", scheme, got, err)
		}
	}
}

func TestLookupUnknown(t *testing.T) {
	t.Parallel()
	const canary = "s3cr3t"
	tests := []struct {
		name, scheme string
		registry     *registry.Registry[driver]
		want         []string
	}{
		{"unknown", "ftp", filled(t), []string{`"ftp"`, "known are http, https, ws"}},
		{"whole URI", "amqp://user:" + canary + "@host/", filled(t), []string{"not a scheme", "before the first colon", "http, https, ws"}},
		{"empty", "", filled(t), []string{"not a scheme"}},
		{"nothing registered", "ftp", registry.New[driver](), []string{"none is registered"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.registry.Lookup(tt.scheme)
			if got != nil || !errors.Is(err, registry.ErrUnknownScheme) {
				t.Fatalf("got %v, %v", got, err)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %s", err, part)
				}
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows a secret: %q", err)
			}
		})
	}
}

func TestReplace(t *testing.T) {
	t.Parallel()
	r := filled(t)
	replaced, err := r.Replace("new", named("new"), "WS", "http", "https", "ftp")
	if err != nil {
		t.Fatal(err)
	}
	if want := []driver{named("socket"), named("web")}; !slices.Equal(replaced, want) {
		t.Errorf("replaced %v, want %v", replaced, want)
	}
	for _, scheme := range []string{"ws", "http", "https", "ftp"} {
		if got, _ := r.Lookup(scheme); got != named("new") {
			t.Errorf("%s has %v", scheme, got)
		}
	}
}

func TestReplaceRefused(t *testing.T) {
	t.Parallel()
	r := filled(t)
	replaced, err := r.Replace("new", named("new"), "ws", "a b")
	if !errors.Is(err, registry.ErrInvalidScheme) || replaced != nil {
		t.Errorf("got %v, %v", replaced, err)
	}
	if got, _ := r.Lookup("ws"); got != named("socket") {
		t.Errorf("a refused replacement took ws: %v", got)
	}
}

func TestUnregister(t *testing.T) {
	t.Parallel()
	r := filled(t)
	if got, ok := r.Unregister("HTTP"); !ok || got != named("web") {
		t.Errorf("got %v, %v", got, ok)
	}
	if got, ok := r.Unregister("http"); ok || got != nil {
		t.Errorf("the second time: %v, %v", got, ok)
	}
	if got, want := r.Schemes(), []string{"https", "ws"}; !slices.Equal(got, want) {
		t.Errorf("left are %v, want %v", got, want)
	}
	if err := r.Register("other", named("other"), "http"); err != nil {
		t.Errorf("a freed scheme cannot be taken: %v", err)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	want := []registry.Entry[driver]{
		{Scheme: "http", Owner: "web", Value: named("web")},
		{Scheme: "https", Owner: "web", Value: named("web")},
		{Scheme: "ws", Owner: "socket", Value: named("socket")},
	}
	if got := filled(t).All(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	r := filled(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			scheme := "own" + strconv.Itoa(i)
			for range 50 {
				if err := r.Register(scheme, named(scheme), scheme); err != nil {
					t.Error(err)
				}
				if got, err := r.Lookup(scheme); err != nil || got != named(scheme) {
					t.Errorf("%s: %v, %v", scheme, got, err)
				}
				if _, err := r.Lookup("https"); err != nil {
					t.Error(err)
				}
				if _, ok := r.Unregister(scheme); !ok {
					t.Errorf("%s was lost", scheme)
				}
			}
		})
	}
	wg.Wait()
	if got := r.Schemes(); len(got) != 3 {
		t.Errorf("left are %v", got)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	r := filled(t)
	if n := testing.AllocsPerRun(100, func() { _, _ = r.Lookup("https") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzRegister(f *testing.F) {
	for _, seed := range []string{"http", "9p", "a+b-c.d", "", "HTTP", "a b", "x:"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, scheme string) {
		r := registry.New[driver]()
		err := r.Register("owner", named("x"), scheme)
		got, lookupErr := r.Lookup(scheme)
		if (err == nil) != (lookupErr == nil && got == named("x")) {
			t.Errorf("%q: register says %v, lookup says %v", scheme, err, lookupErr)
		}
		if err != nil && !errors.Is(err, registry.ErrInvalidScheme) {
			t.Errorf("%q: %v", scheme, err)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	r := registry.New[driver]()
	if err := r.Register("web", named("web"), "http", "https"); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := r.Lookup("https"); err != nil {
				b.Error(err)
			}
		}
	})
}

package profile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
)

var _ profile.Directory = (*profile.Static)(nil)

func TestStaticLookup(t *testing.T) {
	t.Parallel()
	one, two := newProfile(t, "one", profile.Options{}), newProfile(t, "two", profile.Options{})
	d, err := profile.NewStatic(one, two)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []*profile.Profile{one, two} {
		if got, err := d.Lookup(t.Context(), want.ID()); err != nil || got != want {
			t.Errorf("%s: %v, %v", want.ID(), got, err)
		}
	}
	if got, err := d.Lookup(t.Context(), profile.DefaultID); err != nil || got.ID() != profile.DefaultID {
		t.Errorf("the default profile: %v, %v", got, err)
	}
	for _, id := range []string{"three", "", "ONE"} {
		got, err := d.Lookup(t.Context(), id)
		if got != nil || !errors.Is(err, profile.ErrUnknown) || !strings.Contains(err.Error(), `"`+id+`"`) {
			t.Errorf("%q: %v, %v", id, got, err)
		}
	}
}

func TestStaticKeepsAGivenDefault(t *testing.T) {
	t.Parallel()
	own := newProfile(t, profile.DefaultID, profile.Options{Name: "mine"})
	d, err := profile.NewStatic(own)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := d.Lookup(t.Context(), profile.DefaultID); err != nil || got != own {
		t.Errorf("got %v, %v", got, err)
	}
	if all := d.All(); len(all) != 1 || all[0] != own {
		t.Errorf("all are %v", all)
	}
}

func TestStaticAll(t *testing.T) {
	t.Parallel()
	d, err := profile.NewStatic(newProfile(t, "one", profile.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, p := range d.All() {
		seen[p.ID()] = true
	}
	if len(seen) != 2 || !seen["one"] || !seen[profile.DefaultID] {
		t.Errorf("all are %v", seen)
	}
}

func TestStaticRefuses(t *testing.T) {
	t.Parallel()
	one := newProfile(t, "one", profile.Options{})
	if d, err := profile.NewStatic(one, nil); d != nil || err == nil {
		t.Errorf("a nil profile: %v, %v", d, err)
	}
	again := newProfile(t, "one", profile.Options{})
	if d, err := profile.NewStatic(one, again); d != nil || err == nil || !strings.Contains(err.Error(), `"one"`) {
		t.Errorf("an id twice: %v, %v", d, err)
	}
}

package profile

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Directory resolves the id that a record keeps, after a restart too. It is asked
// for each attempt, by many goroutines at once: one that reads a database keeps
// what it has read.
type Directory interface {
	// Lookup returns the profile, or an error that wraps ErrUnknown. As long as a
	// profile has not changed it returns the same pointer: a new one is a changed
	// profile, for which transports drop their connections and open others.
	Lookup(ctx context.Context, id string) (*Profile, error)
}

// Static is a Directory of a fixed set of profiles.
type Static struct{ byID map[string]*Profile }

// NewStatic returns a directory of the profiles given. Where none of them has
// the id "default", it also has the default profile.
func NewStatic(profiles ...*Profile) (*Static, error) {
	s := &Static{byID: map[string]*Profile{}}
	for _, p := range profiles {
		if p == nil {
			return nil, fmt.Errorf("profile directory: a profile is nil")
		}
		if _, taken := s.byID[p.ID()]; taken {
			return nil, fmt.Errorf("profile directory: id %q is used twice", p.ID())
		}
		s.byID[p.ID()] = p
	}
	if s.byID[DefaultID] == nil {
		s.byID[DefaultID] = Default()
	}
	return s, nil
}

// Lookup implements [Directory].
func (s *Static) Lookup(_ context.Context, id string) (*Profile, error) {
	if p := s.byID[id]; p != nil {
		return p, nil
	}
	return nil, fmt.Errorf("%w %q", ErrUnknown, id)
}

// All returns the profiles in the order of their ids.
func (s *Static) All() []*Profile {
	all := slices.Collect(maps.Values(s.byID))
	slices.SortFunc(all, func(a, b *Profile) int { return strings.Compare(a.id, b.id) })
	return all
}

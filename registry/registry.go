package registry

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// The kinds of error.
var (
	// ErrInvalidScheme is returned for text that is not a scheme, and for a
	// registration without any.
	ErrInvalidScheme = errors.New("invalid scheme")
	// ErrDuplicateScheme is returned for a scheme that is taken, or named twice.
	ErrDuplicateScheme = errors.New("duplicate scheme")
	// ErrUnknownScheme is returned by Lookup.
	ErrUnknownScheme = errors.New("unknown scheme")
	// ErrNil is returned for a value that is nil.
	ErrNil = errors.New("value is nil")
)

// Registry maps schemes to values. Make one with [New].
type Registry[V any] struct {
	mu      sync.Mutex // serialises changes
	entries atomic.Pointer[map[string]*registration[V]]
}

// registration is what one call registered; its schemes share it.
type registration[V any] struct {
	owner string
	value V
}

// Entry is one scheme of a registry.
type Entry[V any] struct {
	Scheme string // in lower case
	Owner  string // who registered it
	Value  V
}

// New returns an empty registry.
func New[V any]() *Registry[V] {
	r := &Registry[V]{}
	r.entries.Store(&map[string]*registration[V]{})
	return r
}

// Register takes schemes for v: all of them, or none when there is an error. The
// error joins every fault: [ErrNil], [ErrInvalidScheme], [ErrDuplicateScheme].
// The owner names v in errors and listings.
func (r *Registry[V]) Register(owner string, v V, schemes ...string) error {
	_, err := r.change(owner, v, schemes, func(scheme string, taken *registration[V]) error {
		return fmt.Errorf("%w %q: %q has it; unregister or replace that one", ErrDuplicateScheme, scheme, taken.owner)
	})
	return err
}

// Replace takes schemes for v as Register does, and takes those that have a
// value already away from it. It returns what lost a scheme, each registration
// once, in the order of schemes. A value that lost one scheme may still have
// others.
func (r *Registry[V]) Replace(owner string, v V, schemes ...string) (replaced []V, err error) {
	lost, err := r.change(owner, v, schemes, func(string, *registration[V]) error { return nil })
	for _, one := range lost {
		replaced = append(replaced, one.value)
	}
	return replaced, err
}

// change registers v and returns whose schemes it took. It asks allow about each
// scheme that is taken.
func (r *Registry[V]) change(owner string, v V, schemes []string,
	allow func(scheme string, taken *registration[V]) error,
) ([]*registration[V], error) {
	if IsNil(v) {
		return nil, fmt.Errorf("register %q: %w", owner, ErrNil)
	}
	clean, err := normalise(schemes)
	if err != nil {
		return nil, fmt.Errorf("register %q: %w", owner, err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	entries := maps.Clone(*r.entries.Load())
	added := &registration[V]{owner: owner, value: v}
	var lost []*registration[V]
	var faults []error
	for _, scheme := range clean {
		if taken := entries[scheme]; taken != nil {
			faults = append(faults, allow(scheme, taken))
			if !slices.Contains(lost, taken) {
				lost = append(lost, taken)
			}
		}
		entries[scheme] = added
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("register %q: %w", owner, err)
	}
	r.entries.Store(&entries)
	return lost, nil
}

// Unregister frees a scheme and returns the value it had, and whether it had one.
func (r *Registry[V]) Unregister(scheme string) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	scheme = strings.ToLower(scheme)
	had := (*r.entries.Load())[scheme]
	if had == nil {
		var none V
		return none, false
	}
	entries := maps.Clone(*r.entries.Load())
	delete(entries, scheme)
	r.entries.Store(&entries)
	return had.value, true
}

// Lookup returns the value of a scheme, in either case, or an error that wraps
// [ErrUnknownScheme] and lists the schemes there are.
func (r *Registry[V]) Lookup(scheme string) (V, error) {
	entries := *r.entries.Load()
	found := entries[scheme] // as most are written
	if found == nil {
		found = entries[strings.ToLower(scheme)]
	}
	if found != nil {
		return found.value, nil
	}
	var none V
	return none, r.unknown(scheme)
}

func (r *Registry[V]) unknown(scheme string) error {
	known := "none is registered"
	if schemes := r.Schemes(); len(schemes) > 0 {
		known = "known are " + strings.Join(schemes, ", ")
	}
	if !isScheme(scheme) {
		return fmt.Errorf("%w: the text given is not a scheme, give what stands before the first colon of a URI; %s",
			ErrUnknownScheme, known)
	}
	return fmt.Errorf("%w %q: %s", ErrUnknownScheme, scheme, known)
}

// Schemes returns the schemes, sorted.
func (r *Registry[V]) Schemes() []string {
	return slices.Sorted(maps.Keys(*r.entries.Load()))
}

// All returns the entries, sorted by scheme. A value that has several schemes
// appears once for each.
func (r *Registry[V]) All() []Entry[V] {
	entries := *r.entries.Load()
	all := make([]Entry[V], 0, len(entries))
	for _, scheme := range slices.Sorted(maps.Keys(entries)) {
		all = append(all, Entry[V]{Scheme: scheme, Owner: entries[scheme].owner, Value: entries[scheme].value})
	}
	return all
}

// IsNil reports whether v is nil, or an interface around a nil pointer.
func IsNil(v any) bool {
	if v == nil {
		return true
	}
	switch value := reflect.ValueOf(v); value.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return value.IsNil()
	default:
		return false
	}
}

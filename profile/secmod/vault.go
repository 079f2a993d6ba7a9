package secmod

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/outrider-go/outrider/profile"
)

// maxKeys and maxCounters bound a module.
const (
	maxKeys     = 10_000
	maxCounters = 10_000
)

// vault is what the modules have in common: keys, counters, and whether they may
// be used.
type vault struct {
	module Module
	// save keeps the next state before it is used. Before it calls edit it may bring
	// the state up to date. nil keeps nothing.
	save func(ctx context.Context, edit func(*state) error) error

	changing sync.Mutex   // held by who makes the next state
	mu       sync.RWMutex // guards what follows
	open     bool
	locked   bool
	state    *state
}

// state is what a module has at an instant. It does not change once it is in use.
type state struct {
	next     int // number of the next key
	keys     map[int]*key
	halves   map[int]*private // empty while it is locked
	counters map[int]uint64
	names    map[string]int
}

func newState() *state {
	return &state{next: 1, keys: map[int]*key{}, halves: map[int]*private{}, counters: map[int]uint64{}, names: map[string]int{}}
}

func (s *state) clone() *state {
	return &state{s.next, maps.Clone(s.keys), maps.Clone(s.halves), maps.Clone(s.counters), maps.Clone(s.names)}
}

// put adds a key that has a number.
func (s *state) put(k *key, half *private) error {
	if len(s.keys) >= maxKeys {
		return fmt.Errorf("the security module has %d keys, and no more are allowed", maxKeys)
	}
	names := k.names() // its id, and its public half in all its spellings
	for _, name := range names {
		no, taken := s.names[name]
		if !taken {
			continue
		}
		if other := s.keys[no]; other.id == k.id || other.same(k) {
			return fmt.Errorf("%w: key %d has the id or the public half of %s", ErrDuplicate, no, k.id)
		}
		return fmt.Errorf("%w: key %d is found by %s", ErrDuplicate, no, name)
	}
	for _, name := range names {
		s.names[name] = k.no
	}
	s.keys[k.no], s.halves[k.no] = k, half
	s.next = max(s.next, k.no+1)
	return nil
}

func (s *state) remove(no int) {
	if k := s.keys[no]; k != nil {
		for _, name := range k.names() {
			delete(s.names, name)
		}
	}
	delete(s.keys, no)
	delete(s.halves, no)
}

// usable returns the state, if the module is open, and unlocked where it must be.
func (v *vault) usable(ctx context.Context, unlocked bool) (*state, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v.mu.RLock()
	defer v.mu.RUnlock()
	switch {
	case !v.open:
		return nil, ErrClosed
	case unlocked && v.locked:
		return nil, ErrLocked
	}
	return v.state, nil
}

// half returns the private half of a key that the module still has.
func (v *vault) half(k *key) (*private, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	switch half := v.state.halves[k.no]; {
	case !v.open:
		return nil, ErrClosed
	case v.locked:
		return nil, ErrLocked
	case half == nil || !v.state.keys[k.no].same(k):
		return nil, fmt.Errorf("%w: %s was deleted", profile.ErrNoKey, k)
	default:
		return half, nil
	}
}

// change makes the next state, keeps it, and puts it in the place of the last.
func (v *vault) change(ctx context.Context, edit func(next *state) error) error {
	v.changing.Lock()
	defer v.changing.Unlock()
	current, err := v.usable(ctx, true)
	if err != nil {
		return err
	}
	if v.save != nil {
		return v.save(ctx, edit)
	}
	next := current.clone()
	if err := edit(next); err != nil {
		return err
	}
	v.use(next)
	return nil
}

func (v *vault) use(next *state) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = next
}

// IsOpen implements [Module].
func (v *vault) IsOpen() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.open
}

// IsLocked implements [Module].
func (v *vault) IsLocked() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.locked
}

// Len implements [Module].
func (v *vault) Len() int {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return len(v.state.keys)
}

// All implements [Module]: the keys that there were when it began.
func (v *vault) All() iter.Seq2[int, Key] {
	return func(yield func(int, Key) bool) {
		v.mu.RLock()
		keys := v.state.keys
		v.mu.RUnlock()
		for _, no := range slices.Sorted(maps.Keys(keys)) {
			if !yield(no, keys[no].typed()) {
				return
			}
		}
	}
}

// Key implements [Module].
func (v *vault) Key(no int) (Key, error) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if !v.open {
		return nil, ErrClosed
	}
	k := v.state.keys[no]
	if k == nil {
		return nil, fmt.Errorf("%w: number %d", profile.ErrNoKey, no)
	}
	return k.typed(), nil
}

// Find implements profile.Keys.
func (v *vault) Find(ctx context.Context, id string) (profile.Key, error) {
	s, err := v.usable(ctx, false)
	if err != nil {
		return nil, err
	}
	no, ok := s.names[id]
	if name, isKey := strings.CutPrefix(id, "did:key:"); !ok && isKey {
		whole, fragment, _ := strings.Cut(name, "#")
		no, ok = s.names[cmp.Or(fragment, whole)]
	}
	if !ok {
		return nil, fmt.Errorf("%w %q", profile.ErrNoKey, id)
	}
	return s.keys[no].typed(), nil
}

// CreateKey implements [Module].
func (v *vault) CreateKey(ctx context.Context, of profile.KeyType) (int, error) {
	made, err := NewKey(of, "")
	if err != nil {
		return 0, err
	}
	return v.AddKey(ctx, made)
}

// AddKey implements [Module].
func (v *vault) AddKey(ctx context.Context, added Key) (int, error) {
	var no int
	err := v.change(ctx, func(next *state) error {
		no = next.next
		return v.place(next, no, added)
	})
	return no, err
}

// SetKey implements [Module].
func (v *vault) SetKey(ctx context.Context, no int, replacement Key) error {
	if no < 1 || no > 1<<30 {
		return errors.New("the number of a key is less than 1, or more than 2^30")
	}
	return v.change(ctx, func(next *state) error {
		next.remove(no)
		return v.place(next, no, replacement)
	})
}

func (v *vault) place(next *state, no int, added Key) error {
	base := baseOf(added)
	if base == nil || base.vault != nil || base.own == nil {
		return fmt.Errorf("%w: want a key of NewKey, ParseKey or FromSigner", profile.ErrKeyUse)
	}
	k := newBase(base.of, base.id, base.public)
	k.no, k.vault = no, v
	return next.put(k, base.own)
}

// DeleteKey implements [Module].
func (v *vault) DeleteKey(ctx context.Context, no int) error {
	return v.change(ctx, func(next *state) error {
		if next.keys[no] == nil {
			return fmt.Errorf("%w: number %d", profile.ErrNoKey, no)
		}
		next.remove(no)
		return nil
	})
}

// Random implements [Module].
func (v *vault) Random(ctx context.Context, n int) ([]byte, error) {
	if _, err := v.usable(ctx, false); err != nil {
		return nil, err
	}
	if n < 0 || n > MaxRandom {
		return nil, fmt.Errorf("%d random bytes: want 0 to %d", n, MaxRandom)
	}
	out := make([]byte, n)
	_, _ = rand.Read(out) // never fails: crypto/rand aborts the program instead
	return out, nil
}

// Counter implements [Module].
func (v *vault) Counter(ctx context.Context, no int) (uint64, error) {
	s, err := v.usable(ctx, true)
	if err != nil {
		return 0, err
	}
	return s.counters[no], nil
}

// IncrementCounter implements [Module].
func (v *vault) IncrementCounter(ctx context.Context, no int) (uint64, error) {
	var value uint64
	err := v.change(ctx, func(next *state) error {
		if _, ok := next.counters[no]; no < 0 || !ok && len(next.counters) >= maxCounters {
			return fmt.Errorf("counter %d: the number is negative, or there are %d counters already", no, maxCounters)
		}
		value = next.counters[no] + 1
		if value == 0 {
			return fmt.Errorf("counter %d has come to its end", no)
		}
		next.counters[no] = value
		return nil
	})
	return value, err
}

package stats

import (
	"maps"
	"strings"
	"sync"
	"sync/atomic"
)

// MaxNames is how many metrics, and how many error classes, a collector keeps
// apart.
const MaxNames = 512

// Overflow is the name under which everything beyond [MaxNames] is added up.
const Overflow = "other"

// family finds a counter by its name. Readers never wait: the map is replaced
// and not changed.
type family[V any] struct {
	create func() *V
	mu     sync.Mutex // serialises growth
	byName atomic.Pointer[map[string]*V]
}

func (f *family[V]) get(name string) *V {
	byName := f.all()
	if found := byName[name]; found != nil {
		return found
	}
	if found := byName[Overflow]; found != nil && len(byName) > MaxNames {
		return found
	}
	return f.grow(name)
}

func (f *family[V]) grow(name string) *V {
	f.mu.Lock()
	defer f.mu.Unlock()
	old := f.all()
	if len(old) >= MaxNames && old[name] == nil {
		name = Overflow
	}
	if found := old[name]; found != nil {
		return found
	}
	byName := maps.Clone(old)
	if byName == nil {
		byName = map[string]*V{}
	}
	added := f.create()
	byName[strings.Clone(name)] = added // the name may be a piece of something large
	f.byName.Store(&byName)
	return added
}

// all returns the map as it is now; it is not to be changed.
func (f *family[V]) all() map[string]*V {
	if byName := f.byName.Load(); byName != nil {
		return *byName
	}
	return nil
}

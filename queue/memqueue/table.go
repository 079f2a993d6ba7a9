package memqueue

import "maps"

// table is a map that gives room back: Go's maps never shrink.
type table[K comparable, V any] struct {
	entries map[K]V
	peak    int // most entries since the map was made
}

func (t *table[K, V]) get(k K) V { return t.entries[k] }

func (t *table[K, V]) set(k K, v V) {
	if t.entries == nil {
		t.entries = make(map[K]V)
	}
	t.entries[k] = v
	t.peak = max(t.peak, len(t.entries))
}

func (t *table[K, V]) remove(k K) {
	const small = 1024
	delete(t.entries, k)
	if t.peak <= small || len(t.entries) > t.peak/8 {
		return
	}
	rebuilt := make(map[K]V, 2*len(t.entries))
	maps.Copy(rebuilt, t.entries)
	t.entries, t.peak = rebuilt, 2*len(rebuilt)
}

func (t *table[K, V]) len() int { return len(t.entries) }

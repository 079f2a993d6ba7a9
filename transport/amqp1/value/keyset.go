package value

// keySet finds a key that a map has twice, by how the keys are encoded.
type keySet struct{ seen map[string]struct{} }

// newKeySet returns a set for about n keys, which may be a claim of the peer's.
func newKeySet(n int) keySet { return keySet{make(map[string]struct{}, min(n, 64))} }

// add reports false where the key is there already.
func (s keySet) add(key []byte) bool {
	if _, found := s.seen[string(key)]; found {
		return false
	}
	s.seen[string(key)] = struct{}{}
	return true
}

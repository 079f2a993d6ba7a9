package didcomm

import "sync"

// maxCached bounds a cache: strangers choose what gets into it.
const maxCached = 1024

// cache keeps what follows from a text alone and takes a scalar multiplication to
// find out. When it is full it begins anew. The zero value is ready.
type cache[V any] struct {
	mu    sync.Mutex
	known map[string]V
}

// get returns the value of a text, which it makes where it is not known. Errors are
// not kept.
func (c *cache[V]) get(text string, value func(text string) (V, error)) (V, error) {
	c.mu.Lock()
	found, ok := c.known[text]
	c.mu.Unlock()
	if ok {
		return found, nil
	}
	made, err := value(text)
	if err != nil {
		return made, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil || len(c.known) >= maxCached {
		c.known = map[string]V{}
	}
	c.known[text] = made
	return made, nil
}

package wamp

import "sync"

// Cached is a message that keeps its bytes: what IMessage's serialize and uncache
// do. Sending it over many connections costs one encoding for each serializer.
// Make one with [Cache].
type Cached struct {
	Message

	mu    sync.Mutex
	bytes map[*Serializer][]byte
}

// Cache returns m with a cache that is empty. m is not to be changed while there
// is something in it.
func Cache(m Message) *Cached { return &Cached{Message: m} }

// Serialize returns the message's bytes, which are not to be changed, and whether
// they are binary.
func (c *Cached) Serialize(s *Serializer) (bytes []byte, binary bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if bytes, ok := c.bytes[s]; ok {
		return bytes, s.Binary(), nil
	}
	bytes, binary, err = s.Serialize(nil, c.Message)
	if err != nil {
		return nil, binary, err
	}
	if c.bytes == nil {
		c.bytes = map[*Serializer][]byte{}
	}
	c.bytes[s] = bytes
	return bytes, binary, nil
}

// Uncache empties the cache: after the message was changed.
func (c *Cached) Uncache() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes = nil
}

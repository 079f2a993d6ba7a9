package memqueue

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// ids makes ids that only grow: by the millisecond, and within it by a counter.
// What is random in them is the same for all of a store, so that stores do not
// collide.
type ids struct {
	mu      sync.Mutex
	latest  int64        // millisecond
	base    transport.ID // of that millisecond, with no count
	counter uint64
	node    [2]byte
}

func newIDs() ids {
	random := transport.NewID(time.Now())
	// Half of the range is left to count on.
	return ids{counter: random.Sequence() >> 1, node: [2]byte(random[6:8])}
}

func (g *ids) next() transport.ID {
	now := time.Now()
	g.mu.Lock()
	defer g.mu.Unlock()
	if ms := now.UnixMilli(); ms > g.latest { // else the clock may have been set back
		g.latest = ms
		g.base = transport.NewSequentialID(now, 0)
		copy(g.base[6:8], g.node[:])
	}
	g.counter++
	id := g.base
	binary.BigEndian.PutUint64(id[8:], binary.BigEndian.Uint64(id[8:])|g.counter)
	return id
}

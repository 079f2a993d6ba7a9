package sqlitequeue

import (
	"encoding/binary"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// ids makes ids that only grow: by the millisecond, and by a counter that is the
// message's row. What is random in them is the same for all of a process.
type ids struct {
	mu      sync.Mutex
	latest  int64        // millisecond
	base    transport.ID // of that millisecond, with no count
	counter uint64
	node    [2]byte
	seen    seen
}

// startAfter has the ids come after the latest in the database.
func (g *ids) startAfter(latest transport.ID) {
	random := transport.NewID(time.Now())
	g.counter, g.node = latest.Sequence(), [2]byte(random[6:8])
	g.seen = seen{first: g.counter + 1, low: (g.counter + 1) / seenChunk, bits: map[uint64]*[seenChunk / 64]uint64{}}
	if !latest.IsZero() && latest.Time().After(time.Now()) { // the clock has been set back meanwhile
		g.latest, g.base = latest.Time().UnixMilli(), transport.NewSequentialID(latest.Time(), 0)
		copy(g.base[6:8], latest[6:8])
	}
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

// used remembers that an id has been enqueued.
func (g *ids) used(id transport.ID) { g.seen.add(id.Sequence()) }

// isNew reports whether an id was certainly never enqueued. The committer alone
// calls it, and used.
func (g *ids) isNew(id transport.ID) bool { return g.seen.isNew(id.Sequence()) }

// seen is a set of numbers above the first, which forgets the lowest.
type seen struct {
	first uint64 // those below may be in it or not
	bits  map[uint64]*[seenChunk / 64]uint64
	low   uint64 // the lowest chunk that is known
}

const (
	seenChunk  = 1 << 16
	seenChunks = 64 // 8 KiB each
)

func (s *seen) isNew(n uint64) bool {
	if n < s.first || n/seenChunk < s.low {
		return false
	}
	chunk := s.bits[n/seenChunk]
	return chunk == nil || chunk[n%seenChunk/64]>>(n%64)&1 == 0
}

func (s *seen) add(n uint64) {
	at := n / seenChunk
	if n < s.first || at < s.low {
		return
	}
	chunk := s.bits[at]
	if chunk == nil {
		chunk = new([seenChunk / 64]uint64)
		s.bits[at] = chunk
		for len(s.bits) > seenChunks {
			delete(s.bits, s.low)
			s.low++
		}
	}
	chunk[n%seenChunk/64] |= 1 << (n % 64)
}

// latestID is the latest id that was made.
func (g *ids) latestID() transport.ID {
	g.mu.Lock()
	defer g.mu.Unlock()
	id := g.base
	binary.BigEndian.PutUint64(id[8:], g.counter|variant)
	return id
}

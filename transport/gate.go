package transport

import (
	"math"
	"sync"
	"sync/atomic"
)

// Gate counts who is inside, so that whoever closes it can refuse others and wait
// for these to leave. It costs an attempt two atomic additions. Make one with
// [NewGate]; it opens once.
type Gate struct {
	inside atomic.Int64 // below zero when closed
	once   sync.Once
	empty  chan struct{} // closed when the gate is closed and nobody is inside
}

// closedGate is added to the count when the gate closes.
const closedGate = math.MinInt64 / 2

// NewGate returns an open gate.
func NewGate() *Gate { return &Gate{empty: make(chan struct{})} }

// Enter lets the caller in, who must Leave; false: the gate is closed.
func (g *Gate) Enter() bool {
	if g.inside.Add(1) > 0 {
		return true
	}
	g.Leave()
	return false
}

// Leave ends what Enter began.
func (g *Gate) Leave() {
	if g.inside.Add(-1) == closedGate {
		g.once.Do(func() { close(g.empty) })
	}
}

// Close lets nobody in any more. The channel is closed when the last one has left.
// Again it only returns the channel.
func (g *Gate) Close() <-chan struct{} {
	for {
		inside := g.inside.Load()
		if inside < 0 {
			return g.empty
		}
		if !g.inside.CompareAndSwap(inside, inside+closedGate) {
			continue
		}
		if inside == 0 {
			g.once.Do(func() { close(g.empty) })
		}
		return g.empty
	}
}

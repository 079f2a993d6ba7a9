package httpout

import (
	"math"
	"sync"
	"sync/atomic"
)

// gate counts the attempts under way, so that a stop can refuse new ones and
// wait for the others. It costs an attempt two atomic additions.
type gate struct {
	inside atomic.Int64 // below zero when closed
	once   sync.Once
	empty  chan struct{} // closed when closed and nobody is inside
}

// closedGate is added to the count when the gate closes.
const closedGate = math.MinInt64 / 2

func newGate() *gate { return &gate{empty: make(chan struct{})} }

// enter reports whether the gate is open; leave must follow in either case.
func (g *gate) enter() bool { return g.inside.Add(1) > 0 }

func (g *gate) leave() {
	if g.inside.Add(-1) == closedGate {
		g.once.Do(func() { close(g.empty) })
	}
}

// close lets nobody in any more. The channel is closed when the last one left.
// It is not for concurrent use; again it does nothing.
func (g *gate) close() <-chan struct{} {
	if g.inside.Load() >= 0 {
		if g.inside.Add(closedGate) == closedGate {
			g.once.Do(func() { close(g.empty) })
		}
	}
	return g.empty
}

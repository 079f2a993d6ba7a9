package transport

import (
	"sync"
	"sync/atomic"
	"testing"
)

func TestGate(t *testing.T) {
	t.Parallel()
	g := NewGate()
	if !g.Enter() {
		t.Fatal("a new gate is closed")
	}
	empty := g.Close()
	select {
	case <-empty:
		t.Fatal("empty while somebody is inside")
	default:
	}
	if g.Enter() {
		t.Error("somebody got in after Close")
	}
	g.Leave()
	<-empty
	<-g.Close()
}

func TestGateIsEmptyAfterTheLastOne(t *testing.T) {
	t.Parallel()
	for range 200 {
		g := NewGate()
		var inside atomic.Int64
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if g.Enter() {
					defer g.Leave()
					inside.Add(1)
					inside.Add(-1)
				}
			})
			all.Go(func() {
				<-g.Close()
				if n := inside.Load(); n != 0 {
					t.Errorf("%d inside an empty gate", n)
				}
			})
		}
		all.Wait()
	}
}

package amqp1

import (
	"math"
	"sync"
	"sync/atomic"
)

// linkView is what the guard knows of a link of ours.
type linkView struct {
	name       string
	sends      bool          // we do
	done       chan struct{} // closed when the link is gone
	ending     sync.Once
	maxMessage atomic.Uint64 // the peer's limit, 0 for none
	begun      atomic.Uint64 // deliveries of which something was written

	// The guard's.
	delivery   uint32 // the last that was begun
	incomplete bool   // it has more frames to come

	mu      sync.Mutex    // guards what follows
	sent    uint32        // deliveries written to their end
	most    uint32        // how many may have been sent, as the peer said last
	granted bool          // it said so once
	changed chan struct{} // closed when there may be more credit; nil: nobody waits
}

func newLinkView(name string, sends bool) *linkView {
	return &linkView{name: name, sends: sends, done: make(chan struct{})}
}

func (v *linkView) end() { v.ending.Do(func() { close(v.done) }) }

// gone reports whether the link has ended.
func (v *linkView) gone() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// grant takes the peer's flow (part 2, section 2.6.7). A peer that has not seen our
// attach counts from the beginning, which is 0.
func (v *linkView) grant(count uint32, counted bool, credit uint32) {
	if !counted {
		count = 0
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.most, v.granted = count+credit, true
	if v.changed != nil && v.left() > 0 {
		close(v.changed)
		v.changed = nil
	}
}

// left is the credit, for those who hold the lock. Counts wrap.
func (v *linkView) left() int {
	if left := v.most - v.sent; left <= math.MaxInt32 {
		return int(left)
	}
	return 0 // the peer took some back
}

func (v *linkView) written() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent++
}

// credit returns how many deliveries may be sent, and where that is none, what to
// wait for.
func (v *linkView) credit() (left int, changed <-chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if left := v.left(); left > 0 {
		return left, nil
	}
	if v.changed == nil {
		v.changed = make(chan struct{})
	}
	return 0, v.changed
}

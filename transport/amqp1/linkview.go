package amqp1

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// linkView is what the guard knows of a link of ours.
type linkView struct {
	name      string
	sends     bool          // we do
	done      chan struct{} // closed when the link is gone
	begun     atomic.Uint64 // deliveries of which something was written
	settledAt atomic.Int64  // Unix nanoseconds: when the peer last settled something

	// The guard's.
	delivery   uint32 // the last that was begun
	incomplete bool   // it has more frames to come
	outcomes   []string

	mu      sync.Mutex    // guards what follows
	sent    uint32        // deliveries written to their end
	most    uint32        // how many may have been sent, as the peer said last
	changed chan struct{} // closed when there may be more credit; nil: nobody waits
	next    *request      // what is being written, until its delivery has an id
	pending map[uint32]*request
	ended   bool
	reason  peerError // why, as far as the peer said
}

func newLinkView(name string, sends bool) *linkView {
	v := &linkView{name: name, sends: sends, done: make(chan struct{}), pending: map[uint32]*request{}}
	v.settledAt.Store(time.Now().UnixNano())
	return v
}

// end notes that the link is gone, and returns the deliveries that will have no
// outcome.
func (v *linkView) end(reason peerError) (lost map[uint32]*request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ended {
		return nil
	}
	v.ended, v.reason = true, reason
	lost, v.pending = v.pending, nil
	close(v.done)
	return lost
}

// why returns what the peer said when the link ended.
func (v *linkView) why() peerError {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.reason
}

// gone reports whether the link has ended.
func (v *linkView) gone() bool {
	select {
	case <-v.done:
		return true
	default:
		return false
	}
}

// expect has the next delivery belong to a request; nil: to none.
func (v *linkView) expect(r *request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = r
}

// begin gives the request that is being written its delivery.
func (v *linkView) begin(id uint32) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.next != nil && !v.ended {
		v.pending[id] = v.next
		v.next = nil
	}
}

// settle takes the requests out whose deliveries are settled. The range is checked.
func (v *linkView) settle(first, last uint32, each func(*request)) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.settledAt.Store(time.Now().UnixNano())
	for id := first; id <= last; id++ {
		if r := v.pending[id]; r != nil {
			delete(v.pending, id)
			each(r)
		}
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
	v.most = count + credit
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

// readOutcomes returns the outcomes that a source names, nil where it names none
// (part 3, section 3.5.3).
func readOutcomes(source []byte) []string {
	if _, list, ok := descriptor(source); ok {
		if inside, ok := openList(list); ok {
			inside.skip(9)
			return inside.symbols()
		}
	}
	return nil
}

// outcomes returns those that the peer knows on a link, nil where it did not say.
func (g *guard) outcomes(link string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if view := g.links[link]; view != nil {
		return view.outcomes
	}
	return nil
}

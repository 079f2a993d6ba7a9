package outbound

import (
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/queue"
)

// settler records outcomes for workers that do not wait for it, as many at once as
// there are. A durable store takes as long for one outcome as for a hundred, and a
// worker that waited for the disk would not be delivering; in memory a run of them is
// cheaper, since after an attempt little of this code and its data is still in the
// processor's caches. What it has not recorded yet is in flight still: at most as many
// as there are workers in each of three places, being recorded, waiting for that, and
// with their workers.
//
// While the store has no room for them, outcomes are kept, and their leases with
// them, and workers wait: were they dropped, their messages would be attempted again
// and again as long as the disk is full.
type settler struct {
	m       *Manager
	most    int
	pending settlements
	batch   settlements   // what is being recorded
	wake    chan struct{} // has room for one
	ended   sync.WaitGroup

	mu         sync.Mutex
	changed    sync.Cond
	added      int  // outcomes, ever
	done       int  // of these: recorded and told, or given up
	recording  int  // outcomes of batch
	full       bool // the store has no room for batch
	unrecorded int  // outcomes that were given up for want of room
	closed     bool
}

// recordAgain is how often it is tried to record what the store had no room for.
const recordAgain = time.Second

// settlements are outcomes with what they are about.
type settlements struct {
	leases   []lease
	outcomes []queue.Outcome
	attempts []queue.Attempt // that led to them; without a start where none did
}

func newSettler(m *Manager) *settler {
	s := &settler{m: m, most: m.options.Workers, wake: make(chan struct{}, 1)}
	s.changed.L = &s.mu
	return s
}

// start has it record what is added, until close.
func (s *settler) start() { s.ended.Go(s.run) }

// add takes over an outcome and the attempt that led to it, if one did. It waits only
// while the store does not keep up, or has no room, and reports whether it did.
func (s *settler) add(leased lease, outcome *queue.Outcome, log *queue.Attempt) (waited bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.full && len(s.pending.outcomes) >= min(s.most, 2*s.most-s.recording) {
		waited = true
		s.changed.Wait()
	}
	s.pending.add(leased, outcome, log)
	s.added++
	select {
	case s.wake <- struct{}{}:
	default:
	}
	for s.full {
		waited = true
		s.changed.Wait()
	}
	return waited
}

// catchUp waits until what was added before is recorded and told, unless the store has no
// room for it. It is for those who look at, or tell, what follows from it.
func (s *settler) catchUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for until := s.added; !s.full && s.done < until; {
		s.changed.Wait()
	}
}

func (b *settlements) add(leased lease, outcome *queue.Outcome, log *queue.Attempt) {
	b.leases = append(b.leases, leased)
	b.outcomes = append(b.outcomes, *outcome)
	b.attempts = append(b.attempts, queue.Attempt{})
	if log != nil {
		b.attempts[len(b.attempts)-1] = *log
	}
}

// run records what there is, all at once, until it is closed.
func (s *settler) run() {
	for {
		<-s.wake
		s.mu.Lock()
		s.pending, s.batch = s.batch, s.pending
		s.recording = len(s.batch.outcomes)
		closed := s.closed
		s.mu.Unlock()
		s.changed.Broadcast()
		for i := range s.batch.outcomes {
			if log := &s.batch.attempts[i]; !log.StartedAt.IsZero() {
				s.batch.outcomes[i].Attempt = log
			}
		}
		if len(s.batch.outcomes) > 0 {
			s.record()
		}
		s.batch.clear()
		s.mu.Lock()
		s.done += s.recording
		s.recording = 0
		s.mu.Unlock()
		s.changed.Broadcast()
		if closed {
			return
		}
	}
}

// record records the batch: once there is room for it, or, after the hard stop, if
// there is.
func (s *settler) record() {
	m, b := s.m, &s.batch
	faults, err := m.store.Settle(m.settling, b.outcomes)
	if errors.Is(err, queue.ErrStoreFull) {
		s.setFull(true)
		m.log.Error("cannot record outcomes: they are kept until there is room, and nothing else is attempted", zap.Error(err))
		for errors.Is(err, queue.ErrStoreFull) && s.waitForRoom() {
			faults, err = m.store.Settle(m.settling, b.outcomes)
		}
		s.setFull(false)
	}
	if errors.Is(err, queue.ErrStoreFull) {
		s.mu.Lock()
		s.unrecorded += len(b.outcomes)
		s.mu.Unlock()
	}
	m.recorded(b.leases, b.outcomes, faults, err)
}

// setFull has workers wait for room, or go on.
func (s *settler) setFull(full bool) {
	s.mu.Lock()
	s.full = full
	s.mu.Unlock()
	s.changed.Broadcast()
}

// waitForRoom waits until it is time to try again, and keeps the leases of what waits.
// False: the hard stop has come.
func (s *settler) waitForRoom() bool {
	s.mu.Lock()
	var refs []queue.LeaseRef
	for _, b := range []*settlements{&s.batch, &s.pending} {
		for i := range b.leases {
			refs = append(refs, b.leases[i].Ref())
		}
	}
	s.mu.Unlock()
	if _, err := s.m.store.Extend(s.m.settling, refs, s.m.leaseTime()); err != nil { // one that is lost is found when it is recorded
		s.m.log.Error("cannot keep the leases of what waits to be recorded", zap.Error(err))
	}
	timer := time.NewTimer(recordAgain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.m.base.Done():
		return false
	}
}

// left counts the outcomes that could not be recorded for want of room, so far.
func (s *settler) left() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return s.recording + len(s.pending.outcomes)
	}
	return s.unrecorded
}

func (b *settlements) clear() {
	clear(b.leases)
	clear(b.outcomes)
	clear(b.attempts)
	b.leases, b.outcomes, b.attempts = b.leases[:0], b.outcomes[:0], b.attempts[:0]
}

// close records what is left. Nothing is added any more.
func (s *settler) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.ended.Wait()
}

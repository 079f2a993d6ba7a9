package outbound

import (
	"sync"

	"github.com/outrider-go/outrider/queue"
)

// settler records outcomes for workers that do not wait for it. A durable store
// takes as long for one outcome as for a hundred, and a worker that waited for the
// disk would not be delivering. What it has not recorded yet is in flight still:
// at most as many as there are workers in each of three places, being recorded,
// waiting for that, and with their workers.
type settler struct {
	m       *Manager
	most    int
	pending settlements
	spare   settlements   // the last ones, for their memory
	wake    chan struct{} // has room for one
	ended   sync.WaitGroup

	mu     sync.Mutex
	room   sync.Cond
	closed bool
}

// settlements are outcomes with what they are about.
type settlements struct {
	leased   []queue.Leased
	outcomes []queue.Outcome
	attempts []queue.Attempt // of the outcomes that have one, in their order
}

func newSettler(m *Manager) *settler {
	s := &settler{m: m, most: m.options.Workers, wake: make(chan struct{}, 1)}
	s.room.L = &s.mu
	s.ended.Go(s.run)
	return s
}

// add takes over an outcome. It waits only while the store does not keep up.
func (s *settler) add(leased *queue.Leased, outcome *queue.Outcome) {
	s.mu.Lock()
	for len(s.pending.outcomes) >= s.most {
		s.room.Wait()
	}
	s.pending.add(leased, outcome)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (b *settlements) add(leased *queue.Leased, outcome *queue.Outcome) {
	b.leased = append(b.leased, *leased)
	b.outcomes = append(b.outcomes, *outcome)
	if outcome.Attempt != nil {
		b.attempts = append(b.attempts, *outcome.Attempt)
	}
}

// run records what there is, all at once, until it is closed.
func (s *settler) run() {
	for {
		<-s.wake
		s.mu.Lock()
		s.pending, s.spare = s.spare, s.pending
		closed := s.closed
		s.mu.Unlock()
		s.room.Broadcast()
		batch := &s.spare
		next := 0
		for i := range batch.outcomes {
			if batch.outcomes[i].Attempt != nil {
				batch.outcomes[i].Attempt = &batch.attempts[next]
				next++
			}
		}
		if len(batch.outcomes) > 0 {
			s.m.settle(batch.leased, batch.outcomes)
		}
		batch.clear()
		if closed {
			return
		}
	}
}

func (b *settlements) clear() {
	clear(b.leased)
	clear(b.outcomes)
	clear(b.attempts)
	b.leased, b.outcomes, b.attempts = b.leased[:0], b.outcomes[:0], b.attempts[:0]
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

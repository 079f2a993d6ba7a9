package amqp1

import (
	"errors"
	"sync"
	"sync/atomic"
)

// senderStats counts what became of the messages of a sender.
type senderStats struct {
	outcomes [Modified + 1]atomic.Int64
	unknown  atomic.Int64 // may have been sent, and no outcome
	attached atomic.Int64

	mu         sync.Mutex
	conditions map[Condition]int64
	lastErr    error
}

// mostConditions bounds the conditions that are counted by name.
const mostConditions = 64

func (s *senderStats) count(o Outcome) {
	s.outcomes[o.State].Add(1)
	if o.Condition != "" {
		s.condition(o.Condition)
	}
}

func (s *senderStats) condition(c Condition) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conditions == nil {
		s.conditions = map[Condition]int64{}
	}
	if _, known := s.conditions[c]; known || len(s.conditions) < mostConditions {
		s.conditions[c]++
	}
}

func (s *senderStats) fault(fault *Error) {
	if fault.Condition != "" {
		s.condition(fault.Condition)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastErr = fault
}

func (s *senderStats) lost(fault *Error) {
	if fault.Condition != "" || fault.Err != nil {
		s.fault(fault)
	}
}

func asError(op string, err error) *Error {
	if fault, ok := errors.AsType[*Error](err); ok {
		return fault
	}
	return &Error{Op: op, Kind: ErrUnreachable, Err: err}
}

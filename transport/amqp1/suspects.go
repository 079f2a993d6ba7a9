package amqp1

import "sync"

// Bounds of the memory of suspects.
const (
	mostSuspects = 10_000
	// mostDeaths is how often a connection may end while a message is alone in
	// flight on it.
	mostDeaths = 2
)

// suspects are messages that were in flight when a link, a session or a connection
// ended: one of them may be what the peer fails on. They are sent one at a time on
// a connection of their own, so that they take nobody along. The zero value is
// ready.
type suspects struct {
	mu     sync.Mutex
	deaths map[string]int // while the message was alone, by its key
	order  []string       // as they came; may name those that are cleared
}

// add makes a message a suspect.
func (s *suspects) add(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.deaths[key]; known || key == "" {
		return
	}
	if s.deaths == nil {
		s.deaths = map[string]int{}
	}
	s.deaths[key] = 0
	s.order = append(s.order, key)
	for len(s.order) > mostSuspects {
		delete(s.deaths, s.order[0])
		s.order = s.order[1:]
	}
}

// known reports whether a message is a suspect, and how often a connection has
// ended under it alone.
func (s *suspects) known(key string) (deaths int, suspect bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	deaths, suspect = s.deaths[key]
	return deaths, suspect
}

// died counts one more end, and returns how many there were.
func (s *suspects) died(key string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.deaths[key]; known {
		s.deaths[key]++
	}
	return s.deaths[key]
}

// clear acquits a message.
func (s *suspects) clear(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.deaths, key)
	if len(s.deaths) == 0 {
		s.order = nil
	}
}

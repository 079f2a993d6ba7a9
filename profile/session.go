package profile

import "errors"

// ErrSessionEnded is returned by a session that was committed or rolled back.
var ErrSessionEnded = errors.New("profile session has ended")

// Publisher takes events. event.Bus is one.
type Publisher interface {
	Publish(topic string, payload any)
}

// Session groups what a caller does for a profile. Events emitted in it go out
// when it commits, in their order, and never when it is rolled back, so that
// nobody hears of what did not happen. It is for one goroutine.
type Session struct {
	profile   *Profile
	publisher Publisher
	pending   []pendingEvent
	ended     bool
}

type pendingEvent struct {
	topic   string
	payload any
}

// Session starts a session whose events go to publisher; nil is nobody.
func (p *Profile) Session(publisher Publisher) *Session {
	return &Session{profile: p, publisher: publisher}
}

// Profile returns the session's profile.
func (s *Session) Profile() *Profile { return s.profile }

// Emit keeps an event until the session commits.
func (s *Session) Emit(topic string, payload any) error {
	if s.ended {
		return ErrSessionEnded
	}
	s.pending = append(s.pending, pendingEvent{topic, payload})
	return nil
}

// Commit ends the session and publishes its events.
func (s *Session) Commit() error {
	if s.ended {
		return ErrSessionEnded
	}
	s.ended = true
	pending := s.pending
	s.pending = nil
	if s.publisher == nil {
		return nil
	}
	for _, e := range pending {
		s.publisher.Publish(e.topic, e.payload)
	}
	return nil
}

// Rollback ends the session and drops its events. After Commit it does nothing,
// so it can be deferred.
func (s *Session) Rollback() {
	s.ended = true
	s.pending = nil
}

package wsin

import "github.com/outrider-go/outrider/transport/inbound"

// handle has a message handled, or answers the ping whose turn it is.
func (s *socket) handle(i item) {
	if i.ping != "" {
		s.answer(i.ping)
		return
	}
	if s.replayed() {
		return
	}
	if err := s.session.Receive(s.base, i.frame); err != nil {
		s.refuse(inbound.RefusalOf(err))
	}
}

// replayed reports a message that the peer will send again: it asks for
// acknowledgements, and has got a close code for an earlier one.
func (s *socket) replayed() bool {
	s.state.Lock()
	defer s.state.Unlock()
	return s.acks && s.closing
}

// answer says that everything before the ping has been handled, if that is so.
func (s *socket) answer(ping string) {
	s.state.Lock()
	failed, closing := s.failed, s.closing
	s.state.Unlock()
	switch {
	case closing:
	case failed != "":
		s.shut(codes[failed], failed.Text())
	default:
		s.pong(ping)
	}
}

package wsin

import (
	"time"

	"github.com/gorilla/websocket"
)

// beat starts the heartbeat: a timer, and no goroutine that waits for it.
func (s *socket) beat() {
	if s.t.options.Heartbeat <= 0 {
		return
	}
	s.state.Lock()
	defer s.state.Unlock()
	s.heart = time.AfterFunc(s.t.options.Heartbeat, s.pulse)
}

// pulse sends a ping to a peer that is silent, and ends a socket whose peer lets
// what was written to it go without a pong.
func (s *socket) pulse() {
	s.state.Lock()
	beats, silent := s.heart != nil, time.Since(s.seen) >= s.t.options.Heartbeat*3/4
	if beats {
		s.work.Add(1) // it has not stopped, so the reader's goroutine is there
	}
	s.state.Unlock()
	if !beats {
		return
	}
	defer s.work.Done()
	if patience := s.t.options.Timeout; patience > 0 && s.writer.overdue(patience) {
		s.shut(websocket.CloseGoingAway, "no pong")
	}
	if silent {
		// One that fails is the reader's to notice.
		_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(s.t.options.WriteTimeout))
	}
	s.state.Lock()
	defer s.state.Unlock()
	if s.heart != nil {
		s.heart.Reset(s.t.options.Heartbeat)
	}
}

// stopHeart ends the heartbeat. A ping that is being written ends with the
// connection.
func (s *socket) stopHeart() {
	s.state.Lock()
	defer s.state.Unlock()
	if s.heart != nil {
		s.heart.Stop()
		s.heart = nil
	}
}

package wsin

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport/inbound"
)

// socket is one WebSocket and its session.
type socket struct {
	*running
	conn    *websocket.Conn
	session *inbound.Session
	inbox   inbox
	writer  writer

	state   sync.Mutex // guards what follows, and the read deadline
	heart   *time.Timer
	seen    time.Time // when the peer last sent anything
	early   bool      // it was ended before it was a socket
	closing bool      // a close frame is on its way, or it has ended
	drains  bool      // it is to close when nothing is under way
	acks    bool      // the peer asks for acknowledgements
	dropped bool      // a message was not taken, so that no ping is answered any more
	failed  inbound.Refusal
}

func newSocket(now *running) *socket {
	s := &socket{running: now, seen: time.Now()}
	s.inbox.socket, s.writer.socket = s, s
	return s
}

// run reads the socket until it ends, and cleans up.
func (s *socket) run(ended bool) {
	defer s.remove(s)
	if ended {
		s.shut(websocket.CloseGoingAway, reasonEnded)
	}
	s.conn.SetPingHandler(s.pinged)
	s.conn.SetPongHandler(s.ponged)
	s.beat()
	err := s.read()
	s.countEnd(err)
	s.session.Close()
	s.writer.fail()
	s.stopHeart()
	s.hangUp(err)
	s.inbox.wait()
	s.state.Lock()
	s.closing = true // nothing is to begin any more
	s.state.Unlock()
}

// hangUp closes the connection. A peer that has sent what we did not read would
// have it reset, and might not see a close frame: so it gets a moment.
func (s *socket) hangUp(err error) {
	var closed *websocket.CloseError
	switch limit := time.Now().Add(s.t.options.CloseTimeout); {
	case errors.As(err, &closed), s.isClosing():
	case isTimeout(err):
		_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseGoingAway, "no sign of life"), limit)
	case isProtocolError(err): // where gorilla has told, this does nothing
		_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseProtocolError, ""), limit)
		linger(s.conn.NetConn(), s.t.options.CloseTimeout)
	}
	_ = s.conn.Close() // it may have gone already
}

// linger says that nothing more comes, and drops what does come.
func linger(conn net.Conn, limit time.Duration) {
	const most = 4 << 20
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite() // it is closed soon
	}
	if conn.SetReadDeadline(time.Now().Add(limit)) == nil {
		_, _ = io.CopyN(io.Discard, conn, most) // whatever ends it
	}
}

// isProtocolError reports what is neither a connection's end nor a peer's farewell:
// after it gorilla reads nothing more.
func isProtocolError(err error) bool {
	var lost net.Error
	var closed *websocket.CloseError
	return !errors.As(err, &lost) && !errors.As(err, &closed) &&
		!errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, net.ErrClosed)
}

func isTimeout(err error) bool {
	var lost net.Error
	return errors.As(err, &lost) && lost.Timeout()
}

// countEnd counts why a connection ended, where it did not end as it should.
func (s *socket) countEnd(err error) {
	var closed *websocket.CloseError
	switch {
	case s.isClosing(), errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
	case isTimeout(err):
		s.t.Collector().CountError("timeout")
	case isProtocolError(err):
		s.t.Collector().CountError("protocol")
	default:
		s.t.Collector().CountError("lost")
	}
}

func (s *socket) isClosing() bool {
	s.state.Lock()
	defer s.state.Unlock()
	return s.closing
}

// shut sends a close frame, once, and gives the peer a moment to answer it. It
// does not wait.
func (s *socket) shut(code int, reason string) {
	s.state.Lock()
	again := s.closing
	s.closing = true
	if !again {
		s.work.Add(1)
		_ = s.conn.SetReadDeadline(time.Now().Add(s.t.options.CloseTimeout)) // of a connection that may have gone
	}
	s.state.Unlock()
	if again {
		return
	}
	s.inbox.open() // the reader goes on, to the peer's answer
	go func() {
		defer s.work.Done()
		limit := time.Now().Add(s.t.options.CloseTimeout)
		if s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), limit) != nil {
			_ = s.conn.Close() // it cannot be told
		}
	}()
}

// end ends the socket because the manager wants that.
func (s *socket) end(error) {
	s.state.Lock()
	connected := s.conn != nil
	if !connected {
		s.early = true
	}
	s.state.Unlock()
	if connected {
		s.shut(websocket.CloseGoingAway, reasonEnded)
	}
}

// Reasons of close frames with the code 1001.
const (
	reasonEnded    = "the session is ended"
	reasonStopping = "going away"
)

// connect makes a socket of what was a session alone, and reports whether that was
// ended meanwhile.
func (s *socket) connect(conn *websocket.Conn) (ended bool) {
	s.state.Lock()
	defer s.state.Unlock()
	s.conn = conn
	return s.early
}

// drain closes the socket when nothing is under way on it any more. Messages that
// come from now on are dropped, and not acknowledged; those before still are.
func (s *socket) drain() {
	s.state.Lock()
	s.drains = true
	s.state.Unlock()
	s.inbox.open()
	s.settled()
}

// settled closes a socket that is to be drained and has nothing under way.
func (s *socket) settled() {
	s.state.Lock()
	drains := s.drains
	s.state.Unlock()
	if drains && s.inbox.idle() && s.writer.idle() {
		s.shut(websocket.CloseGoingAway, reasonStopping)
	}
}

// takes reports whether the message that comes is still handled.
func (s *socket) takes() bool {
	s.state.Lock()
	defer s.state.Unlock()
	s.dropped = s.dropped || s.closing || s.drains
	return !s.dropped
}

// asks notes that the peer wants acknowledgements, and reports whether it can have
// one.
func (s *socket) asks() bool {
	s.state.Lock()
	defer s.state.Unlock()
	s.acks = true
	return !s.closing && !s.dropped
}

// codes are what refusals are among close codes (RFC 6455 section 7.4).
var codes = map[inbound.Refusal]int{
	inbound.Malformed:        websocket.CloseUnsupportedData,
	inbound.UnknownRecipient: websocket.ClosePolicyViolation,
	inbound.Refused:          websocket.ClosePolicyViolation,
	inbound.TooLarge:         websocket.CloseMessageTooBig,
	inbound.Busy:             websocket.CloseTryAgainLater,
	inbound.Failed:           websocket.CloseInternalServerErr,
}

// refuse ends the socket because of a message, or remembers it for a peer that
// asks whether all has been handled.
func (s *socket) refuse(r inbound.Refusal) {
	s.state.Lock()
	stays := !r.Lasting() && !s.acks && !s.t.options.CloseOnFailure
	if stays {
		s.failed = r
	}
	s.state.Unlock()
	if !stays {
		s.shut(codes[r], r.Text())
	}
}

package wsin

import (
	"errors"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// ackPrefix begins the payload of a ping that asks whether what stands before it
// has been handled.
const ackPrefix = "outrider:"

// read reads messages until the connection ends, and returns why.
func (s *socket) read() error {
	for {
		s.touch()
		kind, r, err := s.conn.NextReader()
		if err != nil {
			return err
		}
		if !s.takes() {
			continue // until the peer has answered our close frame
		}
		body, err := s.session.Read(&messageReader{s: s, r: r, limit: time.Now().Add(s.t.options.MessageTimeout)}, 0)
		switch {
		case errors.Is(err, inbound.ErrTooLarge), errors.Is(err, inbound.ErrBusy):
			refusal := inbound.RefusalOf(err)
			s.shut(codes[refusal], refusal.Text())
			continue
		case err != nil:
			return err
		case kind == websocket.TextMessage && !utf8.Valid(body):
			s.session.Refuse(inbound.ErrMalformed)
			s.shut(websocket.CloseInvalidFramePayloadData, "text that is not UTF-8")
			continue
		}
		s.inbox.put(item{frame: wireformat.Frame{Text: kind == websocket.TextMessage, Body: body}})
	}
}

// touch gives the peer its time again.
func (s *socket) touch() { s.touchUntil(time.Time{}) }

// messageReader reads a message; each piece of it gives the peer its time again, up
// to the limit of the whole.
type messageReader struct {
	s     *socket
	r     io.Reader
	limit time.Time
}

func (m *messageReader) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if n > 0 && err == nil {
		m.s.touchUntil(m.limit)
	}
	return n, err
}

// touchUntil gives the peer its time again, up to limit, where there is one.
func (s *socket) touchUntil(limit time.Time) {
	s.state.Lock()
	defer s.state.Unlock()
	s.seen = time.Now()
	if s.closing {
		return
	}
	if patience := s.t.options.Timeout; patience > 0 {
		if until := s.seen.Add(patience); limit.IsZero() || until.Before(limit) {
			limit = until
		}
	}
	_ = s.conn.SetReadDeadline(limit) // of a connection that may have gone
}

// pinged answers a ping: at once, or in its turn where that is what it asks.
func (s *socket) pinged(payload string) error {
	s.touch()
	if !strings.HasPrefix(payload, ackPrefix) {
		s.pong(payload)
		return nil
	}
	if s.asks() {
		s.inbox.put(item{ping: payload})
	}
	return nil
}

// pong writes one. A connection that fails is the reader's to notice.
func (s *socket) pong(payload string) {
	_ = s.conn.WriteControl(websocket.PongMessage, []byte(payload), time.Now().Add(s.t.options.WriteTimeout))
}

// ponged takes what a pong acknowledges.
func (s *socket) ponged(payload string) error {
	s.touch()
	if number, ok := strings.CutPrefix(payload, ackPrefix); ok {
		s.writer.acknowledge(number)
	}
	return nil
}

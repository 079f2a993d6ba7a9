package inbound

import (
	"errors"
	"fmt"
	"io"
)

// Read reads a message to its end, for [Session.Receive]. What all sessions have
// read and not handled yet is bounded by Options.MaxBytes: beyond it Read returns
// [ErrBusy]; beyond the session's own limit [ErrTooLarge]. size is how long the
// message will be, negative or zero where that is not known. Nothing is taken
// before it has come: a peer that announces much and sends little costs little.
func (s *Session) Read(r io.Reader, size int64) ([]byte, error) {
	body, err := s.readAll(r, size)
	if errors.Is(err, ErrTooLarge) || errors.Is(err, ErrBusy) {
		s.Refuse(err)
	}
	return body, err
}

func (s *Session) readAll(r io.Reader, size int64) ([]byte, error) {
	const least, most = 512, 64 << 10 // of what is taken at first
	limit := int64(s.options.MaxMessageBytes)
	if size > limit {
		return nil, tooLarge(limit)
	}
	room := min(max(size+1, least), most, limit+1)
	if size <= 0 {
		room = min(least, limit+1)
	}
	if err := s.hold(int(room)); err != nil {
		return nil, err
	}
	held := int(room)
	body := make([]byte, 0, room)
	defer func() { s.release(held - len(body)) }()
	for {
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > limit:
			body = nil
			return nil, tooLarge(limit)
		case err == io.EOF: // a reader returns it bare
			return body, nil
		case err != nil:
			body = nil
			return nil, err
		}
		if len(body) == cap(body) {
			more := int(min(int64(2*cap(body)), limit+1)) - cap(body)
			if size+1 > int64(cap(body)) { // it is as long as was said, so far
				more = int(min(size+1, int64(8*cap(body)))) - cap(body)
			}
			if err := s.hold(more); err != nil {
				body = nil
				return nil, err
			}
			held += more
			grown := make([]byte, len(body), cap(body)+more)
			copy(grown, body)
			body = grown
		}
	}
}

func tooLarge(limit int64) error {
	return fmt.Errorf("%w: at most %d bytes are taken", ErrTooLarge, limit)
}

// hold counts bytes against the limit of all sessions.
func (s *Session) hold(n int) error {
	if s.manager.buffered.Add(int64(n)) > s.manager.options.MaxBytes {
		s.manager.buffered.Add(-int64(n))
		return fmt.Errorf("%w: %d bytes of messages are being received", ErrBusy, s.manager.options.MaxBytes)
	}
	s.holding.Add(int64(n))
	return nil
}

// release gives back what hold took, and never more.
func (s *Session) release(n int) {
	for n > 0 {
		held := s.holding.Load()
		back := min(held, int64(n))
		if s.holding.CompareAndSwap(held, held-back) {
			s.manager.buffered.Add(-back)
			return
		}
	}
}

package wamp2

import (
	"context"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/wireformat/wamp"
)

// write sends a message. begun says that something of it may have been sent. A
// write that fails ends the session.
func (s *Session) write(ctx context.Context, m wamp.Message) (begun bool, err error) {
	b, binary, err := s.link.serializer.Serialize(nil, m)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrMessage, err)
	}
	if int64(len(b)) > s.options.MaxMessage {
		return false, fmt.Errorf("%w: it has %d bytes: at most %d are allowed", ErrMessage, len(b), s.options.MaxMessage)
	}
	select {
	case <-s.writing:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	case <-s.done:
		return false, ErrClosed
	}
	defer func() { s.writing <- struct{}{} }()
	select {
	case <-s.done:
		return false, ErrClosed
	default:
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	kind := websocket.TextMessage
	if binary {
		kind = websocket.BinaryMessage
	}
	deadline := time.Now().Add(s.options.WriteTimeout)
	if sooner, ok := ctx.Deadline(); ok && sooner.Before(deadline) {
		deadline = sooner
	}
	_ = s.link.SetWriteDeadline(deadline)
	if err := s.link.WriteMessage(kind, b); err != nil {
		if s.cancel != nil {
			s.end(fmt.Errorf("%w: a message could not be written", ErrClosed))
		}
		return true, fmt.Errorf("%w: it could not be written whole", ErrLost)
	}
	return true, nil
}

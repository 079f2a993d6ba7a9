package amqp1

import (
	"errors"
	"io"
	"net"
	"time"

	"github.com/Azure/go-amqp"
)

// closeWait is how long a close of the protocol may take.
const closeWait = 2 * time.Second

// connection is one to a peer, shared by links.
type connection struct {
	pool  *pool
	amqp  *amqp.Conn
	guard *guard
	info  PeerInfo
	began time.Time
	links int // that use it; the pool's
}

// close says goodbye and closes, without closing the links one by one: a peer may
// leave each of those unanswered.
func (c *connection) close() {
	timer := time.AfterFunc(closeWait, func() { _ = c.guard.abort() })
	defer timer.Stop()
	_ = c.amqp.Close() // its error is the one the links have got
}

// alive reports whether the connection still stands.
func (c *connection) alive() bool {
	select {
	case <-c.amqp.Done():
		return false
	default:
		return c.guard.cause() == nil
	}
}

// lost says why a link, its session or its connection ended. The error is go-amqp's,
// or nil.
func (c *connection) lost(op string, err error) *Error {
	c.guard.mu.Lock()
	cause, closing := c.guard.fault, c.guard.closing
	c.guard.mu.Unlock()
	e := &Error{Op: op, Kind: ErrLost, Err: lossCause(cause), elsewhere: redirectOf(err)}
	if e.Condition, e.Description = conditionOf(err); e.Condition == "" {
		e.Condition, e.Description = closing.condition, closing.description
	}
	return e
}

// lossCause puts the cause of a loss into words; nil where we caused it.
func lossCause(cause error) error {
	switch {
	case errors.Is(cause, net.ErrClosed), errors.Is(cause, errWriterClosed):
		return nil
	case errors.Is(cause, io.EOF):
		return errors.New("the peer closed the connection")
	}
	return cause
}

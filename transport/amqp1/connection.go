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

// lost says why a link, its session or its connection ended.
func (c *connection) lost(op string, err error) *Error {
	e := &Error{Op: op, Kind: ErrLost, Err: c.guard.cause()}
	e.Condition, e.Description = conditionOf(err)
	switch {
	case errors.Is(e.Err, net.ErrClosed), errors.Is(e.Err, errWriterClosed):
		e.Err = nil // by ourselves
	case errors.Is(e.Err, io.EOF):
		e.Err = errors.New("the peer closed the connection")
	}
	return e
}

package inboundtest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// Memory is a receiver in memory: connections are made by calling it. It is for
// tests of handlers and of what uses sessions. The zero value is ready.
type Memory struct {
	inbound.Base

	// Acknowledge makes what is written count as acknowledged. Default: written.
	Acknowledge bool

	lifecycle transport.Lifecycle
	mu        sync.Mutex
	host      inbound.Host // nil while it is stopped
	conns     map[*Conn]struct{}
	busy      sync.WaitGroup // sends and posts under way
	release   func()         // detaches from Start's context
}

// ErrDown is what a [Memory] that is not started answers.
var ErrDown = errors.New("nobody listens")

// Scheme implements [inbound.Transport].
func (t *Memory) Scheme() string { return "mem" }

// Address implements [inbound.Transport].
func (t *Memory) Address() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.host == nil {
		return ""
	}
	return "mem://here"
}

// Start implements [inbound.Transport].
func (t *Memory) Start(ctx context.Context, host inbound.Host) error {
	return t.lifecycle.StartWith(func() error {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.host, t.conns = host, map[*Conn]struct{}{}
		t.release = transport.AfterCancel(ctx, t.closeAll)
		return nil
	})
}

// Stop implements [inbound.Transport].
func (t *Memory) Stop(ctx context.Context) error {
	return t.lifecycle.StopWith(func() error {
		t.mu.Lock()
		t.host = nil
		t.mu.Unlock()
		idle := make(chan struct{})
		go func() {
			t.busy.Wait()
			close(idle)
		}()
		select {
		case <-idle:
		case <-ctx.Done():
			return fmt.Errorf("messages are being handled: %w", ctx.Err())
		}
		t.release()
		t.closeAll()
		return nil
	})
}

func (t *Memory) closeAll() {
	t.mu.Lock()
	var all []*Conn
	for c := range t.conns {
		all = append(all, c)
	}
	t.mu.Unlock()
	for _, c := range all {
		c.Close()
	}
}

// begin counts something under way; end must follow.
func (t *Memory) begin() (inbound.Host, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.host == nil {
		return nil, ErrDown
	}
	t.busy.Add(1)
	return t.host, nil
}

// Post opens a session that can answer once, has a frame handled, and returns the
// answer, nil where there is none.
func (t *Memory) Post(ctx context.Context, origin inbound.Origin, f wireformat.Frame) (*inbound.Outgoing, error) {
	host, err := t.begin()
	if err != nil {
		return nil, err
	}
	defer t.busy.Done()
	origin.Scheme = t.Scheme()
	session, err := host.Open(&origin, inbound.SessionOptions{Replies: 1})
	if err != nil {
		return nil, err
	}
	defer session.Close()
	if err := session.Receive(ctx, f); err != nil {
		return nil, err
	}
	answer := session.Await(ctx)
	if answer != nil {
		answer.Done(t.evidence(), nil)
	}
	return answer, nil
}

func (t *Memory) evidence() transport.Evidence {
	if t.Acknowledge {
		return transport.Acknowledged
	}
	return transport.Written
}

// Conn is a connection to a [Memory], as its peer sees it.
type Conn struct {
	memory  *Memory
	session *inbound.Session

	mu       sync.Mutex
	held     bool // what is written waits
	received []*inbound.Outgoing
	changed  chan struct{} // closed when there is more, or it is closed
	closed   bool
	reason   error
}

// Dial opens a connection. It takes any number of messages.
func (t *Memory) Dial(origin inbound.Origin) (*Conn, error) {
	host, err := t.begin()
	if err != nil {
		return nil, err
	}
	defer t.busy.Done()
	origin.Scheme = t.Scheme()
	c := &Conn{memory: t, changed: make(chan struct{})}
	c.session, err = host.Open(&origin, inbound.SessionOptions{Replies: -1, Ready: c.write, End: c.end})
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.conns[c] = struct{}{}
	return c, nil
}

// Session is the connection's session.
func (c *Conn) Session() *inbound.Session { return c.session }

// Send has a frame handled.
func (c *Conn) Send(ctx context.Context, f wireformat.Frame) error {
	if _, err := c.memory.begin(); err != nil {
		return err
	}
	defer c.memory.busy.Done()
	return c.session.Receive(ctx, f)
}

// Hold keeps what is to be written from being written, or lets go of it.
func (c *Conn) Hold(held bool) {
	c.mu.Lock()
	c.held = held
	c.mu.Unlock()
	c.write()
}

// write takes what waits, unless that is held.
func (c *Conn) write() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for !c.held && !c.closed && c.session != nil {
		next := c.session.Pop()
		if next == nil {
			return
		}
		next.Done(c.memory.evidence(), nil)
		c.received = append(c.received, next)
		c.change()
	}
}

func (c *Conn) change() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Receive returns the next message that was written. The error is [ErrDown] where
// the connection is closed, or the context's.
func (c *Conn) Receive(ctx context.Context) (*inbound.Outgoing, error) {
	for {
		c.mu.Lock()
		if len(c.received) > 0 {
			next := c.received[0]
			c.received = c.received[1:]
			c.mu.Unlock()
			return next, nil
		}
		closed, changed := c.closed, c.changed
		c.mu.Unlock()
		if closed {
			return nil, ErrDown
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// end closes the connection because the manager wants that.
func (c *Conn) end(reason error) {
	c.mu.Lock()
	c.reason = reason
	c.mu.Unlock()
	c.Close()
}

// Reason is why the manager ended the connection, nil where it did not.
func (c *Conn) Reason() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.reason
}

// Close closes the connection.
func (c *Conn) Close() {
	c.mu.Lock()
	again := c.closed
	c.closed = true
	if !again {
		c.change()
	}
	c.mu.Unlock()
	if again {
		return
	}
	c.session.Close()
	c.memory.mu.Lock()
	defer c.memory.mu.Unlock()
	delete(c.memory.conns, c)
}

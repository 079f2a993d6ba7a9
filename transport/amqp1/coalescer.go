package amqp1

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"time"
)

// mostBuffered is how much may wait to be written before a writer has to wait too.
const mostBuffered = 256 << 10

const (
	// enough is how much is written without lingering for more.
	enough = 64 << 10
	// keptFor is how long buffers stay that nobody uses.
	keptFor = 5 * time.Second
)

// errWriterClosed is returned to those who write after the end.
var errWriterClosed = errors.New("the connection is closed")

// coalescer writes to a connection what was handed to it meanwhile, in one piece:
// go-amqp writes each frame by itself, and a system call costs more than the
// frame.
type coalescer struct {
	conn    net.Conn
	timeout time.Duration // of one write
	onFault func(error)
	wake    chan struct{} // has room for one
	done    chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex
	room   sync.Cond
	buf    []byte // what waits
	spare  []byte
	closed bool
	fault  error

	// Closed when what waits, and what is being written, has been written; nil where
	// nobody asked.
	waits, leaves chan struct{}
	busy          bool // something is being written
}

func newCoalescer(conn net.Conn, timeout time.Duration, onFault func(error)) *coalescer {
	c := &coalescer{conn: conn, timeout: timeout, onFault: onFault, wake: make(chan struct{}, 1), done: make(chan struct{})}
	c.room.L = &c.mu
	go c.run()
	return c
}

// write keeps a copy of p to be written. It waits while too much is kept already.
func (c *coalescer) write(p []byte) error {
	c.mu.Lock()
	for len(c.buf) > 0 && len(c.buf)+len(p) > mostBuffered && c.fault == nil && !c.closed {
		c.room.Wait()
	}
	err := c.fault
	if err == nil && c.closed {
		err = errWriterClosed
	}
	first := len(c.buf) == 0
	if err == nil {
		c.buf = append(c.buf, p...)
	}
	c.mu.Unlock()
	if err == nil && first {
		c.signal()
	}
	return err
}

func (c *coalescer) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// run writes until close or a fault.
func (c *coalescer) run() {
	defer close(c.done)
	unused := time.AfterFunc(keptFor, c.shrink)
	defer unused.Stop()
	for {
		batch, ended := c.take()
		if ended {
			return
		}
		if len(batch) == 0 {
			unused.Reset(keptFor)
			<-c.wake
			unused.Stop()
			c.linger()
			continue
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(c.timeout))
		if _, err := c.conn.Write(batch); err != nil {
			c.end(err)
			c.onFault(err)
			return
		}
	}
}

// shrink lets go of the buffers of a connection that is idle.
func (c *coalescer) shrink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.buf) == 0 && !c.busy {
		c.buf, c.spare = nil, nil
	}
}

// linger lets those who are about to write do so, as long as more comes. Where nobody
// else has anything to do it takes no time.
func (c *coalescer) linger() {
	for idle, before := 0, c.waiting(); idle < 3; {
		runtime.Gosched()
		now := c.waiting()
		switch {
		case now >= enough:
			return
		case now == before:
			idle++
		default:
			idle, before = 0, now
		}
	}
}

// waiting is how much waits.
func (c *coalescer) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.buf)
}

// take returns what waits; ended where there is nothing and never will be.
func (c *coalescer) take() (batch []byte, ended bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left()
	if len(c.buf) == 0 {
		return nil, c.closed || c.fault != nil
	}
	batch = c.buf
	c.buf, c.spare = c.spare[:0], batch
	c.leaves, c.waits, c.busy = c.waits, nil, true
	c.room.Broadcast()
	return batch, false
}

// left tells those who wait that the batch was written.
func (c *coalescer) left() {
	if c.leaves != nil {
		close(c.leaves)
		c.leaves = nil
	}
	c.busy = false
}

func (c *coalescer) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = err
	c.buf, c.spare = nil, nil
	c.left()
	if c.waits != nil {
		close(c.waits)
		c.waits = nil
	}
	c.room.Broadcast()
}

// written waits until all that was handed over before has been written.
func (c *coalescer) written(ctx context.Context) error {
	c.mu.Lock()
	var wait chan struct{}
	switch {
	case c.fault != nil:
	case len(c.buf) > 0:
		if c.waits == nil {
			c.waits = make(chan struct{})
		}
		wait = c.waits
	case c.busy:
		if c.leaves == nil {
			c.leaves = make(chan struct{})
		}
		wait = c.leaves
	}
	c.mu.Unlock()
	if wait != nil {
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fault
}

// close takes nothing more, and waits until what there is was written, for at most
// that long. With no time at all it does not wait.
func (c *coalescer) close(within time.Duration) {
	c.mu.Lock()
	c.closed = true
	c.room.Broadcast()
	c.mu.Unlock()
	c.signal()
	if within <= 0 {
		return
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case <-c.done:
	case <-timer.C:
	}
}

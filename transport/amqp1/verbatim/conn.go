package verbatim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
)

// DefaultMaxFrame is the longest frame, in bytes, where [NewConn] is given none.
const DefaultMaxFrame = 1 << 20

// Conn is a connection to an AMQP peer from which transfers arrive in the form
// that [Reframe] gives them. What is written passes unchanged.
type Conn struct {
	net.Conn

	maxFrame int
	started  bool   // the protocol header was read
	in       []byte // arrived, and not yet a whole frame
	out      []byte // to be read
	pending  []byte // what is left of out
}

// NewConn wraps a connection on which nothing was read yet, or nothing but SASL
// and its protocol header. A longer frame than maxFrame bytes, 0 for
// [DefaultMaxFrame], is [ErrFrame].
func NewConn(c net.Conn, maxFrame int) *Conn {
	if maxFrame <= 0 {
		maxFrame = DefaultMaxFrame
	}
	return &Conn{Conn: c, maxFrame: maxFrame}
}

// readSize is how much is asked for at once.
const readSize = 16 << 10

// Read returns bytes of frames that have arrived whole.
func (c *Conn) Read(p []byte) (int, error) {
	for len(c.pending) == 0 {
		if err := c.frames(); err != nil {
			return 0, err
		}
		if len(c.pending) > 0 {
			break
		}
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.pending)
	c.pending = c.pending[n:]
	return n, nil
}

// fill reads once. What arrived with an error counts first.
func (c *Conn) fill() error {
	have := len(c.in)
	if cap(c.in)-have < readSize {
		c.in = append(make([]byte, 0, 2*have+readSize), c.in...)
	}
	n, err := c.Conn.Read(c.in[have : have+readSize])
	c.in = c.in[:have+n]
	if n > 0 {
		return nil
	}
	return err
}

// frames moves the frames that are whole from in to out. It fails at a bad frame
// only once those before it were read.
func (c *Conn) frames() error {
	c.out = c.out[:0]
	rest := c.in
	var err error
	for len(rest) >= frameHeader {
		var n int
		if n, err = c.frame(rest); n == 0 {
			break
		}
		rest = rest[n:]
	}
	c.in = c.in[:copy(c.in, rest)]
	if c.pending = c.out; len(c.pending) > 0 {
		return nil
	}
	return err
}

// protocol begins a protocol header: eight bytes, before SASL and before all
// else (part 2, section 2.2).
var protocol = []byte("AMQP")

// frame appends the first frame of rest to out, and returns how long it is in
// rest: 0 where it is not there as a whole. A peer that speaks something else
// altogether is go-amqp's to refuse, so its first eight bytes pass.
func (c *Conn) frame(rest []byte) (int, error) {
	if !c.started || bytes.HasPrefix(rest, protocol) {
		c.started = true
		c.out = append(c.out, rest[:frameHeader]...)
		return frameHeader, nil
	}
	size := binary.BigEndian.Uint32(rest)
	switch {
	case size < frameHeader:
		return 0, fmt.Errorf("%w: it has %d bytes", ErrFrame, size)
	case int64(size) > int64(c.maxFrame):
		return 0, fmt.Errorf("%w: it has %d bytes: at most %d are allowed", ErrFrame, size, c.maxFrame)
	case uint64(size) > uint64(len(rest)):
		return 0, nil
	}
	var err error
	if c.out, err = Reframe(c.out, rest[:size]); err != nil {
		return 0, err
	}
	return int(size), nil
}

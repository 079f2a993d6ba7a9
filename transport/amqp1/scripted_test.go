package amqp1

import (
	"io"
	"net"
	"time"
)

// scriptedConn is a connection on which certain bytes come in, in pieces.
type scriptedConn struct {
	in    []byte
	piece int
}

func (c *scriptedConn) Read(p []byte) (int, error) {
	n := copy(p, c.in[:min(len(c.in), c.piece)])
	c.in = c.in[n:]
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

func (c *scriptedConn) Write(p []byte) (int, error)      { return len(p), nil }
func (c *scriptedConn) Close() error                     { return nil }
func (c *scriptedConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *scriptedConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *scriptedConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptedConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptedConn) SetWriteDeadline(time.Time) error { return nil }

package wsout

import (
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// flushBytes is how much is collected before it is written to the socket.
const flushBytes = 64 << 10

// wire is the network connection below gorilla's: it collects what is written
// until somebody flushes it, notes when the peer was heard, and bounds what one
// message of the peer takes on the wire.
type wire struct {
	net.Conn

	buffers *buffers
	timeout time.Duration   // of a write to the socket
	socket  syscall.RawConn // nil where there is none to be had
	heard   atomic.Int64    // Unix nanoseconds of the latest read
	got     atomic.Int64    // bytes read

	// The reader's own.
	limited bool
	budget  int64 // bytes that may be read while limited

	mu       sync.Mutex
	collects bool // after the handshake
	buffer   []byte
}

// buffers are those that no connection needs now: one that writes nothing has none.
type buffers struct {
	frames sync.Pool // gorilla's, of frameBytes
	wires  sync.Pool // of flushBytes
}

func newWire(conn net.Conn, timeout time.Duration, b *buffers) *wire {
	w := &wire{Conn: conn, timeout: timeout, buffers: b}
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	if socket, ok := conn.(syscall.Conn); ok {
		w.socket, _ = socket.SyscallConn()
	}
	w.heard.Store(time.Now().UnixNano())
	return w
}

// limit lets the reader take n more bytes. What goes beyond is an error.
func (w *wire) limit(n int64) { w.limited, w.budget = true, n }

// Read implements net.Conn.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.heard.Store(time.Now().UnixNano())
		w.got.Add(int64(n))
		if w.limited {
			if w.budget -= int64(n); w.budget < 0 {
				return 0, errTooLong
			}
		}
	}
	return n, err
}

// collect has what is written from now on wait for a flush.
func (w *wire) collect() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.collects = true
}

// SetWriteDeadline implements net.Conn. gorilla sets one for each frame; here a
// write to the socket has one of its own.
func (w *wire) SetWriteDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.collects {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

// Write implements net.Conn.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.collects {
		return w.Conn.Write(p)
	}
	if err := w.makeRoom(len(p)); err != nil {
		return 0, err
	}
	if len(p) > flushBytes {
		return w.send(p, w.timeout)
	}
	w.buffer = append(w.buffer, p...)
	return len(p), nil
}

// makeRoom flushes where n bytes more would be too many, and sees to it that there
// is a buffer. The caller holds mu.
func (w *wire) makeRoom(n int) error {
	if len(w.buffer)+n > flushBytes {
		if err := w.flush(w.timeout); err != nil {
			return err
		}
	}
	if w.buffer != nil || n > flushBytes {
		return nil
	}
	if spare, ok := w.buffers.wires.Get().(*[]byte); ok {
		w.buffer = (*spare)[:0]
	} else {
		w.buffer = make([]byte, 0, flushBytes)
	}
	return nil
}

// Flush writes what was collected.
func (w *wire) Flush(timeout time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush(timeout)
}

// flush gives the buffer back also where the write fails: nothing more is written
// then.
func (w *wire) flush(timeout time.Duration) error {
	if len(w.buffer) == 0 {
		return nil
	}
	_, err := w.send(w.buffer, timeout)
	buffer := w.buffer
	w.buffer = nil
	w.buffers.wires.Put(&buffer)
	return err
}

func (w *wire) send(p []byte, timeout time.Duration) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(timeout)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

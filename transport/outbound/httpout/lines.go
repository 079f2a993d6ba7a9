package httpout

import (
	"context"
	"io"
	"net"
	"sync"

	"github.com/outrider-go/outrider/transport/egress"
)

// lines are the connections of a transport and the dials on their way to become
// one, so that a stop can end and await all of them.
type lines struct {
	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
	empty  chan struct{} // closed when closed and nothing is open
}

func newLines() *lines {
	return &lines{open: map[io.Closer]struct{}{}, empty: make(chan struct{})}
}

// add keeps c until remove, unless the lines are closed.
func (l *lines) add(c io.Closer) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.open[c] = struct{}{}
	}
	return !l.closed
}

// remove forgets c; again does nothing.
func (l *lines) remove(c io.Closer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.open[c]; !known {
		return
	}
	delete(l.open, c)
	if l.closed && len(l.open) == 0 {
		close(l.empty)
	}
}

// close ends everything that is open, and whatever is added later. The channel
// is closed when nothing is left.
func (l *lines) close() <-chan struct{} {
	for _, c := range l.shut() {
		_ = c.Close() // its error tells nothing: nobody uses it any more
	}
	return l.empty
}

func (l *lines) shut() []io.Closer {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.closed = true
		if len(l.open) == 0 {
			close(l.empty)
		}
	}
	all := make([]io.Closer, 0, len(l.open))
	for c := range l.open {
		all = append(all, c)
	}
	return all
}

// connect dials, and keeps the connection until it is closed.
func (l *lines) connect(ctx context.Context, addr string, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	pending := &dialling{cancel}
	if !l.add(pending) {
		return nil, stoppedError(addr)
	}
	defer l.remove(pending)
	conn, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	kept := &line{Conn: conn, lines: l}
	if !l.add(kept) {
		_ = conn.Close()
		return nil, stoppedError(addr)
	}
	return kept, nil
}

func stoppedError(addr string) error {
	return &egress.DialError{Address: addr, Phase: egress.PhaseConnect, Err: ErrStopped}
}

// dialling is a dial under way; closing it ends it.
type dialling struct{ cancel context.CancelFunc }

func (d *dialling) Close() error { d.cancel(); return nil }

// line is a connection that tells when it is closed.
type line struct {
	net.Conn
	lines *lines
}

func (c *line) Close() error {
	err := c.Conn.Close()
	c.lines.remove(c)
	return err
}

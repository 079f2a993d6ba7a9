package amqp1

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// Bounds of the backoff after dials that failed. A wait up to patience is waited
// for; during a longer one links fail at once.
const (
	firstBackoff = 100 * time.Millisecond
	lastBackoff  = 30 * time.Second
	patience     = time.Second
	// healthyAfter is how long a connection must have stood for its end to count as
	// the first.
	healthyAfter = time.Minute
)

// pool has the connections to one remote.
type pool struct {
	container *Container
	remote    Remote
	turn      chan struct{} // has room for one: who chooses or dials
	alone     chan struct{} // has room for one, of a quarantine's: who is in flight

	mu       sync.Mutex // guards what follows
	conns    []*connection
	failures int // in a row
	retryAt  time.Time
	lastErr  error
}

func newPool(c *Container, remote Remote) *pool {
	return &pool{container: c, remote: remote, turn: make(chan struct{}, 1), alone: make(chan struct{}, 1)}
}

// acquire returns a connection for one more link, which must be released. It dials
// where there is none with room; only one caller does at a time.
func (p *pool) acquire(ctx context.Context) (*connection, error) {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return nil, &Error{Op: "dial", Kind: ErrUnreachable, Err: ctx.Err()}
	}
	if conn := p.choose(); conn != nil {
		return conn, nil
	}
	if err := p.await(ctx); err != nil {
		return nil, err
	}
	return p.connect(ctx)
}

// choose returns the living connection with the fewest links, nil where another is
// to be opened.
func (p *pool) choose() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	var best *connection
	living := 0
	for _, conn := range p.conns {
		if !conn.alive() {
			continue
		}
		living++
		if best == nil || conn.links < best.links {
			best = conn
		}
	}
	o := p.container.options
	if best == nil || best.links >= o.LinksPerConnection && living < o.MaxConnections {
		return nil
	}
	if best.links > o.LinksPerConnection {
		return nil // the peer's channels are limited too
	}
	best.links++
	return best
}

// untilDial is how long no connection can be had, since none is there and none may be
// dialled yet.
func (p *pool) untilDial() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.conns, (*connection).alive) {
		return 0
	}
	return time.Until(p.retryAt)
}

// await waits until the next dial is allowed, where that is soon.
func (p *pool) await(ctx context.Context) error {
	p.mu.Lock()
	wait, last := time.Until(p.retryAt), p.lastErr
	p.mu.Unlock()
	if wait <= 0 {
		return nil
	}
	if wait > patience {
		return &Error{Op: "dial", Kind: ErrBackoff, Err: last}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return &Error{Op: "dial", Kind: ErrUnreachable, Err: ctx.Err()}
	}
}

func (p *pool) connect(ctx context.Context) (*connection, error) {
	amqpConn, g, err := p.container.dial(ctx, p.remote)
	if err != nil {
		p.failed(err)
		return nil, err
	}
	conn := &connection{pool: p, amqp: amqpConn, guard: g, info: g.peerInfo(), began: time.Now(), links: 1}
	p.mu.Lock()
	p.conns = append(p.conns, conn)
	p.lastErr = nil
	p.mu.Unlock()
	p.container.emit(&p.remote, &Event{Kind: Connected, Peer: &conn.info})
	g.whenClosed(func() { p.ended(conn) })
	return conn, nil
}

// failed notes a dial that failed.
func (p *pool) failed(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lastErr = err
	p.backOff(lastBackoff)
}

// backOff sets when the next dial is allowed.
func (p *pool) backOff(most time.Duration) {
	p.retryAt = time.Now().Add(min(jitter(p.failures), most))
	p.failures++
}

// jitter returns a random wait within a span that doubles with each failure.
func jitter(failures int) time.Duration {
	span := min(firstBackoff<<min(failures, 16), lastBackoff)
	return time.Duration(rand.Int64N(int64(span))) //nolint:gosec // no secret
}

// ended takes a connection out that has ended.
func (p *pool) ended(conn *connection) {
	p.mu.Lock()
	p.conns = slices.DeleteFunc(p.conns, func(c *connection) bool { return c == conn })
	var cause error
	if lost := conn.lost("connection", nil); lost.Err != nil || lost.Condition != "" {
		cause = lost
	}
	if time.Since(conn.began) > healthyAfter {
		p.failures = 0
	} else if conn.links > 0 {
		// The peer is there, so links wait rather than fail.
		p.lastErr = conn.lost("dial", nil)
		p.backOff(patience)
	}
	p.mu.Unlock()
	p.container.emit(&p.remote, &Event{Kind: Disconnected, Peer: &conn.info, Err: cause})
}

// release gives a connection back. With its last link it is closed.
func (p *pool) release(conn *connection) {
	p.mu.Lock()
	conn.links--
	last := conn.links == 0
	if last {
		p.conns = slices.DeleteFunc(p.conns, func(c *connection) bool { return c == conn })
	}
	p.mu.Unlock()
	if last {
		conn.close()
	}
}

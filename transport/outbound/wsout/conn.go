package wsout

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// conn is one connection. Its writer is the only goroutine that writes messages,
// its reader the only one that reads. The reader stops at the first error: gorilla
// panics where a dead connection is read again and again.
type conn struct {
	pool *pool
	slot *slot
	ws   *websocket.Conn
	wire *wire
	ack  Ack
	born time.Time
	age  time.Duration // at which it is replaced

	wake    chan struct{} // the writer; has room for one
	over    chan struct{} // closed when it has ended
	stalled atomic.Bool   // the reader waits for OnFrame
	said    atomic.Bool   // this side has begun the closing handshake
	inbox   chan arrival  // the reader's; nil until the peer's first message

	// Guarded by the pool's mutex.
	parked   bool        // the writer has nothing to do
	retiring int         // the close code to say when the window is empty; 0: none
	dead     bool        // it has ended
	window   []*delivery // written or being written, and not settled, in order
	bytes    int         // of them
	limit    int         // frames that may be in it
	ping     uint64      // the number of the latest acknowledging ping
	pong     []byte      // what the next pong has to say; nil: none is due
	proof    []byte      // the same, of the pong that says that messages have been handled
	useful   bool        // something was delivered
	used     time.Time

	// The writer's own.
	timed   time.Time   // when the latest heartbeat was
	settled []*delivery // scratch paper
}

func newConn(p *pool, ws *websocket.Conn, w *wire) *conn {
	o, now := &p.links.options, time.Now()
	c := &conn{
		pool: p, ws: ws, wire: w, ack: p.tenant.ack, born: now, used: now, timed: now,
		age:  o.MaxAge - rand.N(o.MaxAge/10+1), //nolint:gosec // no secret
		wake: make(chan struct{}, 1), over: make(chan struct{}),
	}
	ws.SetReadLimit(int64(o.MaxInboundBytes))
	ws.SetPongHandler(c.ponged)
	ws.SetCloseHandler(func(int, string) error { return nil }) // the reader answers
	return c
}

// run serves the connection until it has ended.
func (c *conn) run(ctx context.Context) {
	release := transport.AfterCancel(ctx, func() {
		e := lost(codeStopped, ErrStopped)
		e.say = websocket.CloseGoingAway
		c.end(e)
	})
	defer release()
	c.tell(true, "")
	var both sync.WaitGroup
	both.Go(func() { c.read(ctx) })
	both.Go(c.write)
	both.Wait()
}

func (c *conn) tell(connected bool, code string) {
	c.pool.links.options.OnState(State{Profile: c.pool.tenant.profile, Endpoint: c.pool.shake.endpoint, Connected: connected, Code: code})
}

// hasRoom reports whether the writer may take d. The caller holds the pool's mutex.
func (c *conn) hasRoom(d *delivery) bool {
	if c.retiring != 0 || c.dead {
		return false
	}
	return len(c.window) == 0 || len(c.window) < c.limit && c.bytes+d.size() <= c.pool.links.options.WindowBytes
}

// wakeUp has the writer look what there is to do. The caller holds the pool's
// mutex.
func (c *conn) wakeUp() {
	if c.parked {
		c.parked = false
		c.wake <- struct{}{}
	}
}

// forget takes a delivery out of the window. The caller holds the pool's mutex.
func (c *conn) forget(d *delivery) {
	if at := slices.Index(c.window, d); at >= 0 {
		c.window = slices.Delete(c.window, at, at+1)
		c.bytes -= d.size()
	}
	if c.pool.single {
		c.retireLocked(websocket.CloseNormalClosure)
	}
	if c.retiring != 0 && len(c.window) == 0 {
		c.wakeUp()
	}
}

// retire ends the connection in good order: it takes no more messages, and closes
// with code once those it has are settled.
func (c *conn) retire(code int) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.retireLocked(code)
}

func (c *conn) retireLocked(code int) {
	if c.retiring != 0 || c.dead {
		return
	}
	c.retiring = code
	c.leave()
	c.wakeUp()
}

// leave takes the connection out of its pool. The caller holds the pool's mutex.
func (c *conn) leave() {
	p := c.pool
	p.conns = slices.DeleteFunc(p.conns, func(other *conn) bool { return other == c })
}

// idleSince returns since when nothing is under way on it, and whether that is so.
func (c *conn) idleSince() (time.Time, bool) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	return c.used, len(c.window) == 0 && c.retiring == 0 && !c.dead
}

// end ends the connection, once: what it has written and what was not
// acknowledged is settled or goes to the next connection, and the socket is closed.
func (c *conn) end(e ending) {
	p := c.pool
	p.mu.Lock()
	if c.dead {
		p.mu.Unlock()
		return
	}
	c.dead = true
	c.leave()
	window := c.window
	c.window, c.bytes = nil, 0
	now := time.Now()
	p.used = now
	e.ours = e.ours || c.said.Load() && e.clean
	if !e.ours {
		if c.useful {
			p.failures = 0
		}
		p.failed(now)
	}
	var all []*delivery
	if c.settlesAtEnd() && e.ours {
		c.settle(window, transport.Written, e.code, now)
		all = window
	} else {
		all = p.takeBack(window, &e, c.ack != AckNone)
	}
	p.attend()
	p.mu.Unlock()
	close(c.over)
	finish(all)
	if e.say != 0 && !c.said.Load() {
		c.sayGoodbye(e.say)
	}
	_ = c.wire.Close() // whoever reads or writes ends now
	p.links.slots.giveBack(c.slot)
	if e.ours {
		e.code = ""
	}
	c.tell(false, e.code)
}

// goodbyeTimeout bounds the last write to a connection.
const goodbyeTimeout = time.Second

// sayGoodbye writes a close frame, where the socket takes it at once.
func (c *conn) sayGoodbye(code int) {
	deadline := time.Now().Add(goodbyeTimeout)
	_ = c.wire.Conn.SetWriteDeadline(deadline) // for a write that hangs in the writer
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), deadline)
	_ = c.wire.Flush(goodbyeTimeout)
}

// settle ends deliveries that were written, with what is known of their arrival.
// The caller holds the pool's mutex, and takes them out of the window.
func (c *conn) settle(deliveries []*delivery, evidence transport.Evidence, code string, now time.Time) {
	if len(deliveries) == 0 {
		return
	}
	m, bytes := &c.pool.links.metrics, 0
	for _, d := range deliveries {
		d.stage = ended
		d.result = result{receipt: outbound.Receipt{Evidence: evidence, Code: code}}
		bytes += d.size()
		if evidence == transport.Acknowledged {
			if d.flushedAt.IsZero() { // the answer was faster than our bookkeeping
				m.write.Observe(now.Sub(d.queuedAt))
				d.flushedAt = now
			}
			m.ack.Observe(now.Sub(d.flushedAt))
		}
		m.total.Observe(now.Sub(d.queuedAt))
	}
	m.collector.AddBytes(int64(bytes), 0)
	c.bytes -= bytes
	c.useful, c.used, c.pool.failures = true, now, 0
	if c.pool.single {
		c.retireLocked(websocket.CloseNormalClosure)
	}
}

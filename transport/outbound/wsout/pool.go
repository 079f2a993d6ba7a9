package wsout

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// unusedFor is how long a pool without connections is remembered: it knows when
// the peer may be dialled again.
const unusedFor = time.Minute

// pool is the connections that begin with one handshake, and the messages that
// wait for one of them. Whoever puts a message into the queue wakes a writer that
// has nothing to do, or begins to dial; at most one dial is under way.
type pool struct {
	links  *links
	tenant *tenant
	shake  *handshake
	single bool // it is one message's own

	mu       sync.Mutex
	queue    []*delivery // in the order in which they are to be written
	conns    []*conn     // that take messages
	dialing  bool
	closed   bool      // it is no longer in links
	careful  bool      // the next connection begins with one message at a time
	failures int       // in a row, of dials and connections
	dialAt   time.Time // not before
	used     time.Time
}

func newPool(l *links, t *tenant, shake *handshake, single bool) *pool {
	return &pool{links: l, tenant: t, shake: shake, single: single, used: time.Now()}
}

// submit puts a delivery into the queue, and has somebody write it. It is false
// where the pool is closed.
func (p *pool) submit(d *delivery) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.queue = append(p.queue, d)
	p.attend()
	return true
}

// attend has somebody take what is queued. The caller holds mu.
func (p *pool) attend() {
	if len(p.queue) == 0 {
		return
	}
	for _, c := range p.conns {
		if c.parked && c.hasRoom(p.queue[0]) {
			c.wakeUp()
			return
		}
	}
	if p.dialing || len(p.conns) >= p.limit() || len(p.conns) > 0 && time.Now().Before(p.dialAt) {
		return
	}
	p.dialing = true
	if !p.links.goes(p.connect) {
		p.dialing = false
		if len(p.conns) == 0 {
			finish(p.failAll(stoppedFault())) // nobody waits for room in done
		}
	}
}

// limit is how many connections the pool may have.
func (p *pool) limit() int {
	if p.single {
		return 1
	}
	return p.tenant.connections
}

// dequeue drops the first n of the queue. The caller holds mu.
func (p *pool) dequeue(n int) {
	if n == 0 {
		return
	}
	rest := copy(p.queue, p.queue[n:])
	clear(p.queue[rest:])
	p.queue = p.queue[:rest]
}

// failAll ends all that is queued. The caller holds mu.
func (p *pool) failAll(fault *outbound.DeliveryError) []*delivery {
	all := p.queue
	p.queue = nil
	for _, d := range all {
		d.fail(fault)
	}
	return all
}

// abandon takes a delivery back whose attempt is over. Where it is known, it
// returns what became of it; else whether it may have been written.
func (p *pool) abandon(d *delivery) (known bool, sent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch d.stage {
	case ended:
		return true, false
	case queued:
		p.queue = slices.DeleteFunc(p.queue, func(other *delivery) bool { return other == d })
		sent = d.replays > 0
	case written:
		d.conn.forget(d)
		sent = true
		p.attend() // there is room now
	}
	d.stage = ended
	return false, sent
}

// connect makes one connection, and runs it until its end.
func (p *pool) connect() {
	if !p.waitTurn() {
		return
	}
	c, fault := p.dial(p.links.dials)
	if fault != nil {
		p.notConnected(fault)
		return
	}
	p.mu.Lock()
	p.dialing = false
	c.limit = p.links.options.WindowFrames
	if p.careful {
		c.limit, p.careful = 1, false
	}
	p.conns = append(p.conns, c)
	switch {
	case p.links.dials.Err() != nil:
		c.retireLocked(websocket.CloseGoingAway) // stop may have missed it
	case p.single && len(p.queue) == 0:
		c.retireLocked(websocket.CloseNormalClosure) // its attempt is over
	}
	p.mu.Unlock()
	c.run(p.links.base)
}

// waitTurn waits until the peer may be dialled, and reports whether somebody
// still waits for the connection.
func (p *pool) waitTurn() bool {
	p.mu.Lock()
	wait := time.Until(p.dialAt)
	p.mu.Unlock()
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.links.dials.Done():
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.links.dials.Err() != nil {
		p.dialing = false
		finish(p.failAll(stoppedFault()))
		return false
	}
	if len(p.queue) == 0 {
		p.dialing = false
		return false
	}
	return true
}

// notConnected has what waits for a connection fail, unless there are others.
func (p *pool) notConnected(fault *outbound.DeliveryError) {
	p.mu.Lock()
	p.dialing = false
	p.failed(time.Now())
	var all []*delivery
	if len(p.conns) == 0 {
		all = p.failAll(fault)
	}
	p.mu.Unlock()
	finish(all)
}

// failed counts a dial that failed or a connection that was lost, and puts off the
// next dial: full jitter, so that those whom one peer lost do not come back all at
// once. The caller holds mu.
func (p *pool) failed(now time.Time) {
	o := &p.links.options
	wait := o.MaxReconnectWait
	if p.failures < 16 {
		wait = min(o.ReconnectWait<<p.failures, wait)
	}
	p.failures++
	p.dialAt = now.Add(rand.N(wait + 1)) //nolint:gosec // no secret
}

// closeUnused closes the pool where nobody has used it for a while.
func (p *pool) closeUnused(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 && len(p.conns) == 0 && !p.dialing && now.Sub(later(p.used, p.dialAt)) > unusedFor {
		p.closed = true
	}
	return p.closed
}

// takeBack puts those deliveries of a lost connection into the queue that are to
// be written again, in front of all others, and returns the rest, which have ended.
// The caller holds mu.
func (p *pool) takeBack(lost []*delivery, e *ending, acks bool) []*delivery {
	var again, all []*delivery
	aboutOne := e.class == transport.Permanent
	alone := len(lost) == 1
	repeats := acks && (e.again || aboutOne) && p.links.base.Err() == nil
	for _, d := range lost {
		d.conn, d.ping, d.early, d.flushedAt = nil, 0, false, time.Time{}
		blamed := d.blamed(e, alone)
		if repeats && !blamed && d.replays < maxReplays {
			d.stage = queued
			d.replays++
			again = append(again, d)
			continue
		}
		d.fail(e.fault(blamed))
		all = append(all, d)
	}
	if acks && aboutOne && !alone {
		p.careful = true // to find out which of them it was
	}
	p.queue = slices.Concat(again, p.queue)
	return all
}

// dial connects, and makes a connection of it.
func (p *pool) dial(ctx context.Context) (*conn, *outbound.DeliveryError) {
	l := p.links
	taken, err := l.slots.take(ctx, p.tenant.profile.ID(), p.shake.host(), l.options.HandshakeTimeout)
	if err != nil && ctx.Err() == nil {
		return nil, refusal("dial", transport.Temporary, codeTooManyConns, err)
	}
	if err != nil {
		return nil, stoppedFault()
	}
	began := time.Now()
	ws, w, fault := p.shake.connect(ctx, p.tenant, &l.options, &l.buffers)
	l.metrics.handshake.Observe(time.Since(began))
	if fault != nil {
		l.slots.giveBack(taken)
		if ctx.Err() != nil {
			fault = stoppedFault()
		}
		return nil, fault
	}
	c := newConn(p, ws, w)
	l.slots.fill(taken, c)
	return c, nil
}

// later returns the later of two instants.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

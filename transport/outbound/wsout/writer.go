package wsout

import (
	"errors"
	"runtime"
	"strconv"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
)

const (
	// batchFrames is how many messages are written before the socket gets them,
	// where more come all the time.
	batchFrames = 256
	// ackPrefix begins the pings that acknowledge: a number follows. A receiver that
	// knows it pongs only when it has handled what came before.
	ackPrefix = "outrider:"
	// heartbeat is the payload of the other pings.
	heartbeat = "heartbeat"
)

// job is what the writer has to do next.
type job struct {
	frames []*delivery
	pongs  [][]byte
	close  int // close code; 0: none
	over   bool
}

func (j *job) isNothing() bool {
	return len(j.frames) == 0 && len(j.pongs) == 0 && j.close == 0 && !j.over
}

// write is the writer: it takes messages from the pool's queue, writes all there
// are, and flushes when there are no more.
func (c *conn) write() {
	timer := time.NewTimer(c.due(time.Now()))
	defer timer.Stop()
	var j job
	for {
		c.next(&j, true)
		var err error
		switch {
		case j.over:
			return
		case j.close != 0:
			c.sayClose(j.close)
			return
		case !j.isNothing():
			err = c.writeBatch(&j)
		default:
			select {
			case <-c.wake:
			case <-c.over:
				return
			case now := <-timer.C:
				err = c.beat(now)
				timer.Reset(c.due(now))
			}
		}
		if err != nil {
			c.end(endingOf(err, c.pool.tenant.codes))
			return
		}
	}
}

// next takes what there is to do. Where there is nothing and park is true, the
// writer is parked: whoever has something for it wakes it.
func (c *conn) next(j *job, park bool) {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	c.parked = false
	select { // a wake-up that came when it was no longer needed
	case <-c.wake:
	default:
	}
	*j = job{frames: j.frames[:0], pongs: j.pongs[:0], over: c.dead}
	if c.dead {
		return
	}
	for _, pong := range [...]*[]byte{&c.pong, &c.proof} {
		if *pong != nil {
			j.pongs, *pong = append(j.pongs, *pong), nil
		}
	}
	taken := 0
	for taken < batchFrames && taken < len(p.queue) && c.hasRoom(p.queue[taken]) {
		d := p.queue[taken]
		d.stage, d.conn = written, c
		c.window = append(c.window, d)
		c.bytes += d.size()
		j.frames = append(j.frames, d)
		taken++
	}
	p.dequeue(taken)
	if taken == 0 && c.retiring != 0 && (len(c.window) == 0 || c.settlesAtEnd()) {
		j.close = c.retiring
	}
	c.parked = park && j.isNothing()
}

// writeBatch writes messages, and those that come meanwhile, and flushes.
func (c *conn) writeBatch(j *job) error {
	frames, size := 0, 0
	for yielded := false; ; {
		for _, pong := range j.pongs {
			if err := c.control(websocket.PongMessage, pong); err != nil {
				return err
			}
		}
		for _, d := range j.frames {
			if err := c.writeFrame(d); err != nil {
				return err
			}
			size += d.size()
		}
		frames += len(j.frames)
		if frames >= batchFrames || size >= flushBytes {
			break
		}
		c.next(j, false)
		if j.isNothing() && !yielded {
			// Those whom the latest flush woke are about to send again: let them.
			runtime.Gosched()
			c.next(j, false)
			yielded = j.isNothing()
		}
		if j.over || len(j.frames) == 0 && len(j.pongs) == 0 {
			break
		}
	}
	return c.flush(frames > 0)
}

func (c *conn) control(kind int, payload []byte) error {
	return c.ws.WriteControl(kind, payload, time.Time{}) // the wire has deadlines of its own
}

// flush has the socket take what was written, with a ping behind it where pongs
// acknowledge.
func (c *conn) flush(messages bool) error {
	if messages && c.ack == AckPing {
		if err := c.control(websocket.PingMessage, c.numberPing()); err != nil {
			return err
		}
	}
	if err := c.wire.Flush(c.wire.timeout); err != nil {
		return err
	}
	if !messages {
		return nil
	}
	if c.ack == AckNone && !c.pool.single && c.wire.hungUp() {
		return errPeerGone // the kernel took the message, and nobody is there to read it
	}
	finish(c.flushed(time.Now()))
	return nil
}

// numberPing returns the payload of the ping behind all that is in the window.
func (c *conn) numberPing() []byte {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	c.ping++
	for i := len(c.window) - 1; i >= 0 && c.window[i].ping == 0; i-- {
		c.window[i].ping = c.ping
	}
	return strconv.AppendUint([]byte(ackPrefix), c.ping, 10)
}

// flushed notes that the socket has taken all that is in the window, and returns
// the results of what waits for no acknowledgement.
func (c *conn) flushed(now time.Time) (all []*delivery) {
	p := c.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.dead {
		return nil // its end has settled them
	}
	for i := len(c.window) - 1; i >= 0 && c.window[i].flushedAt.IsZero(); i-- {
		d := c.window[i]
		d.flushedAt = now
		p.links.metrics.write.Observe(now.Sub(d.queuedAt))
	}
	c.used = now
	switch {
	case c.settlesAtEnd():
		c.retireLocked(websocket.CloseNormalClosure)
	case c.ack == AckReply:
		for i := 0; i < len(c.window); i++ {
			if c.window[i].early {
				all = append(all, c.acknowledge(i, i+1, codeReply, now)...)
				i--
			}
		}
	case c.ack == AckNone:
		c.settle(c.window, transport.Written, "", now)
		c.settled = append(c.settled[:0], c.window...)
		all = c.settled
		clear(c.window)
		c.window = c.window[:0]
	}
	return all
}

// settlesAtEnd reports a connection whose message is settled by its closing
// handshake.
func (c *conn) settlesAtEnd() bool { return c.pool.single && c.ack == AckNone }

// due is how long the writer may wait before it must look after the connection.
func (c *conn) due(now time.Time) time.Duration {
	o := &c.pool.links.options
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	next := c.timed.Add(o.PingInterval)
	sooner := func(at time.Time) {
		if at.Before(next) {
			next = at
		}
	}
	if !c.stalled.Load() {
		sooner(c.heardAt().Add(o.PongTimeout))
	}
	if c.retiring == 0 {
		sooner(c.born.Add(c.age))
		if len(c.window) == 0 {
			sooner(c.used.Add(o.IdleTimeout))
		}
	}
	return max(next.Sub(now), time.Millisecond)
}

func (c *conn) heardAt() time.Time { return time.Unix(0, c.wire.heard.Load()) }

// beat pings the peer, gives a silent one up, and retires a connection that is
// idle or old.
func (c *conn) beat(now time.Time) error {
	o := &c.pool.links.options
	if now.Sub(c.heardAt()) >= o.PongTimeout && !c.stalled.Load() {
		return errSilent
	}
	c.retireIfDue(now)
	if now.Sub(c.timed) < o.PingInterval {
		return nil
	}
	c.timed = now
	if err := c.control(websocket.PingMessage, []byte(heartbeat)); err != nil {
		return err
	}
	return c.wire.Flush(c.wire.timeout)
}

// retireIfDue retires a connection that is old, or was idle for long.
func (c *conn) retireIfDue(now time.Time) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	idle := len(c.window) == 0 && now.Sub(c.used) >= c.pool.links.options.IdleTimeout
	if idle || now.Sub(c.born) >= c.age {
		c.retireLocked(websocket.CloseNormalClosure)
	}
}

// sayClose begins the closing handshake, and waits for the peer's part, which ends
// the connection.
func (c *conn) sayClose(code int) {
	c.said.Store(true) // before the peer can answer
	err := c.control(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
	if err == nil {
		err = c.wire.Flush(c.wire.timeout)
	}
	if err != nil && !errors.Is(err, websocket.ErrCloseSent) {
		c.end(endingOf(err, c.pool.tenant.codes))
		return
	}
	timer := time.NewTimer(c.pool.links.options.CloseTimeout)
	defer timer.Stop()
	select {
	case <-c.over:
	case <-timer.C:
		e := lost(codeConnectionClosed, errUnanswered)
		e.ours, e.clean = true, true
		c.end(e)
	}
}

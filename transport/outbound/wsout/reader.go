package wsout

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"go.uber.org/zap"

	"github.com/outrider-go/outrider/transport"
)

const (
	// inboxFrames is how many messages of the peer wait for OnFrame.
	inboxFrames = 16
	// overhead is what one message of the peer may take on the wire beyond four
	// times its limit, in bytes: fragments and control frames between them.
	overhead = 64 << 10
)

// read is the reader: it takes in what the peer sends until the connection ends.
// After its first error it never reads again.
func (c *conn) read(ctx context.Context) {
	c.ws.SetPingHandler(func(payload string) error { return c.pinged(ctx, payload) })
	defer func() {
		if c.inbox != nil {
			close(c.inbox)
		}
	}()
	for {
		if err := c.readMessage(ctx); err != nil {
			c.end(endingOf(err, c.pool.tenant.codes))
			return
		}
	}
}

// readMessage reads one message of the peer, and the control frames before it.
func (c *conn) readMessage(ctx context.Context) error {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return err
	}
	o := &c.pool.links.options
	c.wire.limit(4*int64(o.MaxInboundBytes) + overhead)
	defer func() { c.wire.limited = false }()
	// gorilla's limit counts what is on the wire, which may inflate to more.
	bounded := io.LimitReader(r, int64(o.MaxInboundBytes)+1)
	if c.ack != AckReply && o.OnFrame == nil {
		n, err := io.Copy(io.Discard, bounded)
		return c.tookIn(n, err)
	}
	payload, err := io.ReadAll(bounded)
	if err := c.tookIn(int64(len(payload)), err); err != nil {
		return err
	}
	f := Frame{Profile: c.pool.tenant.profile, Endpoint: c.pool.shake.endpoint, Text: kind == websocket.TextMessage, Payload: payload}
	if f.Text && !utf8.Valid(payload) {
		return errNotUTF8
	}
	if c.ack == AckReply && c.replied(ctx, f) || o.OnFrame == nil {
		return nil
	}
	return c.hand(ctx, arrival{frame: f})
}

// tookIn counts a message of the peer, unless it is too long or was cut short.
func (c *conn) tookIn(n int64, err error) error {
	if err == nil && n > int64(c.pool.links.options.MaxInboundBytes) {
		err = errTooLong
	}
	if err == nil {
		c.pool.links.metrics.collector.AddBytes(0, n)
	}
	return err
}

// arrival is a message of the peer, or a ping by which it asks whether those
// before have been handled.
type arrival struct {
	frame Frame
	ping  string // empty: it is a message
}

// hand puts what has come into the inbox. While that is full nothing is read, so
// that the peer is slowed down; but not for ever, since pings wait meanwhile.
func (c *conn) hand(ctx context.Context, a arrival) error {
	if c.inbox == nil {
		c.inbox = make(chan arrival, inboxFrames)
		if !c.pool.links.goes(func() { c.deliver(ctx) }) {
			return errClosedByUs
		}
	}
	select {
	case c.inbox <- a:
		return nil
	default:
	}
	c.stalled.Store(true)
	defer func() {
		c.wire.heard.Store(time.Now().UnixNano()) // nobody listened
		c.stalled.Store(false)
	}()
	timer := time.NewTimer(c.pool.links.options.FrameTimeout)
	defer timer.Stop()
	select {
	case c.inbox <- a:
		return nil
	case <-c.over:
		return errClosedByUs
	case <-timer.C:
		return errStuck
	}
}

// deliver calls OnFrame with what is in the inbox, until the reader closes it. A
// peer that asks whether all has been handled is told so; where that is not the
// case, the connection is closed in the place of an answer, and what comes yet is
// dropped: the peer will send it again.
func (c *conn) deliver(ctx context.Context) {
	failed, refused := false, false
	for a := range c.inbox {
		switch {
		case refused:
		case a.ping == "":
			failed = !c.callOnFrame(ctx, a.frame) || failed
		case failed:
			refused = true
			c.retire(websocket.CloseTryAgainLater)
		default:
			c.answer(&c.proof, a.ping)
		}
	}
}

// callOnFrame reports whether the message has been handled. It keeps a panic to
// the message that caused it: OnFrame is not ours, and must not take the process
// down.
func (c *conn) callOnFrame(ctx context.Context, f Frame) (handled bool) {
	log := c.pool.links.options.Logger.With(zap.String("profile", f.Profile.ID()), zap.Stringer("endpoint", f.Endpoint))
	defer func() {
		if value := recover(); value != nil {
			log.Error("OnFrame panicked", zap.String("value", fmt.Sprintf("%T", value)), zap.ByteString("stack", debug.Stack()))
		}
	}()
	if err := c.pool.links.options.OnFrame(ctx, f); err != nil {
		log.Warn("what a peer has sent on a connection to it is not handled", zap.Error(err))
		return false
	}
	return true
}

// pinged has a ping answered: at once, or in its turn where it asks whether the
// messages before it have been handled.
func (c *conn) pinged(ctx context.Context, payload string) error {
	if c.inbox != nil && strings.HasPrefix(payload, ackPrefix) {
		return c.hand(ctx, arrival{ping: payload})
	}
	c.answer(&c.pong, payload)
	return nil
}

// answer has the writer send a pong. Of several pings of a kind only the latest is
// answered, which RFC 6455 section 5.5.3 allows.
func (c *conn) answer(pong *[]byte, payload string) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	*pong = []byte(payload)
	c.wakeUp()
}

// ponged takes the acknowledgement in a pong: the peer has read what was written
// before the ping of that number.
func (c *conn) ponged(payload string) error {
	digits, ok := strings.CutPrefix(payload, ackPrefix)
	if !ok || c.ack != AckPing {
		return nil
	}
	number, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return nil //nolint:nilerr // a pong nobody asked for, which RFC 6455 section 5.5.3 allows
	}
	finish(c.acknowledged(number, time.Now()))
	return nil
}

// acknowledged settles what was written before the ping of that number.
func (c *conn) acknowledged(number uint64, now time.Time) []*delivery {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if number > c.ping {
		return nil // it was never sent
	}
	n := 0
	for n < len(c.window) && c.window[n].ping != 0 && c.window[n].ping <= number {
		n++
	}
	return c.acknowledge(0, n, codePong, now)
}

// replied takes the acknowledgement in a message of the peer, and reports whether
// it is one.
func (c *conn) replied(ctx context.Context, f Frame) bool {
	id, ok := c.replyID(ctx, f)
	if !ok {
		return false
	}
	all, known := c.acknowledgedBy(id, time.Now())
	finish(all)
	return known
}

func (c *conn) replyID(ctx context.Context, f Frame) (string, bool) {
	if own := c.pool.links.options.ReplyID; own != nil {
		return own(ctx, f)
	}
	if c.pool.tenant.pointer == nil {
		return strings.TrimSpace(string(f.Payload)), true
	}
	return c.pool.tenant.pointer.find(f.Payload)
}

// acknowledgedBy settles the message with that id or idempotency key, and reports
// whether it is known. One that is still being written is settled by the writer.
func (c *conn) acknowledgedBy(text string, now time.Time) (all []*delivery, known bool) {
	if text == "" {
		return nil, false
	}
	id, err := transport.ParseID(text)
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	for i, d := range c.window {
		switch {
		case (err != nil || d.id != id) && d.key != text:
		case d.flushedAt.IsZero():
			d.early = true
			return nil, true
		default:
			return c.acknowledge(i, i+1, codeReply, now), true
		}
	}
	return nil, false
}

// acknowledge settles part of the window, and lets others take its place. The
// caller holds the pool's mutex.
func (c *conn) acknowledge(from, to int, code string, now time.Time) []*delivery {
	if from == to {
		return nil
	}
	suspect := c.window[from].replays > 0
	all := slices.Clone(c.window[from:to])
	c.settle(all, transport.Acknowledged, code, now)
	c.window = append(c.window[:from], c.window[to:]...)
	clear(c.window[len(c.window) : len(c.window)+to-from])
	if most := c.pool.links.options.WindowFrames; !suspect {
		c.limit = min(2*c.limit, most)
	}
	c.pool.attend()
	if c.retiring != 0 && len(c.window) == 0 {
		c.wakeUp()
	}
	return all
}

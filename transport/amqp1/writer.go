package amqp1

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/Azure/go-amqp"
)

// writer is the goroutine that sends what a sender was given, one message after
// the other. No caller's deadline goes into go-amqp: it would become the socket's,
// and end the connection of everybody.
type writer struct {
	s        *Sender
	link     *senderLink                // nil while there is none
	kept     *connection                // of the link before, so that it stays for the next; or nil
	watched  atomic.Pointer[senderLink] // what the watchdog would close
	watchdog *time.Timer
	used     bool // since the last look

	refusal   *Error // of the peer, until then
	refusedAt time.Time
}

func newWriter(s *Sender) *writer {
	w := &writer{s: s}
	w.watchdog = time.AfterFunc(time.Hour, func() {
		if link := w.watched.Load(); link != nil {
			link.stall()
		}
	})
	w.watchdog.Stop()
	return w
}

// run writes until there has been nothing to do for a while.
func (w *writer) run() {
	defer w.watchdog.Stop()
	unused := time.NewTimer(w.s.container.options.UnusedTimeout)
	defer unused.Stop()
	for {
		var gone <-chan struct{}
		if w.link != nil {
			gone = w.link.view.done
		}
		select {
		case r := <-w.s.requests:
			w.used = true
			w.write(r)
		case <-gone:
			w.drop(w.link.lost("settle", false))
		case <-unused.C:
			if !w.used && w.park() {
				return
			}
			w.used = false
			unused.Reset(w.s.container.options.UnusedTimeout)
		case <-w.s.container.lifetime.Done():
			w.shutDown()
			return
		}
	}
}

// park ends the writer where nothing waits and nothing is in flight.
func (w *writer) park() bool {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	if len(w.s.requests) > 0 || w.s.window.inFlight() > 0 {
		return false
	}
	w.drop(nil)
	w.s.enter(Idle)
	w.s.writing = false
	return true
}

// shutDown fails what waits.
func (w *writer) shutDown() {
	w.s.mu.Lock()
	defer w.s.mu.Unlock()
	w.keep(nil)
	if link := w.link; link != nil {
		w.link = nil
		// The connection's close ends the link too, and a peer may leave the end of a
		// link unanswered.
		w.s.container.work.Go(func() { link.conn.pool.release(link.conn) })
	}
	w.s.enter(ShutDown)
	w.s.writing = false
	for {
		select {
		case r := <-w.s.requests:
			r.finish(answer{err: &Error{Op: "send", Kind: ErrClosed}})
		default:
			return
		}
	}
}

// drop lets go of the link. Why is nil where nothing is wrong; otherwise the
// connection stays for the next link.
func (w *writer) drop(why *Error) {
	link := w.link
	if link == nil {
		w.keep(nil)
		return
	}
	w.link = nil
	w.watched.Store(nil)
	if why == nil {
		w.keep(nil)
		w.s.container.work.Go(func() {
			endSession(link.conn, link.session)
			link.conn.pool.release(link.conn)
		})
		return
	}
	// A session that the peer has ended must be ended by us before another begins on
	// its channel: go-amqp has it for free already.
	endSession(link.conn, link.session)
	w.keep(link.conn)
	w.s.stats.lost(why)
	w.s.enter(Idle)
	w.s.container.emit(&w.s.pool.remote, &Event{Kind: LinkLost, Node: w.s.target.Address, Link: link.view.name, Err: why})
}

// keep holds on to a connection whose link has ended, in place of the one before.
func (w *writer) keep(conn *connection) {
	before := w.kept
	w.kept = conn
	if before != nil {
		w.s.container.work.Go(func() { before.pool.release(before) })
	}
}

// write sends a request, or answers why not. A link that has ended before anything
// of the message was written is replaced once.
func (w *writer) write(r *request) {
	for again := false; ; again = true {
		if r.fate.Load() == abandoned {
			return
		}
		fault := w.ready(r)
		if fault != nil {
			r.finish(answer{err: fault})
			return
		}
		if r.fate.Load() != taken && !r.fate.CompareAndSwap(waiting, taken) {
			return
		}
		fault, retry := w.transfer(r)
		if retry && !again {
			continue
		}
		if fault != nil {
			r.finish(answer{err: fault})
		}
		return
	}
}

// ready makes sure that there is a link with credit.
func (w *writer) ready(r *request) *Error {
	if w.link != nil && w.link.view.gone() {
		w.drop(w.link.lost("settle", false))
	}
	if w.link == nil {
		if fault := w.attach(); fault != nil {
			return fault
		}
	}
	if r.message == nil {
		r.finish(answer{link: w.link})
		return nil
	}
	return w.awaitCredit(r)
}

// awaitCredit waits until the peer takes a message. Nothing was sent meanwhile, so
// the caller may give up at any time.
func (w *writer) awaitCredit(r *request) *Error {
	left, changed := w.link.view.credit()
	if left > 0 {
		return nil
	}
	timer := time.NewTimer(time.Until(r.begun.Add(w.s.container.options.CreditTimeout)))
	defer timer.Stop()
	for left == 0 {
		select {
		case <-changed:
		case <-w.link.view.done:
			return nil // transfer finds out
		case <-r.cancel:
			return &Error{Op: "send", Kind: ErrNoCredit}
		case <-timer.C:
			return &Error{Op: "send", Kind: ErrNoCredit}
		case <-w.s.container.lifetime.Done():
			return &Error{Op: "send", Kind: ErrClosed}
		}
		left, changed = w.link.view.credit()
	}
	return nil
}

// transfer writes a message. The guard answers the request with the outcome, or when
// the link ends. retry where the link ended before anything was written.
func (w *writer) transfer(r *request) (fault *Error, retry bool) {
	link, m := w.link, r.message
	begun := link.view.begun.Load()
	w.watchdog.Reset(w.s.container.options.StallTimeout)
	err := link.write(r)
	w.watchdog.Stop()
	if err == nil {
		if w.s.container.options.OnEvent != nil {
			w.s.container.emit(&w.s.pool.remote, &Event{
				Kind: MessageOut, Node: w.s.target.Address, Link: link.view.name,
				Message: m, DeliveryTag: m.DeliveryTag,
			})
		}
		return nil, false
	}
	sent := link.view.begun.Load() != begun
	if !sent && !isEnd(err) {
		return messageError(err), false
	}
	fault = link.lost("send", sent)
	w.drop(fault)
	switch {
	case sent:
		return fault, false
	case fault.Condition.Bearing() == OfNode: // refused after all
		fault.Kind = ErrRefused
		w.refuse(fault)
		return fault, false
	}
	return fault, !link.stalled.Load()
}

// write hands a message to go-amqp, which returns when its last frame was written.
func (l *senderLink) write(r *request) error {
	if r.settled {
		err := l.sender.Send(context.Background(), r.message, &amqp.SendOptions{Settled: true})
		if err == nil {
			r.finish(answer{link: l})
		}
		return err
	}
	r.link.Store(l)
	l.view.expect(r)
	_, err := l.sender.SendWithReceipt(context.Background(), r.message, nil)
	if err != nil {
		l.view.expect(nil)
	}
	return err
}

// isEnd reports that the error is about the link and not about the message.
func isEnd(err error) bool {
	_, ofLink := errors.AsType[*amqp.LinkError](err)
	_, ofSession := errors.AsType[*amqp.SessionError](err)
	_, ofConn := errors.AsType[*amqp.ConnError](err)
	return ofLink || ofSession || ofConn
}

// messageError is about a message that cannot be encoded, or is too long for the
// link.
func messageError(err error) *Error {
	fault := &Error{Op: "send", Kind: ErrMessage, Err: err}
	fault.Condition, fault.Description = conditionOf(err)
	if fault.Condition != "" {
		fault.Err = nil
	}
	return fault
}

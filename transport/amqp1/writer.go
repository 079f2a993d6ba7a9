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
			w.drop(w.link.lost("settle", nil, false))
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
			r.done <- answer{err: &Error{Op: "send", Kind: ErrClosed}}
		default:
			return
		}
	}
}

// drop lets go of the link. Why is nil where nothing is wrong.
func (w *writer) drop(why *Error) {
	link := w.link
	if link == nil {
		return
	}
	w.link = nil
	w.watched.Store(nil)
	w.s.container.work.Go(func() {
		endSession(link.conn, link.session)
		link.conn.pool.release(link.conn)
	})
	if why != nil {
		w.s.stats.lost(why)
		w.s.enter(Idle)
		w.s.container.emit(&Event{Kind: LinkLost, Address: w.s.pool.remote.Address, Node: w.s.target.Address, Link: link.view.name, Err: why})
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
			w.answer(r, answer{err: fault})
			return
		}
		if r.fate.Load() != taken && !r.fate.CompareAndSwap(waiting, taken) {
			return
		}
		a, retry := w.transfer(r)
		if retry && !again {
			continue
		}
		w.answer(r, a)
		return
	}
}

// answer is given unless nobody waits for it.
func (w *writer) answer(r *request, a answer) {
	if r.fate.CompareAndSwap(waiting, taken) || r.fate.Load() == taken {
		r.done <- a
	}
}

// ready makes sure that there is a link with credit.
func (w *writer) ready(r *request) *Error {
	if w.link != nil && w.link.view.gone() {
		w.drop(w.link.lost("settle", nil, false))
	}
	if w.link == nil {
		if fault := w.attach(); fault != nil {
			return fault
		}
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

// transfer writes a message. retry where the link ended before that.
func (w *writer) transfer(r *request) (a answer, retry bool) {
	link := w.link
	begun := link.view.begun.Load()
	w.watchdog.Reset(w.s.container.options.StallTimeout)
	receipt, err := link.write(r)
	w.watchdog.Stop()
	if err == nil {
		w.s.container.emit(&Event{
			Kind: MessageOut, Address: w.s.pool.remote.Address, Node: w.s.target.Address, Link: link.view.name,
			Message: r.message, DeliveryTag: receipt.DeliveryTag(),
		})
		return answer{link: link, receipt: receipt}, false
	}
	sent := link.view.begun.Load() != begun
	if !sent && !isEnd(err) {
		return answer{err: messageError(err)}, false
	}
	fault := link.lost("send", err, sent)
	w.drop(fault)
	switch {
	case sent:
		return answer{err: fault}, false
	case fault.Condition.Bearing() == OfNode: // refused after all
		fault.Kind = ErrRefused
		w.refuse(fault)
		return answer{err: fault}, false
	}
	return answer{err: fault}, !link.stalled.Load()
}

// write hands a message to go-amqp, which returns when its last frame was written.
func (l *senderLink) write(r *request) (amqp.SendReceipt, error) {
	if !r.settled {
		return l.sender.SendWithReceipt(context.Background(), r.message, nil)
	}
	err := l.sender.Send(context.Background(), r.message, &amqp.SendOptions{Settled: true})
	return amqp.SendReceipt{}, err
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

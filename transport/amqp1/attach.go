package amqp1

import (
	"errors"
	"time"
)

// attach makes a link: on a connection there is, and when that turns out to be dead,
// once more on a new one.
func (w *writer) attach() *Error {
	if w.refusal != nil && time.Since(w.refusedAt) < w.s.container.options.RefusedFor {
		return w.refusal
	}
	w.s.enter(Connecting)
	fault := w.attachOnce(w.s.pool, w.s.target)
	if fault != nil && fault.elsewhere != nil { // followed once: peers may go round in circles
		remote, target := fault.elsewhere.follow(w.s.pool.remote, w.s.target)
		fault = w.attachOnce(w.s.container.pool(remote, false), target)
	} else if fault != nil && errors.Is(fault.Kind, ErrLost) {
		fault = w.attachOnce(w.s.pool, w.s.target)
	}
	if fault != nil {
		w.s.enter(Backoff)
		w.s.stats.fault(fault)
		if errors.Is(fault.Kind, ErrRefused) {
			w.refuse(fault)
		}
		return fault
	}
	w.refusal = nil
	w.s.stats.attached.Add(1)
	w.s.enter(Open)
	w.s.container.emit(&w.s.pool.remote, &Event{
		Kind: LinkReady, Node: w.s.target.Address,
		Link: w.link.view.name, Peer: &w.link.conn.info,
	})
	return nil
}

// refuse remembers that the peer does not want the link, so that not every message
// asks it again.
func (w *writer) refuse(fault *Error) { w.refusal, w.refusedAt = fault, time.Now() }

func (w *writer) attachOnce(p *pool, target Target) *Error {
	ctx := w.s.container.lifetime
	conn, err := p.acquire(ctx)
	w.keep(nil)
	if err != nil {
		return asError("dial", err)
	}
	link, fault := attachSender(ctx, conn, target)
	if fault != nil {
		w.s.container.work.Go(func() { p.release(conn) })
		return fault
	}
	w.link = link
	w.watched.Store(link)
	return nil
}

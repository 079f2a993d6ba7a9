package amqp1

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Sender is a supervised link to a target: it attaches when there is something to
// send, attaches again after a failure, and detaches when it was not used for a
// while. It never sends a message twice by itself.
type Sender struct {
	container *Container
	pool      *pool
	target    Target
	window    *window
	requests  chan *request
	state     atomic.Uint32 // an EndpointState
	stats     senderStats

	mu         sync.Mutex
	writing    bool    // a writer runs
	quarantine *Sender // where suspects go; made when there is one
}

// SendOptions of one message. The zero value is ready to use.
type SendOptions struct {
	// Settled sends the message as settled: at most once, and nothing is known of
	// its arrival. Default: the peer tells the outcome.
	Settled bool
	// Bytes is about how long the message is, for one whose body does not tell, such as
	// a message of package verbatim. Default: the length of its body.
	Bytes int
	// Key names the message over all its attempts. With it, a message on which the
	// peer fails is found out. Default: none.
	Key string
}

// request is a message on its way to the writer.
type request struct {
	message *Message // nil: only attach
	settled bool
	cancel  <-chan struct{} // closed when the caller gives up
	begun   time.Time
	fate    atomic.Int32               // waiting, taken, answered or abandoned
	link    atomic.Pointer[senderLink] // on which it is written
	done    chan answer                // has room for one
}

// The fates of a request.
const (
	waiting   = iota
	taken     // it is being written
	answered  // done has the answer, or is about to
	abandoned // by its caller, before it was taken
)

// answer is what became of a request.
type answer struct {
	outcome Outcome
	link    *senderLink // of a settled message, which has only been handed over, or of an attach
	err     *Error
}

// finish answers a request, unless its caller gave up before it was taken or it has an
// answer already.
func (r *request) finish(a answer) {
	if r.fate.CompareAndSwap(waiting, answered) || r.fate.CompareAndSwap(taken, answered) {
		r.done <- a
	}
}

func newSender(c *Container, p *pool, target Target) *Sender {
	number, bytes := target.Window, target.WindowBytes
	if number == 0 {
		number = DefaultWindow
	}
	if bytes == 0 {
		bytes = DefaultWindowBytes
	}
	return &Sender{
		container: c, pool: p, target: target,
		window: newWindow(number, bytes), requests: make(chan *request, number),
	}
}

// State returns the state of the link.
func (s *Sender) State() EndpointState { return EndpointState(s.state.Load()) } //nolint:gosec // only states are stored

func (s *Sender) enter(state EndpointState) {
	if EndpointState(s.state.Swap(uint32(state))) != state { //nolint:gosec // only states are stored
		s.container.emit(&s.pool.remote, &Event{Kind: StateChanged, Node: s.target.Address, State: state})
	}
}

// Send sends a message and waits for its outcome, until ctx ends. The message is
// not to be changed meanwhile, nor when ctx ended before the outcome was known.
//
// An outcome comes without an error, whichever it is: only the state Accepted means
// that the node has taken the message, and Written that it was sent as settled. An
// error is an [*Error]; its MaybeSent says whether the message may arrive all the
// same.
func (s *Sender) Send(ctx context.Context, m *Message, o SendOptions) (Outcome, error) {
	if !s.container.sends.Enter() {
		return Outcome{}, &Error{Op: "send", Kind: ErrClosed}
	}
	defer s.container.sends.Leave()
	deaths, suspect := s.container.suspects.known(o.Key)
	switch {
	case !suspect:
		outcome, fault := s.send(ctx, m, o)
		if fault != nil {
			return outcome, fault
		}
		return outcome, nil
	case deaths >= mostDeaths:
		return Outcome{}, &Error{Op: "send", Kind: ErrPeerFault}
	}
	outcome, fault := s.isolated().sendAlone(ctx, m, o)
	if fault != nil {
		return outcome, fault
	}
	return outcome, nil
}

// Attach attaches the link, where it is not, and returns what is known of it: to see
// whether sending would work, without a message.
func (s *Sender) Attach(ctx context.Context) (Attachment, error) {
	if !s.container.sends.Enter() {
		return Attachment{}, &Error{Op: "attach", Kind: ErrClosed}
	}
	defer s.container.sends.Leave()
	if err := s.window.acquire(ctx, 0); err != nil {
		return Attachment{}, &Error{Op: "attach", Kind: ErrStalled, Err: err}
	}
	defer s.window.release(0)
	r := &request{cancel: ctx.Done(), begun: time.Now(), done: make(chan answer, 1)}
	s.submit(r)
	select {
	case a := <-r.done:
		if a.err != nil {
			return Attachment{}, a.err
		}
		return a.link.attachment(), nil
	case <-ctx.Done():
		r.fate.CompareAndSwap(waiting, abandoned)
		return Attachment{}, &Error{Op: "attach", Kind: ErrStalled, Err: ctx.Err()}
	}
}

// isolated returns the sender on the connection for suspects.
func (s *Sender) isolated() *Sender {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quarantine == nil {
		target := s.target
		target.Window = 1
		s.quarantine = newSender(s.container, s.container.pool(s.pool.remote, true), target)
	}
	return s.quarantine
}

// sendAlone sends a suspect while nothing else is in flight on the connection. A
// peer that fails on it, and is there again at once, has failed on the message.
func (s *Sender) sendAlone(ctx context.Context, m *Message, o SendOptions) (Outcome, *Error) {
	select {
	case s.pool.alone <- struct{}{}:
		defer func() { <-s.pool.alone }()
	case <-ctx.Done():
		return Outcome{}, &Error{Op: "send", Kind: ErrStalled, Err: ctx.Err()}
	}
	outcome, fault := s.send(ctx, m, o)
	suspects := &s.container.suspects
	switch {
	case fault == nil:
		suspects.clear(o.Key)
	case fault.MaybeSent && errors.Is(fault, ErrLost) && !fault.Condition.blameless() && s.reachable():
		if suspects.died(o.Key) >= mostDeaths {
			fault.Kind, fault.Err = ErrPeerFault, nil
		}
	}
	return outcome, fault
}

// reachable reports whether the peer lets us connect now.
func (s *Sender) reachable() bool {
	ctx, cancel := context.WithTimeout(s.container.lifetime, s.container.options.OpenTimeout)
	defer cancel()
	conn, err := s.pool.acquire(ctx)
	if err != nil {
		return false
	}
	s.pool.release(conn)
	return true
}

// send sends a message with the others.
func (s *Sender) send(ctx context.Context, m *Message, o SendOptions) (Outcome, *Error) {
	size := o.Bytes
	if size == 0 {
		size = bodySize(m)
	}
	if err := s.window.acquire(ctx, size); err != nil {
		return Outcome{}, &Error{Op: "send", Kind: ErrStalled, Err: err}
	}
	r := &request{message: m, settled: o.Settled, cancel: ctx.Done(), begun: time.Now(), done: make(chan answer, 1)}
	s.submit(r)
	select {
	case a := <-r.done:
		return s.await(ctx, r, a, o, size)
	case <-ctx.Done():
	}
	if r.fate.CompareAndSwap(waiting, abandoned) {
		s.window.release(size)
		return Outcome{}, &Error{Op: "send", Kind: ErrStalled, Err: ctx.Err()}
	}
	if r.fate.Load() == answered {
		return s.await(ctx, r, <-r.done, o, size)
	}
	s.container.work.Go(func() { s.late(r, o, size) })
	return Outcome{}, &Error{Op: "send", Kind: ErrStalled, MaybeSent: true, Err: ctx.Err()}
}

// submit hands a request to the writer, and starts one where there is none.
func (s *Sender) submit(r *request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests <- r // has room: whoever submits is in the window
	if !s.writing {
		s.writing = true
		s.container.work.Go(func() { newWriter(s).run() })
	}
}

// await concludes a request that has an answer.
func (s *Sender) await(ctx context.Context, r *request, a answer, o SendOptions, size int) (Outcome, *Error) {
	defer s.window.release(size)
	if a.err != nil {
		fault := *a.err // a refusal is told to many
		if ctx.Err() != nil && errors.Is(fault.Kind, ErrNoCredit) {
			fault.Err = ctx.Err()
		}
		return Outcome{}, s.judge(&fault, o)
	}
	if a.link != nil {
		return s.awaitWritten(ctx, a.link, o)
	}
	s.settled(r, a.outcome, false)
	return a.outcome, nil
}

// awaitWritten waits until a settled message has left our buffers.
func (s *Sender) awaitWritten(ctx context.Context, l *senderLink, o SendOptions) (Outcome, *Error) {
	if err := l.conn.guard.out.written(ctx); err != nil {
		if ctx.Err() == nil {
			return Outcome{}, s.judge(l.lost("send", true), o)
		}
		return Outcome{}, &Error{Op: "send", Kind: ErrStalled, MaybeSent: true, Err: ctx.Err()}
	}
	outcome := Outcome{State: Written}
	s.stats.count(outcome)
	return outcome, nil
}

// settled counts and tells an outcome.
func (s *Sender) settled(r *request, outcome Outcome, late bool) {
	s.container.options.observe("settle", r.begun)
	s.stats.count(outcome)
	s.container.emit(&s.pool.remote, &Event{
		Kind: OutcomeKnown, Node: s.target.Address,
		Message: r.message, DeliveryTag: r.message.DeliveryTag, Outcome: outcome, Late: late,
	})
}

// late waits for the outcome of a message whose caller has given up. Its place in
// the window stays taken meanwhile. A peer that settles nothing at all is given up
// then, and the link with it.
func (s *Sender) late(r *request, o SendOptions, size int) {
	defer s.window.release(size)
	timer := time.NewTimer(s.container.options.OutcomeTimeout)
	defer timer.Stop()
	select {
	case a := <-r.done:
		switch {
		case a.err != nil:
			_ = s.judge(a.err, o)
		case a.link == nil:
			s.settled(r, a.outcome, true)
		}
	case <-timer.C:
		s.stats.unknown.Add(1)
		if l := r.link.Load(); l != nil && time.Since(time.Unix(0, l.view.settledAt.Load())) > s.container.options.OutcomeTimeout {
			l.stall()
		}
	}
}

// judge counts an error, and makes a message a suspect that was in flight when the
// link ended.
func (s *Sender) judge(fault *Error, o SendOptions) *Error {
	if fault.MaybeSent {
		s.stats.unknown.Add(1)
		if errors.Is(fault, ErrLost) && !fault.Condition.blameless() && !o.Settled {
			s.container.suspects.add(o.Key)
		}
	}
	s.stats.fault(fault)
	return fault
}

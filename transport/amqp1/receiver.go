package amqp1

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/go-amqp"
)

// Receiver is a supervised link from a source: it attaches when somebody receives,
// and again after a failure, until it is closed. It takes no goroutine of its own.
type Receiver struct {
	container *Container
	pool      *pool
	source    Source
	state     atomic.Uint32
	turn      chan struct{} // has room for one: who attaches
	fetching  chan struct{} // has room for one: who has the credit of a fetch
	closed    chan struct{}
	closing   sync.Once

	mu       sync.Mutex // guards what follows
	link     *receiverLink
	refusal  *Error
	failures int       // attaches in a row that failed or did not last
	since    time.Time // of the last attach, or of its failure
}

// receiverLink is one attach of a receiver.
type receiverLink struct {
	conn     *connection
	session  *amqp.Session
	receiver *amqp.Receiver
	name     string
	address  string

	worked   atomic.Bool // a message came
	modifies bool        // the peer knows the outcome modified

	mu     sync.Mutex
	credit int // given and not used up by those who receive
}

// Receiver returns a new receiver from a source, which is to be closed. It connects
// when it receives first.
func (c *Container) Receiver(remote Remote, source Source) (*Receiver, error) {
	if err := errors.Join(remote.validate(), source.Validate()); err != nil {
		return nil, fmt.Errorf("amqp1 receiver: %w", err)
	}
	r := &Receiver{
		container: c, pool: c.pool(remote, false), source: source.withDefaults(),
		turn: make(chan struct{}, 1), fetching: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	c.receivers[r] = struct{}{}
	return r, nil
}

// State returns the state of the link.
func (r *Receiver) State() EndpointState { return EndpointState(r.state.Load()) } //nolint:gosec // only states are stored

func (r *Receiver) enter(state EndpointState) {
	if EndpointState(r.state.Swap(uint32(state))) != state { //nolint:gosec // only states are stored
		r.container.emit(&r.pool.remote, &Event{Kind: StateChanged, Node: r.source.Address, State: state})
	}
}

// Address returns the address of the source: the peer's name for it, where the source
// is dynamic and the link attached.
func (r *Receiver) Address() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.link != nil {
		return r.link.address
	}
	return r.source.Address
}

// Receive returns the next message. It waits until ctx ends, through any number of
// connections that are lost or cannot be made; each is told as an event. Several
// goroutines may receive at once.
//
// It returns an error when the peer refuses the link or our credentials; received
// again it tries again, after Options.RefusedFor. After Close the error is ErrClosed.
func (r *Receiver) Receive(ctx context.Context) (*Delivery, error) {
	for {
		l, err := r.attached(ctx)
		if err != nil {
			return nil, err
		}
		m, err := r.next(ctx, l)
		switch {
		case err == nil && m != nil:
			l.worked.Store(true)
			return newDelivery(l, m), nil
		case ctx.Err() != nil:
			return nil, &Error{Op: "receive", Kind: ErrStalled, Err: ctx.Err()}
		}
		fault := l.conn.lost("receive", err)
		r.drop(l, fault)
		if !l.worked.Load() && fault.Condition.Bearing() == OfNode { // refused after all
			fault.Kind = ErrRefused
			return nil, r.failed(fault)
		}
	}
}

// next takes a message from a link, and sees to its credit.
func (r *Receiver) next(ctx context.Context, l *receiverLink) (*amqp.Message, error) {
	if !r.source.Fetch {
		m, err := l.receiver.Receive(ctx, nil)
		if err == nil {
			err = l.used(r.source)
		}
		return m, err
	}
	// A drain takes back all the credit of the link, also that of another fetch.
	select {
	case r.fetching <- struct{}{}:
		defer func() { <-r.fetching }()
	case <-ctx.Done():
		return nil, errNothing
	}
	if m := l.receiver.Prefetched(); m != nil {
		return m, nil
	}
	if err := l.receiver.IssueCredit(1); err != nil {
		return nil, err
	}
	m, err := l.receiver.Receive(ctx, nil)
	if err == nil || ctx.Err() == nil {
		return m, err
	}
	return r.takeBack(l)
}

// takeBack takes the credit of a fetch back. A message may come at the last moment; a
// peer that does not answer, as many do not, loses the link.
func (r *Receiver) takeBack(l *receiverLink) (*amqp.Message, error) {
	ctx, cancel := context.WithTimeout(r.container.lifetime, closeWait)
	defer cancel()
	err := l.receiver.DrainCredit(ctx, nil)
	if m := l.receiver.Prefetched(); m != nil {
		return m, nil
	}
	if err != nil {
		r.drop(l, nil)
	}
	return nil, errNothing
}

var errNothing = errors.New("nothing came in time")

// used counts a message that somebody took, and gives the peer more credit when little
// is left.
func (l *receiverLink) used(s Source) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.credit--
	if l.credit > s.CreditThreshold {
		return nil
	}
	return l.give(s)
}

// give fills up the credit, for those who hold the lock.
func (l *receiverLink) give(s Source) error {
	more := s.Credit - l.credit
	l.credit = s.Credit
	return l.receiver.IssueCredit(uint32(more)) //nolint:gosec // 1 to 5000
}

// attached returns the link, and attaches one where there is none.
func (r *Receiver) attached(ctx context.Context) (*receiverLink, error) {
	if l := r.current(); l != nil {
		return l, nil
	}
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return nil, &Error{Op: "attach", Kind: ErrStalled, Err: ctx.Err()}
	case <-r.closed:
		return nil, &Error{Op: "receive", Kind: ErrClosed}
	}
	for {
		if l := r.current(); l != nil {
			return l, nil
		}
		if err := r.rest(ctx); err != nil {
			return nil, err
		}
		fault := r.attach()
		if fault == nil {
			continue
		}
		r.enter(Backoff)
		if isRefusal(fault) {
			return nil, fault
		}
	}
}

func (r *Receiver) current() *receiverLink {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.link
}

// rest waits as long as the failures before ask for, and until a dial is allowed where
// one is needed: a receiver that came too early would only wait longer.
func (r *Receiver) rest(ctx context.Context) error {
	r.mu.Lock()
	wait := time.Duration(0)
	switch {
	case r.refusal != nil:
		wait = time.Until(r.since.Add(r.container.options.RefusedFor))
	case r.failures > 1: // the first attach after a failure is made at once
		wait = time.Until(r.since.Add(jitter(r.failures - 2)))
	}
	r.mu.Unlock()
	timer := time.NewTimer(max(wait, r.pool.untilDial()))
	defer timer.Stop()
	select {
	case <-r.closed:
	case <-r.container.lifetime.Done():
	case <-ctx.Done():
		return &Error{Op: "attach", Kind: ErrStalled, Err: ctx.Err()}
	case <-timer.C:
		select {
		case <-r.closed:
		case <-r.container.lifetime.Done():
		default:
			return nil
		}
	}
	return &Error{Op: "receive", Kind: ErrClosed}
}

// attach makes a link, on any connection there is.
func (r *Receiver) attach() *Error {
	r.enter(Connecting)
	conn, err := r.pool.acquire(r.container.lifetime)
	if err != nil {
		return r.failed(asError("dial", err))
	}
	l, fault := attachReceiver(r.container.lifetime, conn, r.source)
	if fault != nil {
		r.pool.release(conn)
		return r.failed(fault)
	}
	r.mu.Lock()
	r.link, r.refusal, r.since = l, nil, time.Now()
	r.mu.Unlock()
	r.enter(Open)
	r.container.emit(&r.pool.remote, &Event{Kind: LinkReady, Node: l.address, Link: l.name, Peer: &conn.info})
	select {
	case <-r.closed: // meanwhile
		r.drop(l, nil)
	default:
	}
	return nil
}

func (r *Receiver) failed(fault *Error) *Error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	r.since, r.refusal = time.Now(), nil
	if isRefusal(fault) {
		r.refusal = fault
	}
	return fault
}

// isRefusal reports that the peer would say the same again.
func isRefusal(fault *Error) bool {
	return errors.Is(fault, ErrRefused) || errors.Is(fault, ErrSASL) || errors.Is(fault, ErrProtocol)
}

// attachReceiver begins a session and attaches a receiver in it.
func attachReceiver(ctx context.Context, conn *connection, source Source) (*receiverLink, *Error) {
	began := time.Now()
	session, fault := beginSession(ctx, conn)
	if fault != nil {
		return nil, fault
	}
	options := conn.pool.container.options
	ctx, cancel := context.WithTimeout(ctx, options.AttachTimeout)
	defer cancel()
	name := source.LinkName
	if name == "" {
		name = linkName(conn.pool.remote.ContainerID, source.Address)
	}
	receiver, err := session.NewReceiver(ctx, source.Address, source.options(name))
	options.observe("attach", began)
	if err != nil {
		fault := attachError(ctx, conn, err)
		endSession(conn, session)
		return nil, fault
	}
	l := &receiverLink{conn: conn, session: session, receiver: receiver, name: name, address: receiver.Address()}
	known := conn.guard.outcomes(name)
	l.modifies = len(known) == 0 || slices.Contains(known, "amqp:modified:list")
	if !source.Fetch {
		if err := l.give(source); err != nil {
			endSession(conn, session)
			return nil, conn.lost("attach", err)
		}
	}
	return l, nil
}

// drop lets go of a link, once. The session is ended and the link in it not closed: a
// durable subscription stays. Why is nil where nothing is wrong.
func (r *Receiver) drop(l *receiverLink, why *Error) {
	r.mu.Lock()
	mine := r.link == l
	if mine {
		r.link = nil
		if why == nil || time.Since(r.since) > healthyAfter {
			r.failures = 0
		}
		if why != nil {
			r.failures++
		}
	}
	r.mu.Unlock()
	if !mine {
		return
	}
	if why != nil {
		r.enter(Idle)
		r.container.emit(&r.pool.remote, &Event{Kind: LinkLost, Node: l.address, Link: l.name, Err: why})
	}
	endSession(l.conn, l.session)
	r.pool.release(l.conn)
}

// Close ends the link. Messages that are not settled are delivered again, to us or to
// others; what was received stays to be read. Again it does nothing.
func (r *Receiver) Close() {
	r.closing.Do(func() {
		close(r.closed)
		if l := r.current(); l != nil {
			r.drop(l, nil)
		}
		r.enter(ShutDown)
		r.container.mu.Lock()
		defer r.container.mu.Unlock()
		delete(r.container.receivers, r)
	})
}

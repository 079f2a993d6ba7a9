package inbound

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Why the manager ends a session, for SessionOptions.End.
var (
	ErrSessionClosed  = errors.New("the session was closed by an operator")
	ErrSessionExpired = errors.New("the session has reached its greatest age")
)

// ErrLasting is for [Manager.CloseSession]: no peer has opened the session, or its
// transport cannot end it by itself. Neither does it end at Options.MaxSessionAge.
var ErrLasting = errors.New("the session cannot be closed: it lasts as long as its transport, or the message it was opened for")

// SessionOptions say what a connection can do. The zero value is a connection
// that nothing can be written to.
type SessionOptions struct {
	// Replies is how many messages can be written to it: 0 none, negative any
	// number.
	Replies int
	// Ready is called when there is something to [Session.Pop] again. It must not
	// wait. Default: nobody is told, and the transport uses [Session.Await].
	Ready func()
	// End is called, once and on a goroutine that holds no lock, when the manager
	// wants the connection to end. It must not wait. Default: Await tells; without
	// Replies there is nothing to await, and the manager leaves the session open.
	End func(reason error)
	// MaxMessageBytes bounds one message, for [Session.Read]. Default: 2 MiB.
	MaxMessageBytes int
	// HandlerWait is how long a message waits for a handler to be free before it is
	// ErrBusy. Default: as long as the context of Receive allows.
	HandlerWait time.Duration
	// WireFormat is the name of the connection's own wire format. Default: the
	// transport's.
	WireFormat string
}

// canEnd reports whether the manager can end the session.
func (o *SessionOptions) canEnd() bool { return o.End != nil || o.Replies != 0 }

// DefaultMaxMessageBytes is the longest message where nothing is said: ACA-Py's.
const DefaultMaxMessageBytes = 2 << 20

// Session is one connection, from when it opens until it closes: a WebSocket, or
// one HTTP request. What it takes of the messages for its peers it learns from
// what these send. Its methods may be called from any goroutine.
type Session struct {
	id      string
	manager *Manager
	host    *host
	origin  *Origin
	options SessionOptions
	opened  time.Time

	received, sent atomic.Int64
	holding        atomic.Int64 // bytes that count against Options.MaxBytes

	mu       sync.Mutex
	routes   []route
	first    [1]route // of routes: most sessions have no other
	profiles []string // it counts against their limits
	out      outbox
	left     int           // messages that it still takes; negative: any number
	refused  []address     // whose messages found no room; they are told when there is some
	promised time.Time     // Await waits until then for what was announced
	signal   chan struct{} // closed when Await is to look again; nil: it does not wait
	ending   error         // the manager wants it to end
	closed   bool
}

// ID names the session. It is never used again.
func (s *Session) ID() string { return s.id }

// Origin says where the session comes from.
func (s *Session) Origin() *Origin { return s.origin }

// Pop returns the next message to write, and nil where there is none.
func (s *Session) Pop() *Outgoing {
	s.mu.Lock()
	next, refused := s.out.pop(), s.readmit()
	s.mu.Unlock()
	for _, at := range refused {
		s.manager.arrived(at)
	}
	return next
}

// readmit returns whose messages found no room, once there is much again: for each
// message that fits, somebody looks through what waits. mu is held.
func (s *Session) readmit() (refused []address) {
	if s.refused != nil && s.out.half(&s.manager.options) {
		refused, s.refused = s.refused, nil
	}
	return refused
}

// Await returns the next message to write. Where none waits but one has been
// announced (see [Manager.Reaches]), it waits for that, at most
// Options.ReplyWait. When it returns nil there will be none: the session takes
// nothing any more.
func (s *Session) Await(ctx context.Context) *Outgoing {
	for {
		next, wait, signal := s.look(ctx)
		if wait <= 0 {
			return next
		}
		timer := time.NewTimer(wait)
		select {
		case <-signal:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// look returns the next message, or for how long to wait for one.
func (s *Session) look(ctx context.Context) (next *Outgoing, wait time.Duration, signal <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if first := s.out.pop(); first != nil {
		return first, 0, nil
	}
	if !s.promised.IsZero() && s.left != 0 && s.ending == nil && ctx.Err() == nil {
		if wait = time.Until(s.promised); wait > 0 {
			s.signal = make(chan struct{})
			return nil, wait, s.signal
		}
	}
	s.left = 0
	return nil, 0, nil
}

// wake tells the transport to look again. No lock is held.
func (s *Session) wake() {
	if s.options.Ready != nil {
		s.options.Ready()
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.signal != nil {
		close(s.signal)
		s.signal = nil
	}
}

// end asks the transport to end the connection, once.
func (s *Session) end(reason error) {
	s.mu.Lock()
	again := s.closed || s.ending != nil
	if !again {
		s.ending = reason
	}
	s.mu.Unlock()
	switch {
	case again:
	case s.options.End != nil:
		s.options.End(reason)
	default:
		s.wake()
	}
}

// put adds a message to be written, and reports false where the session does not
// take it: it is closed, full, or has no such route. Nil needs no route. Whose
// message found it full is told when there is room again, as of an arrival.
func (s *Session) put(o *Outgoing, takes func(*route) bool) bool {
	s.mu.Lock()
	ok := s.open() && s.anyRoute(takes)
	if ok && !s.out.fits(len(o.Frame.Body), &s.manager.options) {
		ok = false
		s.rememberRefused(takes)
	}
	if ok {
		s.out.push(o)
		if s.left > 0 {
			s.left--
		}
	}
	s.mu.Unlock()
	if ok {
		s.wake()
	}
	return ok
}

// rememberRefused remembers whose message found no room: there are no more of them
// than routes. mu is held.
func (s *Session) rememberRefused(takes func(*route) bool) {
	for i := range s.routes {
		r := &s.routes[i]
		at := address{r.profile, r.key}
		if takes != nil && r.key != "" && takes(r) && !slices.Contains(s.refused, at) {
			s.refused = append(s.refused, at)
		}
	}
}

// open reports whether the session takes messages at all. mu is held.
func (s *Session) open() bool { return !s.closed && s.ending == nil && s.left != 0 }

// anyRoute reports whether there is such a route. mu is held.
func (s *Session) anyRoute(takes func(*route) bool) bool {
	if takes == nil {
		return true
	}
	for i := range s.routes {
		if takes(&s.routes[i]) {
			return true
		}
	}
	return false
}

// routeOf returns the route of a peer, nil where it has sent nothing yet. mu is
// held.
func (s *Session) routeOf(profile, key string) *route {
	for i := range s.routes {
		if r := &s.routes[i]; r.key == key && r.profile == profile {
			return r
		}
	}
	return nil
}

// withdraw takes a message back that nobody has begun to write.
func (s *Session) withdraw(o *Outgoing) bool {
	s.mu.Lock()
	removed, refused := s.out.remove(o), s.readmit()
	s.mu.Unlock()
	for _, at := range refused {
		s.manager.arrived(at)
	}
	return removed
}

// reaches reports whether the session takes a message for the peer now. If it can
// answer once, it is held open for that.
func (s *Session) reaches(profile string, to *transport.Peer) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.open() || !s.anyRoute(func(r *route) bool { return r.serves(profile, to) }) {
		return false
	}
	if s.left > 0 {
		s.promised = time.Now().Add(s.manager.options.ReplyWait)
	}
	return true
}

// Close ends the session, when the connection has ended or is about to. What was
// not written goes elsewhere. It may be called twice.
func (s *Session) Close() {
	unwritten, was := s.manager.sessions.remove(s)
	if !was {
		return
	}
	s.manager.buffered.Add(-s.holding.Swap(0))
	for _, o := range unwritten {
		o.Done(transport.None, ErrUnwritten)
	}
	s.manager.sessionClosed(s)
}

// countSent counts a message that was written.
func (s *Session) countSent(f *wireformat.Frame) {
	s.sent.Add(1)
	s.host.sent(len(f.Body))
}

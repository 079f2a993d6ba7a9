package inbound

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Reaches reports whether a session of the peer takes a message now: the session
// it names, or any other on which one of its keys has asked for messages. It does
// not wait. Where the session can answer once only, an HTTP request that is not
// answered yet, it is held open for the message, at most Options.ReplyWait.
func (m *Manager) Reaches(profile string, to transport.Peer) bool {
	to.Keys = transport.PeerKeys(to.Keys)
	all, _ := m.sessions.find(profile, &to)
	for _, s := range all {
		if s.reaches(profile, &to) {
			return true
		}
	}
	return false
}

// Deliver writes a message to one of the peer's sessions: the one that the peer
// names, else the others, oldest first. A peer named by a session alone has only
// that. It returns when the message is written or, where the session has
// acknowledgements, acknowledged.
//
// transport.ErrNoSession and transport.ErrSessionGone say that nothing was sent;
// after any other error the message may have arrived. f stays as it is until it is
// written, though ctx may have ended before.
func (m *Manager) Deliver(ctx context.Context, profile string, to transport.Peer, id transport.ID, f wireformat.Frame) (transport.Evidence, error) {
	to.Keys = transport.PeerKeys(to.Keys)
	var tried []*Session
	for {
		next, named := m.nextSession(profile, &to, tried)
		if next == nil && len(to.Keys) == 0 && (named == nil || named.spent()) {
			return transport.None, transport.ErrSessionGone
		}
		if next == nil {
			return transport.None, transport.ErrNoSession
		}
		evidence, err := next.deliver(ctx, profile, &to, id, f)
		if !errors.Is(err, ErrUnwritten) {
			return evidence, err
		}
		if ctx.Err() != nil {
			return transport.None, fmt.Errorf("%w: %w", transport.ErrNoSession, context.Cause(ctx))
		}
		tried = append(tried, next)
	}
}

// nextSession returns the first session for the peer that was not tried, nil where
// there is none, and the one that the peer names. They are looked up each time: the
// message may have waited in the last one for long.
func (m *Manager) nextSession(profile string, to *transport.Peer, tried []*Session) (next, named *Session) {
	all, named := m.sessions.find(profile, to)
	for _, s := range all {
		if !slices.Contains(tried, s) {
			return s, named
		}
	}
	return nil, named
}

type outcome struct {
	evidence transport.Evidence
	err      error
}

// deliver has a message written to the session. The error wraps ErrUnwritten where
// nothing of it was.
func (s *Session) deliver(ctx context.Context, profile string, to *transport.Peer, id transport.ID, f wireformat.Frame) (transport.Evidence, error) {
	result := make(chan outcome, 1)
	o := &Outgoing{ID: id, Frame: f}
	o.done = func(evidence transport.Evidence, err error) {
		if err == nil {
			s.countSent(&o.Frame)
		}
		result <- outcome{evidence, err}
	}
	if !s.put(o, func(r *route) bool { return r.serves(profile, to) }) {
		return transport.None, ErrUnwritten
	}
	select {
	case r := <-result:
		return r.evidence, r.err
	case <-ctx.Done():
	}
	if s.withdraw(o) {
		return transport.None, fmt.Errorf("%w: %w", ErrUnwritten, context.Cause(ctx))
	}
	select {
	case r := <-result: // at the last moment
		return r.evidence, r.err
	default:
		return transport.None, fmt.Errorf("the session has not confirmed the message in time: %w", context.Cause(ctx))
	}
}

// spent reports whether the session will never take a message again.
func (s *Session) spent() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.open()
}

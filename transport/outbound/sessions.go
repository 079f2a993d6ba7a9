package outbound

import (
	"context"
	"errors"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Sessions are the connections that peers have opened and on which they take
// messages: package inbound has them. Its methods may be called from any
// goroutine.
type Sessions interface {
	// Reaches reports whether a session of the peer takes a message now. It does
	// not wait, and does no I/O. A session that is about to close, since the peer
	// waits for nothing else, stays open a moment for the message.
	Reaches(profile string, to transport.Peer) bool

	// Deliver writes a message to one of the peer's sessions: the one that the peer
	// names, else the others, oldest first. It returns when the message is
	// written, or, where the session has acknowledgements, acknowledged.
	// transport.ErrNoSession and transport.ErrSessionGone say that nothing was
	// sent; after any other error the message may have arrived.
	Deliver(ctx context.Context, profile string, to transport.Peer, id transport.ID, f wireformat.Frame) (transport.Evidence, error)
}

// nobody is the Sessions of a manager that has none.
type nobody struct{}

func (nobody) Reaches(string, transport.Peer) bool { return false }

func (nobody) Deliver(context.Context, string, transport.Peer, transport.ID, wireformat.Frame) (transport.Evidence, error) {
	return transport.None, transport.ErrNoSession
}

// peerTransport delivers to peers on the sessions they have open. Every manager
// has one: a session that was lost with the process must not leave behind
// messages that nobody ends.
type peerTransport struct{ sessions Sessions }

// Schemes implements [Transport].
func (*peerTransport) Schemes() []string {
	return []string{transport.SchemeSession, transport.SchemePickup}
}

// Start implements [Transport].
func (*peerTransport) Start(context.Context) error { return nil }

// Stop implements [Transport].
func (*peerTransport) Stop(context.Context) error { return nil }

// MaxEvidence implements [EvidenceLimiter].
func (*peerTransport) MaxEvidence() transport.Evidence { return transport.Acknowledged }

// CheckMessage implements [Checker].
func (t *peerTransport) CheckMessage(_ context.Context, m *Message) error {
	if _, err := transport.ParsePeer(m.Endpoint); err != nil {
		return &FieldError{"endpoint", err}
	}
	return nil
}

// HandleMessage implements [Transport]. A message that waits to be picked up finds
// its destination away where the peer has no session; any other has failed for
// good, so that it goes on to its next target.
func (t *peerTransport) HandleMessage(ctx context.Context, m *Message) (Receipt, error) {
	fault := &DeliveryError{Op: "deliver", Transport: "session", Endpoint: m.Endpoint, Class: transport.Permanent, Code: "no-session"}
	peer, err := transport.ParsePeer(m.Endpoint)
	if err != nil {
		fault.Code, fault.Err = "bad-peer", err
		return Receipt{}, fault
	}
	evidence, err := t.sessions.Deliver(ctx, m.Profile.ID(), peer, m.ID, wireformat.Frame{
		ContentType: m.ContentType, Text: m.Text, Header: m.Metadata, Body: m.Payload,
	})
	switch {
	case err == nil:
		return Receipt{Evidence: evidence, Code: evidence.String()}, nil
	case errors.Is(err, transport.ErrNoSession):
		fault.Away = m.Endpoint.Scheme() == transport.SchemePickup
	case !errors.Is(err, transport.ErrSessionGone):
		fault.Class, fault.Code, fault.MaybeSent = transport.Unknown, "session-lost", true
	}
	fault.Err = err
	return Receipt{}, fault
}

// reaches reports whether the peer that a leased message is for has a session.
func (m *Manager) reaches(leased *queue.Leased) bool {
	e, err := transport.ParseEndpoint(leased.URI.Reveal())
	if err != nil {
		return false
	}
	peer, err := transport.ParsePeer(e)
	return err == nil && m.options.Sessions.Reaches(leased.Lane.Profile, peer)
}

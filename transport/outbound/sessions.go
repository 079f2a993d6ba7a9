package outbound

import (
	"context"

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

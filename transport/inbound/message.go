package inbound

import (
	"context"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Names of the metadata by which a message in a plain format says what a message
// in an envelope says inside. They are HTTP headers, too; on a WebSocket the first
// two hold for every message, when the handshake has them.
const (
	HeaderReturnRoute = "Return-Route" // none, all or thread
	HeaderThreadID    = "Thread-Id"
	HeaderMessageID   = "Message-Id"
)

// Handler gets each message, once its profile is known and it is parsed. A nil
// error takes responsibility for it: only then is the sender told so.
//
// A reply, where there is one, is written to the session the message came from,
// unless the peer said that it takes none (Receipt.ReturnRoute is "none"): then,
// and where it cannot be written, it goes to Options.Unsent.
//
// An error is one of this package's, or wraps one: the peer is told which, and
// nothing else. Any other error counts as a failure of ours.
//
// ctx ends after Options.HandlerTimeout, and with the hard stop; it does not end
// because the peer has hung up. Many goroutines call a handler at once. The
// message is the handler's to keep; what its Origin refers to is shared.
type Handler func(ctx context.Context, m *Message) (*Reply, error)

// Message is one that came in.
type Message struct {
	// ID is the sender's own where that is a UUID, and zero otherwise.
	// Receipt.MessageID is what the sender has written, of whatever kind: copies of
	// one message are known by it.
	ID      transport.ID
	Profile *profile.Profile // whom it is for
	Session string           // id of the session it came by
	// Peer is the key by which the sender is reached on the session: the one that
	// the wire format has proven, else what the connection has. Empty: the sender
	// has proven nothing, and is reached by the session alone.
	Peer   string
	Origin *Origin

	Payload     []byte
	ContentType string
	Text        bool
	Metadata    transport.Metadata
	// Receipt is what the wire format learnt. Where that says nothing of the
	// return route, the thread or the message's id, the metadata does.
	Receipt    wireformat.Receipt
	ReceivedAt time.Time
	// Frame is the message as it came.
	Frame wireformat.Frame
}

// Reply is what a handler answers.
type Reply struct {
	// ID is the message's own; the peer sees it where the transport can carry it.
	// Default: a new one.
	ID          transport.ID
	Payload     []byte
	ContentType string // default: the wire format's
	Text        bool
	Metadata    transport.Metadata
	// Target is whom to encode it for. Default: the sender of the message, from
	// its recipient.
	Target wireformat.Target
	// WireFormat is the name of the format to encode it with. Default: the one
	// that the message came in.
	WireFormat string
}

package wireformat

import (
	"context"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// Format is a wire format: ACA-Py's BaseWireFormat.
type Format interface {
	// Name is what messages, profiles and configuration call it, such as "raw".
	Name() string
	// MediaTypes it reads. The first is what it emits where it decides that. None
	// for a format that leaves the content type to the payload and recognises its
	// frames by their header, as a [Sniffer].
	MediaTypes() []string
	// Encode makes the bytes for the wire. It keeps no reference to m's maps.
	Encode(ctx context.Context, p *profile.Profile, m Message, to Target) (Frame, error)
	// Parse reads what Encode makes, and Stamp where the format is a [Stamper].
	Parse(ctx context.Context, p *profile.Profile, f Frame) (Message, Receipt, error)
}

// Message is what a format encodes: the caller's payload and what is known of it.
type Message struct {
	ID          transport.ID
	ContentType string // empty: the caller did not say
	Text        bool   // the payload was given as text
	Payload     []byte
	Metadata    transport.Metadata
}

// Target is whom the message is for, as far as the format needs to know: keys
// by their text (a verkey, a did:key, a DID URL).
type Target struct {
	Recipients []string
	Routing    []string // in the order of the format: of Aries outermost last, of DIDComm v2 first
	Sender     string
}

// Frame is what goes on the wire.
type Frame struct {
	ContentType string
	Text        bool              // text frame where the transport has both kinds
	Header      map[string]string // joins the message's metadata; nil for most formats
	Body        []byte
}

// Receipt is what a format learnt while it parsed a message.
type Receipt struct {
	Format            string // name of the format that parsed it
	Sender, Recipient string // keys, where the format has them
	Signed            bool
	// Authenticated: nobody but the sender, or who has the recipient's key, can have
	// made the message. It is signed, or encrypted with the sender's key.
	Authenticated bool
	// MessageID is the sender's own id as it is written, of whatever kind; a UUID is in
	// Message.ID, too. Empty: the format has none.
	MessageID      string
	ThreadID       string
	ParentThreadID string
	// ReturnRoute is "none", "all" or "thread"; empty counts as none.
	ReturnRoute string
}

// Return route values of DIDComm's ~transport decorator (Aries RFC 0092).
const (
	ReturnRouteNone   = "none"
	ReturnRouteAll    = "all"
	ReturnRouteThread = "thread"
)

// DirectResponseRequested reports whether the sender waits for the reply on the
// connection it used.
func (r *Receipt) DirectResponseRequested() bool {
	return r.ReturnRoute == ReturnRouteAll || r.ReturnRoute == ReturnRouteThread
}

// Recipienter is a Format that can tell for whose keys a frame is meant without
// reading it: ACA-Py's get_recipient_keys.
type Recipienter interface {
	RecipientKeys(f Frame) ([]string, error)
}

// Sniffer is a Format that recognises its frames. It is asked only where the
// content type is missing or generic, or, if it has no media type of its own, where
// no other format has the frame's.
type Sniffer interface {
	Sniff(f Frame) bool
}

// Sharer is a Format whose frames can be good for more than one message: those of a
// batch that differ by their endpoints only are then encoded once. It is asked of
// the format that was chosen, and not of one that it wraps.
type Sharer interface {
	// Shares reports that m's frame says nothing of m.ID, nor of the time of m.
	Shares(m Message) bool
}

// Stamper is a Format that adds to each attempt what is bound to its time. It
// must not change f.Body's bytes in place; f.Header is the attempt's own.
type Stamper interface {
	Stamp(ctx context.Context, p *profile.Profile, f *Frame, a Attempt) error
}

// Attempt is what a Stamper knows of the attempt.
type Attempt struct {
	ID     transport.ID
	Number int // from 1
	At     time.Time
}

package outbound

import (
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Message is one payload for one endpoint. Callers fill the first part and hand
// it to [Manager.Send]; the manager fills the second for the transport. The
// slices and maps in it belong to the manager from then on.
type Message struct {
	// Endpoint is where the payload goes. Required, but for a message to a recipient
	// that has a session or picks up.
	Endpoint transport.Endpoint
	// Payload is what is delivered; it may be empty.
	Payload []byte
	// Text says that the payload is text: a WebSocket text frame, and JSON where
	// no content type says otherwise.
	Text bool
	// ContentType is the payload's media type, of at most 256 bytes. Default: by Text.
	ContentType string
	// Metadata travels beside the payload: as headers over HTTP.
	Metadata transport.Metadata
	// Profile is the tenant that sends. Default: the default profile.
	Profile *profile.Profile
	// WireFormat is the name of the format to encode with. Default: the
	// transport's, then the profile's, then raw.
	WireFormat string
	// Target is whom the payload is for, where the wire format needs to know.
	Target wireformat.Target
	// Session is the id of the inbound session that the message answers: it is tried
	// first, then the recipient's others, then the endpoint. Sessions of the
	// recipients in Target are tried in any case.
	Session string
	// ThreadID is the thread the message belongs to: some sessions take only their
	// own threads.
	ThreadID string
	// SessionOnly has the message go to a session or nowhere: ACA-Py's
	// to_session_only.
	SessionOnly bool
	// Direct has the message go to its endpoint also where the profile routes to an
	// external queue: a webhook, for one.
	Direct bool
	// IdempotencyKey, when set, makes later messages of the profile with the same
	// key duplicates of this one, whatever else is in them, as long as the store knows
	// the key: a day by default. At most 256 bytes.
	IdempotencyKey string
	// Retry is the message's own policy. Default: the profile's, then the manager's.
	Retry *RetryPolicy
	// NotBefore is the earliest instant of the first attempt. Default: now.
	NotBefore time.Time
	// ExpiresAt is when the message is no longer worth delivering. Default: never.
	ExpiresAt time.Time
	// Priority puts the message before others that wait for the same destination.
	// It does not hurry a destination. Default: queue.PriorityNormal.
	Priority queue.Priority
	// OrderingKey, when set, has the messages of the profile to one destination that
	// have the same key attempted one at a time, in the order in which they were
	// accepted. At most 256 bytes.
	OrderingKey string
	// OnBlocked is what those behind the message do while it waits for a retry.
	// Default: BlockedWait.
	OnBlocked OnBlocked
	// MinEvidence is the least that counts as delivered. An attempt that succeeds
	// with less has failed, as one whose answer was lost, and is retried. Default:
	// the profile's, then whatever the transport gives.
	MinEvidence transport.Evidence
	// Alternates are where the message goes instead, in this order, when Endpoint
	// fails for good, or as often as RetryPolicy.FailoverAfter says. They may have
	// other schemes; the payload is encoded once, as it is for Endpoint. At most 8.
	Alternates []transport.Endpoint

	// ID names the message, the same on every attempt. Set by the manager.
	ID transport.ID
	// Attempt is the number of this attempt, from 1. Set by the manager.
	Attempt int
	// QueuedAt is when the message was enqueued or replayed. Set by the manager.
	QueuedAt time.Time
}

// Accepted is what [Manager.Send] returns: the message is in the store.
type Accepted struct {
	ID     transport.ID
	Status Status
	// Duplicate: a message with the idempotency key was known; ID names it, also where
	// it is no longer kept, Status is the last it had, and nothing was enqueued.
	Duplicate bool
}

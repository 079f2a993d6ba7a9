package queue

import (
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Lane names the queue of one destination within one profile.
type Lane struct {
	Profile     string // the profile's id
	Destination string // as transport.Endpoint.Destination gives it
}

// Message is what is to be delivered, encoded already, and where to. Of it only
// the target ever changes. A store takes over its slices and maps; the caller no
// longer changes them.
type Message struct {
	// ID comes from the store's NewID.
	ID transport.ID
	// Lane is the queue the message waits in.
	Lane Lane
	// Endpoint is the redacted text, which listings show and filter by.
	Endpoint string
	// URI is the whole endpoint, with its secrets.
	URI transport.Secret
	// Targets are all the places the message may go to, where it is more than one,
	// in the order of preference. Lane, Endpoint and URI are those of Targets[Target].
	Targets []Target
	// Target is the index of the target in turn. An [Outcome] changes it.
	Target int
	// Format is the name of the wire format that made Payload.
	Format string
	// ContentType is the payload's media type.
	ContentType string
	// Text says that Payload is text: a WebSocket text frame, for one.
	Text bool
	// Payload is what goes on the wire.
	Payload []byte
	// Metadata travels beside the payload.
	Metadata transport.Metadata
	// IdempotencyKey, when set, makes a second message of the same profile with
	// the same key a duplicate of the first.
	IdempotencyKey string
	// Retry is the text of the message's own retry policy; empty is the profile's.
	Retry string
	// NotBefore is the earliest instant of the first attempt; zero is now.
	NotBefore time.Time
	// ExpiresAt is when the message is no longer worth delivering; zero is never.
	ExpiresAt time.Time
	// Priority puts the message before others of its lane that are due.
	Priority Priority
	// OrderingKey, when set, has the messages of a lane with the same key attempted
	// one at a time, in the order of their ids. See [Store.Lease].
	OrderingKey string
	// SkipBlocked has a message with an OrderingKey give up its turn while it waits
	// for a retry. A store keeps it for the one who makes the outcomes; the turn
	// passes with [Outcome].Skip alone.
	SkipBlocked bool
	// MinEvidence is the least that counts as delivered: an attempt that succeeds
	// with less is to be made again. Zero is what the transport gives.
	MinEvidence transport.Evidence
}

// Target is a place a message may go to.
type Target struct {
	Lane     Lane             // of the message's profile
	Endpoint string           // the redacted text
	URI      transport.Secret // the whole endpoint
}

// Retarget makes the target with that index the message's place. An index that
// the message does not have changes nothing.
func (m *Message) Retarget(index int) {
	if index < 0 || index >= len(m.Targets) {
		return
	}
	t := m.Targets[index]
	m.Target, m.Lane, m.Endpoint, m.URI = index, t.Lane, t.Endpoint, t.URI
}

// Size is what the message counts against byte limits: the payload and what
// travels with it.
func (m *Message) Size() int64 {
	size := len(m.Payload) + len(m.IdempotencyKey)
	if len(m.Metadata) > 0 { // most have none, and are asked for often
		for name, value := range m.Metadata {
			size += len(name) + len(value)
		}
	}
	return int64(size)
}

// State is the queue's view of a record. The words are ACA-Py's.
type State string

// The states. The first two are over before a store sees the message: a message
// is new until it has been checked, and in encode while its wire format runs.
const (
	StateNew     State = "new"
	StateEncode  State = "encode"
	StatePending State = "pending" // waits for its first attempt, or for pick-up
	StateDeliver State = "deliver" // leased: an attempt is under way
	StateRetry   State = "retry"   // waits for another attempt
	StateDone    State = "done"    // has a Result
)

// Result is how a record ended. It is empty until the state is done.
type Result string

// The results.
const (
	Delivered Result = "delivered"
	Dead      Result = "dead" // kept, can be replayed
	Cancelled Result = "cancelled"
	Expired   Result = "expired"
)

// The statuses that a store sets by itself; all others come with outcomes. They
// are two of package outbound's words.
const (
	StatusQueued        = "queued_for_delivery" // enqueued or replayed
	StatusUndeliverable = "undeliverable"       // ended by Expire
)

// Record is what the store keeps of a message.
type Record struct {
	Message
	State  State
	Result Result
	// Status is the OutboundSendStatus the sender was told last.
	Status string
	// Evidence is the strongest that an attempt brought.
	Evidence transport.Evidence
	// Attempts counts the attempts since the message was enqueued or replayed: the
	// leases that were settled, but for those released. One that ran out does not
	// count.
	Attempts int
	// Replays counts how often the message was replayed.
	Replays int
	// CreatedAt is when the message was enqueued.
	CreatedAt time.Time
	// QueuedAt is when it was enqueued or last replayed: its age counts from here.
	QueuedAt time.Time
	// UpdatedAt is when the record last changed; once it is done, when it ended.
	UpdatedAt time.Time
	// NextAt is when the next attempt is due; zero when none is: while the record
	// is leased or parked, and once it is done.
	NextAt time.Time
	// Behind says that another message has the turn in its ordering key: it is not
	// leased before that one has given up its turn, whatever NextAt says.
	Behind bool
	// LastError is the text of the last attempt's error, without secrets.
	LastError string
	// Bytes is the message's Size, also where the payload is left out.
	Bytes int64
}

// Attempt is one entry of a message's log: one call of a transport.
type Attempt struct {
	N int // counts from 1 over the message's whole life, replays included
	// Target is the index of the target it went to; 0 for a message without Targets.
	Target    int
	StartedAt time.Time
	Duration  time.Duration
	Class     transport.Class
	Evidence  transport.Evidence
	// Code is the protocol's own word: "503", "amqp:link:detach-forced".
	Code string
	// Error is empty for a success. It holds no secrets.
	Error string
	// Note is what the transport remarked: "response body cut short".
	Note string
	// Response is the start of what the peer answered.
	Response []byte
}

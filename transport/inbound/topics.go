package inbound

import (
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Topics of the events about a message. Their payload is a [MessageEvent].
const (
	TopicReceived = "inbound-message::received" // and handled
	TopicRefused  = "inbound-message::refused"
	// TopicUnsent: a reply was not written to the session. It was given to
	// Options.Unsent; where that failed too, or there is none, it is lost, and the
	// event has an Error.
	TopicUnsent = "inbound-message::unsent"
)

// Topics of the events about a session. Their payload is a [SessionEvent].
const (
	TopicSessionOpened = "session::opened"
	TopicSessionClosed = "session::closed"
)

// Topics of the events about a transport, the same as for those of the other
// direction. Their payload is a [TransportEvent].
const (
	TopicTransportStarted = "transport::started"
	TopicTransportStopped = "transport::stopped"
)

// MessageEvent is the payload of the events about a message.
type MessageEvent struct {
	ID      transport.ID `json:"id,omitzero"`
	Session string       `json:"session"`
	Scheme  string       `json:"scheme"`
	Remote  string       `json:"remote"`
	Profile string       `json:"profile,omitempty"`
	Peer    string       `json:"peer,omitempty"`
	Thread  string       `json:"thread,omitempty"`
	Format  string       `json:"format,omitempty"`
	Bytes   int          `json:"bytes"`
	// HandledMS is how long it took from the frame to the handler's end.
	HandledMS float64 `json:"handled_ms,omitempty"`
	// Refusal is what the peer was told, and Error what it was not told.
	Refusal Refusal `json:"refusal,omitempty"`
	Error   string  `json:"error,omitempty"`
}

// SessionEvent is the payload of the events about a session.
type SessionEvent struct {
	Session string    `json:"session"`
	Scheme  string    `json:"scheme"`
	Remote  string    `json:"remote"`
	Opened  time.Time `json:"opened"`
	// Received and Sent count messages.
	Received int64 `json:"received,omitempty"`
	Sent     int64 `json:"sent,omitempty"`
	// Reason is why the manager ended it; empty where the peer or the transport did.
	Reason string `json:"reason,omitempty"`
}

// TransportEvent is the payload of the events about a transport.
type TransportEvent struct {
	Transport string   `json:"transport"` // its name, which is its scheme: "http"
	Schemes   []string `json:"schemes"`
	Address   string   `json:"address,omitempty"`
}

package outbound

import (
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Topics of the events about a message, beside the five of [Status.Topic]. Their
// payload is a [MessageEvent].
const (
	TopicDelivered     = topicOfMessages + "delivered"
	TopicAttemptFailed = topicOfMessages + "attempt_failed"
	TopicRetrying      = topicOfMessages + "retrying"
	TopicFailedOver    = topicOfMessages + "failed_over"
	TopicDead          = topicOfMessages + "dead"
	TopicExpired       = topicOfMessages + "expired"
	TopicCancelled     = topicOfMessages + "cancelled"
)

// Topics of the events about a transport, about its connections, where it keeps
// some, and about a destination. Their payloads are a [TransportEvent], a
// [ConnectionEvent] and a [DestinationEvent].
const (
	TopicTransportStarted     = "transport::started"
	TopicTransportStopped     = "transport::stopped"
	TopicConnected            = "transport::connected"
	TopicDisconnected         = "transport::disconnected"
	TopicDestinationPaused    = "destination::paused"
	TopicDestinationResumed   = "destination::resumed"
	TopicDestinationFailing   = "destination::failing"
	TopicDestinationRecovered = "destination::recovered"
)

// MessageEvent is the payload of the events about a message.
type MessageEvent struct {
	ID       transport.ID       `json:"id"`
	Profile  string             `json:"profile"`
	Endpoint string             `json:"endpoint"` // redacted
	Status   Status             `json:"status,omitempty"`
	Attempt  int                `json:"attempt,omitempty"` // since the message was queued, from 1
	Evidence transport.Evidence `json:"evidence,omitzero"`
	Class    transport.Class    `json:"class,omitempty"`
	Code     string             `json:"code,omitempty"`
	Error    string             `json:"error,omitempty"`
	NextAt   time.Time          `json:"next_at,omitzero"`
	// NextEndpoint is where the message goes now, after it failed over; redacted.
	NextEndpoint string  `json:"next_endpoint,omitempty"`
	LatencyMS    float64 `json:"latency_ms,omitempty"` // from queued to delivered
}

// TransportEvent is the payload of the events about a transport.
type TransportEvent struct {
	Transport string   `json:"transport"` // its name: "http"
	Schemes   []string `json:"schemes"`
}

// ConnectionEvent is the payload of the events about a connection.
type ConnectionEvent struct {
	Transport string `json:"transport"` // "ws", "amqp"
	Profile   string `json:"profile"`
	Endpoint  string `json:"endpoint"` // redacted
	// Code says why the connection is gone: the peer's own word, or the transport's.
	// Empty where it was closed on purpose.
	Code string `json:"code,omitempty"`
}

// DestinationEvent is the payload of the events about a destination.
type DestinationEvent struct {
	Profile     string `json:"profile"`
	Destination string `json:"destination"`
	// Percent is how much of Options.FailureBudget a failing destination has spent:
	// 0, 50, 70, 90 or 100.
	Percent int `json:"percent,omitempty"`
	// Failures is how many attempts have failed in a row, and Since when the first
	// of them ended. The first is lost with the process, the second is not.
	Failures int       `json:"failures,omitempty"`
	Since    time.Time `json:"since,omitzero"`
	// Class and Error are of the latest of them. The text holds no secrets.
	Class transport.Class `json:"class,omitempty"`
	Error string          `json:"error,omitempty"`
	// PausedUntil is set while it is paused. queue.Forever: until it is resumed.
	PausedUntil time.Time `json:"paused_until,omitzero"`
	Reason      string    `json:"reason,omitempty"` // of the pause
}

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

// Topics of the events about a transport and about a destination. Their payloads
// are a [TransportEvent] and a [DestinationEvent].
const (
	TopicTransportStarted   = "transport::started"
	TopicTransportStopped   = "transport::stopped"
	TopicDestinationPaused  = "destination::paused"
	TopicDestinationResumed = "destination::resumed"
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
	Transport string   `json:"transport"`
	Schemes   []string `json:"schemes"`
}

// DestinationEvent is the payload of the events about a destination.
type DestinationEvent struct {
	Profile     string    `json:"profile"`
	Destination string    `json:"destination"`
	Until       time.Time `json:"until,omitzero"` // queue.Forever: until it is resumed
	Reason      string    `json:"reason,omitempty"`
}

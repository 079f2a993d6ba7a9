package agent

import (
	"encoding/json"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

// SendRequest is the body of POST /v1/messages, and each line of a batch.
type SendRequest struct {
	Endpoint       string            `json:"endpoint,omitempty"`
	Payload        *string           `json:"payload,omitempty"`        // text
	PayloadBase64  []byte            `json:"payload_base64,omitempty"` // bytes
	ContentType    string            `json:"content_type,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Profile        string            `json:"profile,omitempty"`
	WireFormat     string            `json:"wire_format,omitempty"`
	IdempotencyKey string            `json:"idempotency_key,omitempty"`
	NotBefore      time.Time         `json:"not_before,omitzero"`
	ExpiresIn      string            `json:"expires_in,omitempty"` // a duration such as "90s"
	Retry          string            `json:"retry,omitempty"`      // a retry policy's text
	Alternates     []string          `json:"alternates,omitempty"` // endpoints to fail over to
	Priority       string            `json:"priority,omitempty"`   // low, normal or high
	OrderingKey    string            `json:"ordering_key,omitempty"`
	OnBlocked      string            `json:"on_blocked,omitempty"`   // wait or skip
	MinEvidence    string            `json:"min_evidence,omitempty"` // written, acknowledged or accepted

	// Whom it is for: keys by their text. They choose sessions and pickups, and wire
	// formats encrypt to them.
	Recipients  []string `json:"recipients,omitempty"`
	RoutingKeys []string `json:"routing_keys,omitempty"`
	SenderKey   string   `json:"sender_key,omitempty"`
	// Session is the id of the session that the message answers.
	Session     string `json:"session,omitempty"`
	ThreadID    string `json:"thread_id,omitempty"`
	SessionOnly bool   `json:"session_only,omitempty"` // to a session, or nowhere
	Direct      bool   `json:"direct,omitempty"`       // not by the profile's external queue
}

// SendResponse answers a SendRequest.
type SendResponse struct {
	ID        transport.ID `json:"id"`
	Status    string       `json:"status"`
	Duplicate bool         `json:"duplicate,omitempty"`
	// Result is how the message that a duplicate repeats has ended, while that is
	// kept.
	Result queue.Result `json:"result,omitempty"`
}

// MessageView is a message as the API shows it.
type MessageView struct {
	ID           transport.ID       `json:"id"`
	Status       string             `json:"status"`
	State        queue.State        `json:"state"`
	Result       queue.Result       `json:"result,omitempty"`
	Evidence     transport.Evidence `json:"evidence"`
	Endpoint     string             `json:"endpoint"` // redacted
	Profile      string             `json:"profile"`
	WireFormat   string             `json:"wire_format"`
	ContentType  string             `json:"content_type,omitempty"`
	Bytes        int64              `json:"bytes"`         // against limits: encoded payload, metadata and idempotency key
	AttemptsMade int                `json:"attempts_made"` // since queued or replayed
	Replays      int                `json:"replays,omitempty"`
	CreatedAt    time.Time          `json:"created_at"`
	UpdatedAt    time.Time          `json:"updated_at"`
	// NextAttemptAt is left out where none is due, and where nobody knows when what
	// it waits for ends.
	NextAttemptAt time.Time `json:"next_attempt_at,omitzero"`
	// WaitingFor is what holds it back beyond its own time, until WaitingUntil where
	// that is known.
	WaitingFor   outbound.WaitingFor `json:"waiting_for,omitempty"`
	WaitingUntil time.Time           `json:"waiting_until,omitzero"`
	ExpiresAt    time.Time           `json:"expires_at,omitzero"`
	LastError    string              `json:"last_error,omitempty"`
	// Alternates are its other targets, redacted, in the order of preference; Endpoint
	// is the one in turn.
	Alternates  []string           `json:"alternates,omitempty"`
	Priority    queue.Priority     `json:"priority,omitzero"` // left out where it is normal
	OrderingKey string             `json:"ordering_key,omitempty"`
	OnBlocked   outbound.OnBlocked `json:"on_blocked,omitempty"` // left out where it is wait
	MinEvidence transport.Evidence `json:"min_evidence,omitzero"`
	// Attempts is left out of listings.
	Attempts []AttemptView `json:"attempts,omitempty"`
	// Payload or PayloadBase64, encoded, is there where ?payload=true asks for it by id,
	// and Metadata then has the names of the metadata: its values are secrets.
	// PayloadRemoved is true instead where the store has let go of both.
	Payload        *string           `json:"payload,omitempty"`
	PayloadBase64  []byte            `json:"payload_base64,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	PayloadRemoved bool              `json:"payload_removed,omitempty"`
}

// AttemptView is one attempt as the API shows it.
type AttemptView struct {
	N          int       `json:"n"`
	StartedAt  time.Time `json:"started_at"`
	DurationMS float64   `json:"duration_ms"`
	// Endpoint is where it went, redacted; left out where the message has no alternates.
	Endpoint string             `json:"endpoint,omitempty"`
	Class    transport.Class    `json:"class"`
	Code     string             `json:"code,omitempty"`
	Error    string             `json:"error,omitempty"`
	Note     string             `json:"note,omitempty"`
	Evidence transport.Evidence `json:"evidence"`
	// Response is the start of what the peer answered. It may repeat the payload, and
	// is there where ?payload=true asks for that.
	Response string `json:"response,omitempty"`
}

// MessagePage answers GET /v1/messages and, with only the ids that changed, the
// bulk operations.
type MessagePage struct {
	Messages []MessageView `json:"messages"`
	Cursor   string        `json:"cursor,omitempty"` // for the next page; empty: this was the last
}

// StatsView answers GET /v1/stats.
type StatsView struct {
	Messages MessageCounts `json:"messages"`
	InFlight int           `json:"in_flight"`
	// Destinations counts those that are paused or fail.
	Destinations outbound.DestinationCounts `json:"destinations"`
	Transports   []TransportStatsView       `json:"transports"`
	Receivers    []ReceiverStatsView        `json:"receivers"`
}

// MessageCounts counts messages by state and result.
type MessageCounts struct {
	Pending       int64   `json:"pending"`
	Deliver       int64   `json:"deliver"`
	Retry         int64   `json:"retry"`
	Delivered     int64   `json:"delivered"`
	Dead          int64   `json:"dead"`
	Cancelled     int64   `json:"cancelled"`
	Expired       int64   `json:"expired"`
	Bytes         int64   `json:"bytes"` // of those that are not done
	OldestSeconds float64 `json:"oldest_seconds"`
}

// TransportStatsView is the collector of a transport by which messages leave.
type TransportStatsView struct {
	Transport string         `json:"transport"` // its name: "http"
	Schemes   []string       `json:"schemes"`
	Stats     stats.Snapshot `json:"stats"`
}

// ReceiverStatsView is the collector of a transport by which messages come in.
type ReceiverStatsView struct {
	Transport string `json:"transport"` // its scheme
	// Address is where it receives, redacted. The receiver "answers" has none: it gets
	// what peers say on connections that were opened to deliver to them.
	Address string         `json:"address,omitempty"`
	Stats   stats.Snapshot `json:"stats"`
}

// DestinationView is a destination of a profile.
type DestinationView struct {
	Profile     string    `json:"profile"`
	Destination string    `json:"destination"`
	Paused      bool      `json:"paused"`
	PausedUntil time.Time `json:"paused_until,omitzero"` // where it is paused: none means until it is resumed
	Reason      string    `json:"reason,omitempty"`      // of the pause
	// Breaker is closed, open or half-open; an open one lets an attempt through at
	// OpenUntil.
	Breaker   outbound.BreakerState `json:"breaker"`
	OpenUntil time.Time             `json:"open_until,omitzero"`
	// Failures is how many attempts have failed in a row since the agent began, and
	// FailingSince when the first of them did; Class and Error are of the latest.
	Failures     int             `json:"failures,omitempty"`
	FailingSince time.Time       `json:"failing_since,omitzero"`
	Class        transport.Class `json:"class,omitempty"`
	Error        string          `json:"error,omitempty"`
	InFlight     int             `json:"in_flight,omitempty"`
	// RatePerSecond and Burst bound its attempts; 0: nothing does.
	RatePerSecond float64 `json:"rate_per_second,omitempty"`
	Burst         int     `json:"burst,omitempty"`
}

// DestinationTestView answers POST /v1/destinations/test: what came of the attempt.
type DestinationTestView struct {
	outbound.DestinationTest

	DurationMS float64 `json:"duration_ms"`
}

// Problem is an error as RFC 9457 has it.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Field  string `json:"field,omitempty"` // of the request
	Line   int    `json:"line,omitempty"`  // of a batch, from 1
}

// BatchResponse answers a batch: one SendResponse for each line, in their order.
type BatchResponse struct {
	Messages []SendResponse `json:"messages"`
}

// EventView is the data of a server-sent event. Its topic "missed" tells that there
// were events that the listener did not get: see MissedView.
type EventView struct {
	Topic   string          `json:"topic"`
	Time    time.Time       `json:"time"`
	Payload json.RawMessage `json:"payload"`
}

// MissedView is the payload of an EventView with the topic "missed".
type MissedView struct {
	Count uint64 `json:"count,omitempty"` // events, of whatever topic; 0: nobody knows, the agent was started anew
	Hint  string `json:"hint"`            // what to do
}

// DestinationsView answers GET /v1/destinations.
type DestinationsView struct {
	Destinations []DestinationView `json:"destinations"`
}

// SessionsView answers GET /v1/sessions.
type SessionsView struct {
	Sessions []inbound.SessionInfo `json:"sessions"`
}

// SessionClosing answers POST /v1/sessions/{id}/close: the session is ending.
type SessionClosing struct {
	ID string `json:"id"`
}

// PickupsView answers GET /v1/pickups.
type PickupsView struct {
	Pickups []PickupView `json:"pickups"`
}

// PickupView is what waits for one recipient. GET /v1/messages?endpoint= lists the
// messages.
type PickupView struct {
	Profile    string    `json:"profile"`
	Endpoint   string    `json:"endpoint"`
	Recipients []string  `json:"recipients"` // keys, any of which picks it up; none where the endpoint cannot be read
	Messages   int64     `json:"messages"`
	Bytes      int64     `json:"bytes"`
	Oldest     time.Time `json:"oldest,omitzero"` // when the first of them was queued
}

// PauseRequest is the body of POST /v1/destinations/pause and, without For, of
// POST /v1/destinations/resume and POST /v1/destinations/test.
type PauseRequest struct {
	Profile     string `json:"profile,omitempty"` // default: the default profile
	Destination string `json:"destination"`       // or any endpoint of it
	For         string `json:"for,omitempty"`     // a duration; default: until it is resumed
}

// HealthView answers /livez and /readyz.
type HealthView struct {
	Status string `json:"status"`           // "ok", or "unavailable"
	Reason string `json:"reason,omitempty"` // why it is not "ok"
}

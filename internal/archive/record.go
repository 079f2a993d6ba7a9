package archive

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
)

// text is a string that is kept whatever is in it: JSON has UTF-8 alone.
type text string

type raw struct {
	Base64 []byte `json:"base64"`
}

// MarshalJSON implements json.Marshaler.
func (t text) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(t)) {
		return json.Marshal(string(t))
	}
	return json.Marshal(raw{[]byte(t)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(from []byte) error {
	if len(from) > 0 && from[0] == '{' {
		var r raw
		err := json.Unmarshal(from, &r)
		*t = text(r.Base64)
		return err
	}
	return json.Unmarshal(from, (*string)(t))
}

// message is a line about a message.
type message struct {
	ID          transport.ID `json:"id"`
	Profile     text         `json:"profile"`
	Destination text         `json:"destination"`
	Endpoint    text         `json:"endpoint,omitempty"`
	State       queue.State  `json:"state"` // for who reads it: it follows from the rest
	Result      queue.Result `json:"result,omitempty"`
	Status      text         `json:"status,omitempty"`
	Created     time.Time    `json:"created_at"`
	Queued      time.Time    `json:"queued_at,omitzero"`
	Updated     time.Time    `json:"updated_at,omitzero"`
	Next        time.Time    `json:"next_at,omitzero"`
	NotBefore   time.Time    `json:"not_before,omitzero"`
	Expires     time.Time    `json:"expires_at,omitzero"`

	URI            text               `json:"uri,omitempty"`
	Targets        []target           `json:"targets,omitempty"`
	Target         int                `json:"target,omitempty"`
	Format         text               `json:"format,omitempty"`
	ContentType    text               `json:"content_type,omitempty"`
	Text           bool               `json:"text,omitempty"`
	Payload        []byte             `json:"payload,omitempty"`
	Metadata       [][2]text          `json:"metadata,omitempty"` // names and values
	IdempotencyKey text               `json:"idempotency_key,omitempty"`
	Retry          text               `json:"retry,omitempty"`
	Priority       queue.Priority     `json:"priority"`
	OrderingKey    text               `json:"ordering_key,omitempty"`
	SkipBlocked    bool               `json:"skip_blocked,omitempty"`
	MinEvidence    transport.Evidence `json:"min_evidence,omitempty"`

	Evidence  transport.Evidence `json:"evidence,omitempty"`
	Attempts  int                `json:"attempts,omitempty"`
	Replays   int                `json:"replays,omitempty"`
	LastError text               `json:"last_error,omitempty"`
	Bytes     int64              `json:"bytes,omitempty"`
	Parked    bool               `json:"parked,omitempty"`
	Cancelled bool               `json:"cancelled,omitempty"` // while it was leased
	Aside     bool               `json:"aside,omitempty"`     // it gave up its turn
	Turn      bool               `json:"turn,omitempty"`
	Fault     text               `json:"fault,omitempty"` // why its content is not there
	Log       []attempt          `json:"log,omitempty"`
}

type target struct {
	Destination text `json:"destination"`
	Endpoint    text `json:"endpoint,omitempty"`
	URI         text `json:"uri,omitempty"`
}

type attempt struct {
	N        int                `json:"n"`
	Target   int                `json:"target,omitempty"`
	Started  time.Time          `json:"started_at,omitzero"`
	Duration time.Duration      `json:"duration_ns,omitempty"`
	Class    transport.Class    `json:"class,omitempty"`
	Evidence transport.Evidence `json:"evidence,omitempty"`
	Code     text               `json:"code,omitempty"`
	Error    text               `json:"error,omitempty"`
	Note     text               `json:"note,omitempty"`
	Response []byte             `json:"response,omitempty"`
}

// lane is a line about the state of a lane.
type lane struct {
	Profile      text      `json:"profile"`
	Destination  text      `json:"destination"`
	PausedUntil  time.Time `json:"paused_until,omitzero"`
	Reason       text      `json:"reason,omitempty"`
	FailingSince time.Time `json:"failing_since,omitzero"`
}

func laneLine(state queue.LaneState) *lane {
	return &lane{
		text(state.Lane.Profile), text(state.Lane.Destination), state.PausedUntil.UTC(), text(state.Reason), state.FailingSince.UTC(),
	}
}

func messageOf(s *sqlitequeue.Saved) message {
	m := message{
		ID: s.ID, Profile: text(s.Lane.Profile), Destination: text(s.Lane.Destination), Endpoint: text(s.Endpoint),
		State: s.State, Result: s.Result, Status: text(s.Status),
		Created: s.CreatedAt.UTC(), Queued: s.QueuedAt.UTC(), Updated: s.UpdatedAt.UTC(), Next: s.NextAt.UTC(),
		NotBefore: s.NotBefore.UTC(), Expires: s.ExpiresAt.UTC(),
		URI: text(s.URI.Reveal()), Target: s.Target, Format: text(s.Format), ContentType: text(s.ContentType), Text: s.Text, Payload: s.Payload,
		IdempotencyKey: text(s.IdempotencyKey), Retry: text(s.Retry), Priority: s.Priority, OrderingKey: text(s.OrderingKey),
		SkipBlocked: s.SkipBlocked, MinEvidence: s.MinEvidence, Evidence: s.Evidence, Attempts: s.Attempts, Replays: s.Replays,
		LastError: text(s.LastError), Bytes: s.Bytes, Parked: s.Parked, Cancelled: s.Cancelled, Aside: s.Aside, Turn: s.Turn, Fault: text(s.Fault),
	}
	for _, t := range s.Targets {
		m.Targets = append(m.Targets, target{text(t.Lane.Destination), text(t.Endpoint), text(t.URI.Reveal())})
	}
	for name, value := range s.Metadata {
		m.Metadata = append(m.Metadata, [2]text{text(name), text(value)})
	}
	slices.SortFunc(m.Metadata, func(a, b [2]text) int { return cmp.Compare(a[0], b[0]) })
	for i := range s.Log {
		a := &s.Log[i]
		m.Log = append(m.Log, attempt{
			N: a.N, Target: a.Target, Started: a.StartedAt.UTC(), Duration: a.Duration, Class: a.Class, Evidence: a.Evidence,
			Code: text(a.Code), Error: text(a.Error), Note: text(a.Note), Response: a.Response,
		})
	}
	return m
}

func (m *message) saved() *sqlitequeue.Saved {
	s := &sqlitequeue.Saved{
		Record: queue.Record{
			Message: queue.Message{
				ID: m.ID, Lane: queue.Lane{Profile: string(m.Profile), Destination: string(m.Destination)}, Endpoint: string(m.Endpoint),
				URI: transport.NewSecret(string(m.URI)), Target: m.Target, Format: string(m.Format), ContentType: string(m.ContentType),
				Text: m.Text, Payload: m.Payload, IdempotencyKey: string(m.IdempotencyKey), Retry: string(m.Retry), NotBefore: m.NotBefore,
				ExpiresAt: m.Expires, Priority: m.Priority, OrderingKey: string(m.OrderingKey), SkipBlocked: m.SkipBlocked, MinEvidence: m.MinEvidence,
			},
			State: m.State, Result: m.Result, Status: string(m.Status), Evidence: m.Evidence, Attempts: m.Attempts, Replays: m.Replays,
			CreatedAt: m.Created, QueuedAt: m.Queued, UpdatedAt: m.Updated, NextAt: m.Next, LastError: string(m.LastError), Bytes: m.Bytes,
		},
		Parked: m.Parked, Cancelled: m.Cancelled, Aside: m.Aside, Turn: m.Turn, Fault: string(m.Fault),
	}
	for _, t := range m.Targets {
		s.Targets = append(s.Targets, queue.Target{
			Lane:     queue.Lane{Profile: string(m.Profile), Destination: string(t.Destination)},
			Endpoint: string(t.Endpoint), URI: transport.NewSecret(string(t.URI)),
		})
	}
	for _, pair := range m.Metadata {
		if s.Metadata == nil {
			s.Metadata = transport.Metadata{}
		}
		s.Metadata[string(pair[0])] = string(pair[1])
	}
	for i := range m.Log {
		a := &m.Log[i]
		s.Log = append(s.Log, queue.Attempt{
			N: a.N, Target: a.Target, StartedAt: a.Started, Duration: a.Duration, Class: a.Class, Evidence: a.Evidence,
			Code: string(a.Code), Error: string(a.Error), Note: string(a.Note), Response: a.Response,
		})
	}
	return s
}

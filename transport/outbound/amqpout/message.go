package amqpout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	apiKeyProperty = "x-api-key"
	textType       = "application/json"
	binaryType     = "application/octet-stream"
)

// Priorities of AMQP for those of a message (part 3, section 3.2.1: 4 is the
// default, and brokers that have three levels part them there).
const (
	lowPriority    = 1
	normalPriority = 4
	highPriority   = 7
)

// fill returns the template of the route with what the metadata say, which goes
// first.
func (r *route) fill(m *outbound.Message) (*template, *outbound.FieldError) {
	t := r.template
	t.properties, t.annotations, t.deliveryNotes = maps.Clone(t.properties), maps.Clone(t.annotations), maps.Clone(t.deliveryNotes)
	for name, text := range m.Metadata {
		own, isField := strings.CutPrefix(name, fieldPrefix)
		if !isField {
			put(&t.properties, name, text)
			continue
		}
		err := t.setField(own, text)
		if errors.Is(err, errUnknownField) {
			err = fmt.Errorf("%q is not a field: want %s with %s", name, fieldPrefix, strings.Join(fieldNames(), ", "))
		}
		if err != nil {
			return nil, &outbound.FieldError{Field: "metadata", Err: err}
		}
	}
	if key := m.Endpoint.APIKey(); !key.IsZero() {
		if _, taken := t.properties[apiKeyProperty]; taken {
			return nil, &outbound.FieldError{Field: "metadata", Err: fmt.Errorf("%q is set from the endpoint: remove it from one of the two", apiKeyProperty)}
		}
		put(&t.properties, apiKeyProperty, key.Reveal())
	}
	if m.ContentType != "" && m.ContentType != value.MediaType && t.contentType == "" {
		t.contentType = m.ContentType
	}
	if !isASCII(t.contentType) {
		return nil, &outbound.FieldError{Field: "content_type", Err: errors.New("has a character that is not ASCII, or a control character")}
	}
	return &t, nil
}

// build makes the message of an attempt. more are annotations that a peer asked
// for.
func (t *template) build(m *outbound.Message, more amqp1.Annotations, now time.Time) *amqp1.Message {
	out := &amqp1.Message{
		DeliveryTag:           tagOf(m),
		Header:                t.header(m, now),
		DeliveryAnnotations:   t.deliveryNotes,
		Annotations:           t.annotations,
		ApplicationProperties: t.properties,
		Properties:            t.standard(m),
	}
	for name, more := range more {
		if out.Annotations == nil {
			out.Annotations = amqp1.Annotations{}
		}
		out.Annotations[name] = more
	}
	switch {
	case m.ContentType == value.MediaType:
		out.Value = verbatim.Encoded(m.Payload)
	case t.value && m.Text:
		out.Value = string(m.Payload)
	case t.value:
		out.Value = m.Payload
	default:
		out.Data = [][]byte{m.Payload}
	}
	return out
}

// tagOf names the attempt: no two unsettled deliveries of a link may share a tag.
func tagOf(m *outbound.Message) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 20), m.ID[:]...), uint32(m.Attempt)) //nolint:gosec // a tag
}

func (t *template) header(m *outbound.Message, now time.Time) *amqp1.MessageHeader {
	h := &amqp1.MessageHeader{
		Durable:       t.durable == nil || *t.durable,
		TTL:           t.ttl,
		Priority:      normalPriority,
		DeliveryCount: uint32(max(m.Attempt-1, 0)), //nolint:gosec // attempts are few
	}
	switch {
	case t.priority != nil:
		h.Priority = *t.priority
	case m.Priority < 0:
		h.Priority = lowPriority
	case m.Priority > 0:
		h.Priority = highPriority
	}
	if !m.ExpiresAt.IsZero() {
		if left := max(m.ExpiresAt.Sub(now), time.Millisecond); h.TTL == 0 || left < h.TTL {
			h.TTL = left
		}
	}
	return h
}

func (t *template) standard(m *outbound.Message) *amqp1.MessageProperties {
	p := &amqp1.MessageProperties{
		MessageID: m.ID.String(), To: optional(t.to), Subject: optional(t.subject), ReplyTo: optional(t.replyTo),
		ContentType: optional(contentTypeOf(t, m)), ContentEncoding: optional(t.contentEncoding),
		GroupID: optional(t.groupID), GroupSequence: t.groupSequence, ReplyToGroupID: optional(t.replyToGroupID),
	}
	if t.correlationID != "" {
		p.CorrelationID = t.correlationID
	}
	if t.userID != "" {
		p.UserID = []byte(t.userID)
	}
	if t.groupID == "" {
		p.GroupID = optional(m.OrderingKey)
	}
	if !m.QueuedAt.IsZero() {
		queued := m.QueuedAt
		p.CreationTime = &queued
	}
	if !m.ExpiresAt.IsZero() {
		expires := m.ExpiresAt
		p.AbsoluteExpiryTime = &expires
	}
	return p
}

func contentTypeOf(t *template, m *outbound.Message) string {
	switch {
	case t.contentType != "":
		return t.contentType
	case t.value, m.ContentType == value.MediaType:
		return "" // section 3.2.4: the type is in the encoding
	case m.Text:
		return textType
	}
	return binaryType
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// secretsOf returns what m sends that nobody else is to see.
func secretsOf(r *route, m *outbound.Message) (secrets []string) {
	c := r.remote.Credentials
	for _, secret := range []transport.Secret{c.Password, c.Token, m.Endpoint.APIKey()} {
		if !secret.IsZero() {
			secrets = append(secrets, secret.Reveal())
		}
	}
	for _, text := range m.Metadata {
		if text != "" {
			secrets = append(secrets, text)
		}
	}
	return secrets
}

package amqpout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/value"
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
// first. Metadata that are application properties stay where they are.
func (r *route) fill(m *outbound.Message) (*template, *outbound.FieldError) {
	t := &r.template
	for name, value := range m.Metadata {
		own, isField := strings.CutPrefix(name, fieldPrefix)
		if !isField {
			continue
		}
		if t == &r.template {
			t = r.template.clone()
		}
		err := t.setField(own, value)
		if errors.Is(err, errUnknownField) {
			err = fmt.Errorf("%q is not a field: want %s with %s", name, fieldPrefix, strings.Join(fieldNames(), ", "))
		}
		if err != nil {
			return nil, &outbound.FieldError{Field: "metadata", Err: err}
		}
	}
	if !m.Endpoint.APIKey().IsZero() {
		_, taken := m.Metadata[apiKeyProperty]
		if _, too := t.properties[apiKeyProperty]; taken || too {
			return nil, &outbound.FieldError{Field: "metadata", Err: fmt.Errorf("%q is set from the endpoint: remove it from one of the two", apiKeyProperty)}
		}
	}
	if !isASCII(m.ContentType) {
		return nil, &outbound.FieldError{Field: "content_type", Err: errors.New("has a character that is not ASCII, or a control character")}
	}
	return t, nil
}

func (t *template) clone() *template {
	own := *t
	own.properties, own.annotations, own.deliveryNotes = maps.Clone(t.properties), maps.Clone(t.annotations), maps.Clone(t.deliveryNotes)
	return &own
}

// build encodes the message of an attempt, in scratch where that is long enough. id is
// the message's in text, and more are annotations that a peer asked for.
func (t *template) build(m *outbound.Message, id string, more value.Map, now time.Time, scratch []byte) (encoded []byte, err error) {
	e := encoder{b: slices.Grow(scratch[:0], 512+len(m.Payload))}
	t.header(&e, m, now)
	if err := annotations(&e, sectionDeliveryAnnotations, t.deliveryNotes, nil); err != nil {
		return nil, err
	}
	if err := annotations(&e, sectionMessageAnnotations, t.annotations, more); err != nil {
		return nil, err
	}
	t.standard(&e, m, id)
	t.application(&e, m)
	switch {
	case m.ContentType == value.MediaType:
		e.section(sectionValue)
		e.b = append(e.b, m.Payload...) // encoded by a wire format
	case t.value && m.Text:
		e.section(sectionValue)
		e.string(string(m.Payload))
	case t.value:
		e.section(sectionValue)
		e.binary(m.Payload)
	default:
		e.section(sectionData)
		e.binary(m.Payload)
	}
	return e.b, nil
}

// tagOf names the attempt: no two unsettled deliveries of a link may share a tag.
func tagOf(m *outbound.Message) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 20), m.ID[:]...), uint32(m.Attempt)) //nolint:gosec // a tag
}

func (t *template) header(e *encoder, m *outbound.Message, now time.Time) {
	e.section(sectionHeader)
	e.open(0xd0)
	e.bool(t.durable == nil || *t.durable)
	switch {
	case t.priority != nil:
		e.ubyte(*t.priority)
	case m.Priority < 0:
		e.ubyte(lowPriority)
	case m.Priority > 0:
		e.ubyte(highPriority)
	default:
		e.ubyte(normalPriority)
	}
	ttl := t.ttl
	if !m.ExpiresAt.IsZero() {
		if left := max(m.ExpiresAt.Sub(now), time.Millisecond); ttl == 0 || left < ttl {
			ttl = left
		}
	}
	if ttl == 0 {
		e.null()
	} else {
		e.uint(uint32(min(max(ttl.Milliseconds(), 1), 1<<32-1)))
	}
	e.bool(false)                       // first-acquirer
	e.uint(uint32(max(m.Attempt-1, 0))) //nolint:gosec // attempts are few
	e.close()
}

// annotations writes a section of the template's own and those a peer asked for, which
// go first.
func annotations(e *encoder, section byte, own map[string]string, more value.Map) error {
	if len(own)+len(more) == 0 {
		return nil
	}
	e.section(section)
	e.open(0xd1)
	asked := map[string]bool{}
	for _, pair := range more {
		key, _ := pair.Key.(value.Symbol)
		asked[string(key)] = true
		e.symbol(string(key))
		if err := e.value(pair.Value); err != nil {
			return fmt.Errorf("annotation that the peer asked for: %w", err)
		}
	}
	for name, text := range own {
		if !asked[name] {
			e.symbol(name)
			e.string(text)
		}
	}
	e.close()
	return nil
}

// standard writes the properties section (section 3.2.4).
func (t *template) standard(e *encoder, m *outbound.Message, id string) {
	group := t.groupID
	if group == "" {
		group = m.OrderingKey
	}
	e.section(sectionProperties)
	e.open(0xd0)
	e.string(id)
	if t.userID == "" {
		e.null()
	} else {
		e.binary([]byte(t.userID))
	}
	e.text(t.to)
	e.text(t.subject)
	e.text(t.replyTo)
	e.text(t.correlationID)
	e.optionalSymbol(contentTypeOf(t, m))
	e.optionalSymbol(t.contentEncoding)
	e.timestamp(m.ExpiresAt)
	e.timestamp(m.QueuedAt)
	e.text(group)
	if t.groupSequence == nil {
		e.null()
	} else {
		e.uint(*t.groupSequence)
	}
	e.text(t.replyToGroupID)
	e.close()
}

// application writes the application properties: the metadata before the template's.
func (t *template) application(e *encoder, m *outbound.Message) {
	key := m.Endpoint.APIKey()
	if len(t.properties)+len(m.Metadata) == 0 && key.IsZero() {
		return
	}
	e.section(sectionApplicationProperties)
	e.open(0xd1)
	for name, text := range m.Metadata {
		if !strings.HasPrefix(name, fieldPrefix) {
			e.string(name)
			e.string(text)
		}
	}
	for name, text := range t.properties {
		if _, own := m.Metadata[name]; !own {
			e.string(name)
			e.string(text)
		}
	}
	if !key.IsZero() {
		e.string(apiKeyProperty)
		e.string(key.Reveal())
	}
	e.close()
}

func contentTypeOf(t *template, m *outbound.Message) string {
	switch {
	case t.contentType != "":
		return t.contentType
	case m.ContentType == value.MediaType, t.value && m.ContentType == "":
		return "" // section 3.2.4: the type is in the encoding
	case m.ContentType != "":
		return m.ContentType
	case m.Text:
		return textType
	}
	return binaryType
}

// secretsOf returns what m sends that nobody else is to see.
func secretsOf(r *route, m *outbound.Message) (secrets []string) {
	c := r.remote.Credentials
	for _, secret := range []transport.Secret{c.Password, c.Token, m.Endpoint.APIKey()} {
		if !secret.IsZero() {
			secrets = append(secrets, secret.Reveal())
		}
	}
	for _, value := range m.Metadata {
		if value != "" {
			secrets = append(secrets, value)
		}
	}
	return secrets
}

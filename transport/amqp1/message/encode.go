package message

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Descriptors of the sections.
const (
	sectionHeader                value.ULong = 0x70
	sectionDeliveryAnnotations   value.ULong = 0x71
	sectionMessageAnnotations    value.ULong = 0x72
	sectionProperties            value.ULong = 0x73
	sectionApplicationProperties value.ULong = 0x74
	sectionData                  value.ULong = 0x75
	sectionSequence              value.ULong = 0x76
	sectionValue                 value.ULong = 0x77
	sectionFooter                value.ULong = 0x78
)

// Encode encodes a message within limits, which are for each section.
func Encode(m *Message, limits value.Limits) ([]byte, error) {
	e := encoder{limits: limits}
	if m.Header != nil {
		e.section(sectionHeader, m.Header.list())
	}
	e.annotations(sectionDeliveryAnnotations, m.DeliveryAnnotations)
	e.annotations(sectionMessageAnnotations, m.MessageAnnotations)
	if m.Properties != nil {
		e.check("message-id", m.Properties.MessageID)
		e.check("correlation-id", m.Properties.CorrelationID)
		e.section(sectionProperties, m.Properties.list())
	}
	e.annotations(sectionApplicationProperties, m.ApplicationProperties)
	e.body(m)
	e.annotations(sectionFooter, m.Footer)
	return e.encoded, e.err
}

// encoder appends sections until one fails.
type encoder struct {
	encoded []byte
	limits  value.Limits
	err     error
}

func (e *encoder) section(descriptor value.ULong, v value.Value) {
	if e.err != nil {
		return
	}
	encoded, err := e.limits.Append(e.encoded, value.Described{Descriptor: descriptor, Value: v})
	if err != nil {
		e.encoded, e.err = nil, fmt.Errorf("section %s: %w", sections[descriptor].name, err)
		return
	}
	e.encoded = encoded
}

func (e *encoder) annotations(descriptor value.ULong, m value.Map) {
	if m != nil {
		e.section(descriptor, m)
	}
}

func (e *encoder) check(field string, id value.Value) {
	if e.err == nil && !isMessageID(id) {
		e.err = fmt.Errorf("section properties: %w: %s is a %s: want a ulong, uuid, binary or string", value.ErrInvalid, field, value.TypeOf(id))
	}
}

func isMessageID(id value.Value) bool {
	switch id.(type) {
	case nil, value.Null, value.ULong, value.UUID, value.Binary, value.String:
		return true
	}
	return false
}

func (e *encoder) body(m *Message) {
	kinds := 0
	for _, there := range []bool{len(m.Data) > 0, len(m.Sequences) > 0, m.Value != nil} {
		if there {
			kinds++
		}
	}
	if kinds > 1 && e.err == nil {
		e.encoded, e.err = nil, fmt.Errorf("%w: a body has two of data, sequences and value", value.ErrInvalid)
	}
	for _, data := range m.Data {
		e.section(sectionData, value.Binary(data))
	}
	for _, sequence := range m.Sequences {
		e.section(sectionSequence, sequence)
	}
	if m.Value != nil {
		e.section(sectionValue, m.Value)
	}
}

func (h *Header) list() value.List {
	fields := value.List{value.Bool(h.Durable), nil, nil, nil, nil}
	if h.Priority != nil {
		fields[1] = value.UByte(*h.Priority)
	}
	if h.TTL != nil {
		fields[2] = value.UInt(*h.TTL)
	}
	if h.FirstAcquirer {
		fields[3] = value.Bool(true)
	}
	if h.DeliveryCount > 0 {
		fields[4] = value.UInt(h.DeliveryCount)
	}
	return trim(fields)
}

func (p *Properties) list() value.List {
	var user value.Value
	if p.UserID != nil {
		user = p.UserID
	}
	return trim(value.List{
		p.MessageID, user, stringOf(p.To), stringOf(p.Subject), stringOf(p.ReplyTo), p.CorrelationID,
		symbolOf(p.ContentType), symbolOf(p.ContentEncoding), timestampOf(p.AbsoluteExpiryTime), timestampOf(p.CreationTime),
		stringOf(p.GroupID), uintOf(p.GroupSequence), stringOf(p.ReplyToGroupID),
	})
}

// trim leaves out the nulls at the end.
func trim(fields value.List) value.List {
	n := len(fields)
	for n > 0 && value.TypeOf(fields[n-1]) == value.TypeNull {
		n--
	}
	return fields[:n]
}

func stringOf(text *string) value.Value {
	if text == nil {
		return nil
	}
	return value.String(*text)
}

func symbolOf(text *string) value.Value {
	if text == nil {
		return nil
	}
	return value.Symbol(*text)
}

func timestampOf(at *time.Time) value.Value {
	if at == nil {
		return nil
	}
	return value.Timestamp(at.UnixMilli())
}

func uintOf(n *uint32) value.Value {
	if n == nil {
		return nil
	}
	return value.UInt(*n)
}

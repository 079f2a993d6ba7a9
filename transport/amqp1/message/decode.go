package message

import (
	"fmt"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// section is what may be said of a section: its name, and where it stands.
type section struct {
	name  string
	order int
	many  bool
}

// sections by their descriptors. The three kinds of body share a place, of which
// only one kind may be there.
var sections = map[value.ULong]section{
	sectionHeader:                {name: "header", order: 1},
	sectionDeliveryAnnotations:   {name: "delivery-annotations", order: 2},
	sectionMessageAnnotations:    {name: "message-annotations", order: 3},
	sectionProperties:            {name: "properties", order: 4},
	sectionApplicationProperties: {name: "application-properties", order: 5},
	sectionData:                  {name: "data", order: 6, many: true},
	sectionSequence:              {name: "amqp-sequence", order: 6, many: true},
	sectionValue:                 {name: "amqp-value", order: 6},
	sectionFooter:                {name: "footer", order: 7},
}

// symbolic are the sections' descriptors that are symbols.
var symbolic = map[value.Symbol]value.ULong{
	"amqp:header:list":                sectionHeader,
	"amqp:delivery-annotations:map":   sectionDeliveryAnnotations,
	"amqp:message-annotations:map":    sectionMessageAnnotations,
	"amqp:properties:list":            sectionProperties,
	"amqp:application-properties:map": sectionApplicationProperties,
	"amqp:data:binary":                sectionData,
	"amqp:amqp-sequence:list":         sectionSequence,
	"amqp:amqp-value:*":               sectionValue,
	"amqp:footer:map":                 sectionFooter,
}

// Decode decodes a message within limits, which are for each section. Binary
// values and data are parts of encoded, which must not change afterwards.
func Decode(encoded []byte, limits value.Limits) (*Message, error) {
	m := &Message{}
	var before value.ULong
	for len(encoded) > 0 {
		v, rest, err := limits.Next(encoded)
		if err != nil {
			return nil, fmt.Errorf("section after %q: %w", sections[before].name, err)
		}
		descriptor, content, err := sectionOf(v)
		if err != nil {
			return nil, err
		}
		this, last := sections[descriptor], sections[before]
		if this.order < last.order || this.order == last.order && (descriptor != before || !this.many) {
			return nil, fmt.Errorf("%w: section %s follows section %s", value.ErrMalformed, this.name, last.name)
		}
		if err := m.add(descriptor, content); err != nil {
			return nil, fmt.Errorf("section %s: %w", this.name, err)
		}
		before, encoded = descriptor, rest
	}
	return m, nil
}

func sectionOf(v value.Value) (descriptor value.ULong, content value.Value, err error) {
	described, ok := v.(value.Described)
	if !ok {
		return 0, nil, fmt.Errorf("%w: a section is a %s", value.ErrMalformed, value.TypeOf(v))
	}
	switch d := described.Descriptor.(type) {
	case value.ULong:
		descriptor = d
	case value.Symbol:
		descriptor = symbolic[d]
	}
	if _, known := sections[descriptor]; !known {
		return 0, nil, fmt.Errorf("%w: there is no such section", value.ErrMalformed)
	}
	return descriptor, described.Value, nil
}

// add adds a section. One that is null, though the specification wants a map or
// a list, is as if it were not there.
func (m *Message) add(descriptor value.ULong, content value.Value) error {
	if value.TypeOf(content) == value.TypeNull && sections[descriptor].order != sections[sectionValue].order {
		return nil
	}
	var err error
	switch descriptor {
	case sectionHeader:
		m.Header, err = headerOf(content)
	case sectionDeliveryAnnotations:
		m.DeliveryAnnotations, err = as[value.Map](content)
	case sectionMessageAnnotations:
		m.MessageAnnotations, err = as[value.Map](content)
	case sectionProperties:
		m.Properties, err = propertiesOf(content)
	case sectionApplicationProperties:
		m.ApplicationProperties, err = as[value.Map](content)
	case sectionData:
		var data value.Binary
		data, err = as[value.Binary](content)
		m.Data = append(m.Data, data)
	case sectionSequence:
		var sequence value.List
		sequence, err = as[value.List](content)
		m.Sequences = append(m.Sequences, sequence)
	case sectionValue:
		m.Value = content
	case sectionFooter:
		m.Footer, err = as[value.Map](content)
	}
	return err
}

func as[T value.Value](v value.Value) (T, error) {
	t, ok := v.(T)
	if !ok {
		return t, fmt.Errorf("%w: it is a %s, want a %s", value.ErrMalformed, value.TypeOf(v), t.Type())
	}
	return t, nil
}

// fields reads the fields of a composite type in their order, until one has the
// wrong type.
type fields struct {
	left value.List
	err  error
}

func fieldsOf(v value.Value, most int) (*fields, error) {
	list, err := as[value.List](v)
	if err == nil && len(list) > most {
		err = fmt.Errorf("%w: it has %d fields, of which there are %d", value.ErrMalformed, len(list), most)
	}
	return &fields{left: list}, err
}

func (f *fields) next() value.Value {
	if len(f.left) == 0 {
		return value.Null{}
	}
	v := f.left[0]
	f.left = f.left[1:]
	return v
}

// field reads the next field, and returns nil where it is null.
func field[T value.Value](f *fields, name string) *T {
	v := f.next()
	if f.err != nil || value.TypeOf(v) == value.TypeNull {
		return nil
	}
	t, err := as[T](v)
	if err != nil {
		f.err = fmt.Errorf("%s: %w", name, err)
		return nil
	}
	return &t
}

func (f *fields) text(name string) *string { return (*string)(field[value.String](f, name)) }

// symbol reads a symbol, or a string, which some peers send in its place.
func (f *fields) symbol(name string) *string {
	if len(f.left) > 0 && value.TypeOf(f.left[0]) == value.TypeString {
		return f.text(name)
	}
	return (*string)(field[value.Symbol](f, name))
}

func (f *fields) time(name string) *time.Time {
	at := field[value.Timestamp](f, name)
	if at == nil {
		return nil
	}
	instant := at.Time()
	return &instant
}

func (f *fields) messageID(name string) value.Value {
	id := f.next()
	if f.err == nil && !isMessageID(id) {
		f.err = fmt.Errorf("%s: %w: it is a %s, want a ulong, uuid, binary or string", name, value.ErrMalformed, value.TypeOf(id))
	}
	if value.TypeOf(id) == value.TypeNull {
		return nil
	}
	return id
}

// or returns what a pointer points to, and the zero value for none.
func or[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func headerOf(v value.Value) (*Header, error) {
	f, err := fieldsOf(v, 5)
	if err != nil {
		return nil, err
	}
	h := &Header{
		Durable:       bool(or(field[value.Bool](f, "durable"))),
		Priority:      (*uint8)(field[value.UByte](f, "priority")),
		TTL:           (*uint32)(field[value.UInt](f, "ttl")),
		FirstAcquirer: bool(or(field[value.Bool](f, "first-acquirer"))),
		DeliveryCount: uint32(or(field[value.UInt](f, "delivery-count"))),
	}
	return h, f.err
}

func propertiesOf(v value.Value) (*Properties, error) {
	f, err := fieldsOf(v, 13)
	if err != nil {
		return nil, err
	}
	p := &Properties{
		MessageID:          f.messageID("message-id"),
		UserID:             or(field[value.Binary](f, "user-id")),
		To:                 f.text("to"),
		Subject:            f.text("subject"),
		ReplyTo:            f.text("reply-to"),
		CorrelationID:      f.messageID("correlation-id"),
		ContentType:        f.symbol("content-type"),
		ContentEncoding:    f.symbol("content-encoding"),
		AbsoluteExpiryTime: f.time("absolute-expiry-time"),
		CreationTime:       f.time("creation-time"),
		GroupID:            f.text("group-id"),
		GroupSequence:      (*uint32)(field[value.UInt](f, "group-sequence")),
		ReplyToGroupID:     f.text("reply-to-group-id"),
	}
	return p, f.err
}

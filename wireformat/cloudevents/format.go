package cloudevents

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"unicode/utf8"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Media types of the JSON format, and its WebSocket sub-protocol.
const (
	TypeStructured = "application/cloudevents+json"
	TypeBatch      = "application/cloudevents-batch+json"
	Subprotocol    = "cloudevents.json"
)

// Names of the wire formats.
const (
	NameStructured = "cloudevents"
	NameBatch      = "cloudevents/batch"
	NameBinary     = "cloudevents/binary"
	NameAMQP       = "cloudevents/amqp"
)

// Settings of a profile for the attributes that a message does not have.
const (
	SettingSource = "cloudevents.source"
	SettingType   = "cloudevents.type"
)

// SettingNames lists the settings of a profile that these formats read.
func SettingNames() []string { return []string{SettingSource, SettingType} }

// Formats returns the wire formats of all modes.
func Formats() []wireformat.Format {
	return []wireformat.Format{&Structured{}, &Batch{}, NewBinary(), NewAMQP()}
}

// Structured is the wire format of the structured mode: an event is one JSON
// object. The zero value is ready.
type Structured struct{}

// Name returns "cloudevents".
func (*Structured) Name() string { return NameStructured }

// MediaTypes returns application/cloudevents+json.
func (*Structured) MediaTypes() []string { return []string{TypeStructured} }

// Shares implements [wireformat.Sharer]: for an event with an id and a time of its
// own.
func (*Structured) Shares(m wireformat.Message) bool { return isWhole(m) }

// Encode makes the event. White space around JSON data is lost.
func (*Structured) Encode(_ context.Context, p *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	event, err := eventOf(p, m)
	var body []byte
	if err == nil {
		body, err = event.MarshalJSON()
	}
	if err != nil {
		return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: NameStructured, Err: err}
	}
	return wireformat.Frame{ContentType: TypeStructured, Text: true, Header: copies(m.Metadata), Body: body}, nil
}

// Parse reads the event: its data is the payload.
func (*Structured) Parse(_ context.Context, _ *profile.Profile, f wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	event, err := Parse(f.Body)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, &wireformat.Error{Kind: wireformat.ErrParse, Format: NameStructured, Err: err}
	}
	return messageOf(event, f.Header, &httpBinding), wireformat.Receipt{Format: NameStructured}, nil
}

// Batch is the wire format of the batched mode: a JSON array of events. The zero
// value is ready.
type Batch struct{}

// Name returns "cloudevents/batch".
func (*Batch) Name() string { return NameBatch }

// MediaTypes returns application/cloudevents-batch+json.
func (*Batch) MediaTypes() []string { return []string{TypeBatch} }

// Shares implements [wireformat.Sharer]: for an event with an id and a time of its
// own.
func (*Batch) Shares(m wireformat.Message) bool { return isWhole(m) }

// Encode takes a payload of the media type of batches as it is, once it is
// checked, and makes a batch of one event of any other.
func (*Batch) Encode(_ context.Context, p *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	body, err := batchOf(p, m)
	if err != nil {
		return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: NameBatch, Err: err}
	}
	return wireformat.Frame{ContentType: TypeBatch, Text: true, Header: copies(m.Metadata), Body: body}, nil
}

func batchOf(p *profile.Profile, m wireformat.Message) ([]byte, error) {
	if isType(m.ContentType, TypeBatch) {
		_, err := ParseBatch(m.Payload)
		return m.Payload, err
	}
	event, err := eventOf(p, m)
	if err != nil {
		return nil, err
	}
	return json.Marshal([]*Event{event})
}

// Parse checks the batch, which is the payload: [ParseBatch] reads it.
func (*Batch) Parse(_ context.Context, _ *profile.Profile, f wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	if _, err := ParseBatch(f.Body); err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, &wireformat.Error{Kind: wireformat.ErrParse, Format: NameBatch, Err: err}
	}
	m := wireformat.Message{ContentType: TypeBatch, Text: true, Payload: f.Body, Metadata: transport.Metadata(f.Header).Clone()}
	return m, wireformat.Receipt{Format: NameBatch}, nil
}

// Binary is the wire format of the binary mode of a protocol: the payload is the
// data, and the attributes are beside it. It has no media type of its own; it knows
// its frames by the attribute specversion. Make it with [NewBinary] or [NewAMQP].
type Binary struct {
	name    string
	binding *binding
}

// NewBinary returns the format for HTTP.
func NewBinary() *Binary { return &Binary{NameBinary, &httpBinding} }

// NewAMQP returns the format for AMQP.
func NewAMQP() *Binary { return &Binary{NameAMQP, &amqpBinding} }

// Name returns the name of the mode.
func (b *Binary) Name() string { return b.name }

// MediaTypes returns none: the content type is the data's.
func (*Binary) MediaTypes() []string { return nil }

// Shares implements [wireformat.Sharer]: for an event with an id and a time of its
// own.
func (*Binary) Shares(m wireformat.Message) bool { return isWhole(m) }

// Encode puts the attributes into the frame's header.
func (b *Binary) Encode(_ context.Context, p *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	event, err := eventOf(p, m)
	if err == nil {
		err = event.Validate()
	}
	if err != nil {
		return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: b.name, Err: err}
	}
	contentType := cmp.Or(event.DataContentType, "application/json")
	header := copies(m.Metadata)
	maps.Copy(header, b.binding.header(event))
	return wireformat.Frame{ContentType: contentType, Text: !event.Binary, Header: header, Body: event.Data}, nil
}

// Parse reads the attributes from the frame's header.
func (b *Binary) Parse(_ context.Context, _ *profile.Profile, f wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	event, err := b.binding.parse(f.Header, f.ContentType, f.Body)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, &wireformat.Error{Kind: wireformat.ErrParse, Format: b.name, Err: err}
	}
	return messageOf(event, f.Header, b.binding), wireformat.Receipt{Format: b.name}, nil
}

// Sniff reports a frame with the attribute specversion.
func (b *Binary) Sniff(f wireformat.Frame) bool { return b.binding.isEvent(f.Header) }

// copies returns the attributes among the metadata in the encoding of the HTTP
// binding, since the metadata travels as headers too, and headers of HTTP may be
// there in every mode.
func copies(metadata transport.Metadata) map[string]string {
	header := map[string]string{}
	for name, value := range metadata {
		if strings.HasPrefix(name, httpPrefix) {
			header[name] = encodeHeader(value)
		}
	}
	return header
}

func isType(contentType, want string) bool {
	bare, _, _ := strings.Cut(contentType, ";")
	return strings.EqualFold(strings.TrimSpace(bare), want)
}

// isWhole reports that the message's id adds nothing to its event.
func isWhole(m wireformat.Message) bool {
	return isType(m.ContentType, TypeStructured) || m.Metadata[httpPrefix+"id"] != "" && m.Metadata[httpPrefix+"time"] != ""
}

// eventOf makes an event of a message.
func eventOf(p *profile.Profile, m wireformat.Message) (*Event, error) {
	if isType(m.ContentType, TypeStructured) {
		return Parse(m.Payload)
	}
	e := &Event{}
	for name, value := range m.Metadata {
		attribute, ok := httpBinding.attribute(name)
		if !ok {
			continue
		}
		if name != httpPrefix+attribute || attribute == "datacontenttype" {
			return nil, fmt.Errorf("metadata %q: attributes have the prefix %q and lower-case letters, and datacontenttype is the message's content type", name, httpPrefix)
		}
		if err := e.set(attribute, value); err != nil {
			return nil, fmt.Errorf("metadata %q: %w", name, err)
		}
	}
	if e.Time.IsZero() && !m.ID.IsZero() {
		e.Time = m.ID.Time().UTC()
	}
	e.ID = cmp.Or(e.ID, m.ID.String())
	e.Source = cmp.Or(e.Source, p.Settings().String(SettingSource, ""))
	e.Type = cmp.Or(e.Type, p.Settings().String(SettingType, ""))
	for _, required := range []struct{ value, name, setting string }{{e.Source, "source", SettingSource}, {e.Type, "type", SettingType}} {
		if required.value == "" {
			return nil, fmt.Errorf("the event has no %[1]s: give the message the metadata %[2]s%[1]s, or the profile the setting %[3]s", required.name, httpPrefix, required.setting)
		}
	}
	if err := e.take(m); err != nil {
		return nil, err
	}
	return e, nil
}

// take makes the payload the event's data.
func (e *Event) take(m wireformat.Message) error {
	if m.Text && !utf8.Valid(m.Payload) {
		return errors.New("the text is not UTF-8: send it as bytes")
	}
	e.Data, e.DataContentType = m.Payload, dataType(m)
	if isJSONType(e.DataContentType) && len(m.Payload) > 0 && !json.Valid(m.Payload) {
		return errors.New("the content type says JSON, and the payload is not")
	}
	if len(m.Payload) == 0 && (e.IsJSON() || !m.Text) {
		e.Data = nil
	}
	e.Binary = !m.Text && (isType(e.DataContentType, typeBinary) || !utf8.Valid(m.Payload))
	return nil
}

const typeBinary = "application/octet-stream"

// dataType returns the content type of a payload, as [wireformat.Raw] does.
func dataType(m wireformat.Message) string {
	switch {
	case m.ContentType != "":
		return m.ContentType
	case !m.Text:
		return typeBinary
	case json.Valid(m.Payload):
		return "application/json"
	}
	return "text/plain; charset=utf-8"
}

// messageOf makes a message of an event. Header is what came beside it.
func messageOf(e *Event, header map[string]string, b *binding) wireformat.Message {
	m := wireformat.Message{ContentType: cmp.Or(e.DataContentType, "application/json"), Text: !e.Binary, Payload: e.Data, Metadata: transport.Metadata{}}
	for name, value := range header {
		if _, ok := b.attribute(name); !ok {
			m.Metadata[name] = value
		}
	}
	for name, text := range e.attributes {
		if name != "datacontenttype" && name != "specversion" {
			m.Metadata[httpPrefix+name] = text
		}
	}
	if id, err := transport.ParseID(e.ID); err == nil {
		m.ID = id
	}
	return m
}

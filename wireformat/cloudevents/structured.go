package cloudevents

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/outrider-go/outrider/internal/strictjson"
)

// Limits of JSON events.
const (
	maxBytes = 16 << 20
	maxDepth = 64
	maxBatch = 10_000 // events
)

// Parse reads an event in the JSON format. Its data is a part of text. The error
// wraps [ErrEvent].
func Parse(text []byte) (*Event, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrEvent, maxBytes)
	}
	members, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	return fromMembers(members)
}

// ParseBatch reads a batch in the JSON format. The error wraps [ErrEvent] and says
// which event is at fault, from 1.
func ParseBatch(text []byte) ([]*Event, error) {
	if len(text) > maxBytes {
		return nil, fmt.Errorf("%w: the batch has more than %d bytes", ErrEvent, maxBytes)
	}
	if err := strictjson.Check(text, maxDepth); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEvent, err)
	}
	elements, err := strictjson.Elements(text)
	if err != nil {
		return nil, fmt.Errorf("%w: the batch: %w", ErrEvent, err)
	}
	if len(elements) > maxBatch {
		return nil, fmt.Errorf("%w: the batch has %d events, and at most %d are allowed", ErrEvent, len(elements), maxBatch)
	}
	events := make([]*Event, len(elements))
	for i, element := range elements {
		if events[i], err = Parse(element); err != nil {
			return nil, fmt.Errorf("event %d of the batch: %w", i+1, err)
		}
	}
	return events, nil
}

func fromMembers(members strictjson.Object) (*Event, error) {
	e := &Event{}
	if !members.Has("specversion") {
		return nil, fmt.Errorf("%w: specversion is missing", ErrEvent)
	}
	for name := range members {
		if name == "data" || name == "data_base64" || !members.Has(name) {
			continue
		}
		if err := e.setMember(members, name); err != nil {
			return nil, err
		}
	}
	if err := e.setData(members); err != nil {
		return nil, err
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Event) setMember(members strictjson.Object, name string) error {
	text, err := members.Text(name)
	if err == nil {
		return e.set(name, text)
	}
	if isContext(name) {
		return fmt.Errorf("%w: %w", ErrEvent, err)
	}
	var flag bool
	if members.Into(name, &flag) == nil {
		return e.extend(name, flag)
	}
	var number int64
	if members.Into(name, &number) == nil {
		if n, ok := toInt32(number); ok {
			return e.extend(name, n)
		}
	}
	if !isName(name) {
		return e.extend(name, nil)
	}
	return fmt.Errorf("%w: extension %s is no string, boolean or integer of 32 bits", ErrEvent, name)
}

// setData reads data or data_base64. Data that is a JSON string is text where the
// content type is not JSON (JSON format, section 3.1.1).
func (e *Event) setData(members strictjson.Object) error {
	data, isData := members["data"]
	encoded, err := members.Text("data_base64")
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrEvent, err)
	case isData && members.Has("data_base64"):
		return fmt.Errorf("%w: it has data and data_base64", ErrEvent)
	case members.Has("data_base64"):
		if e.Data, err = base64.StdEncoding.DecodeString(encoded); err != nil {
			return fmt.Errorf("%w: data_base64 is not base64", ErrEvent)
		}
		e.Binary = true
	case isData && !e.IsJSON() && data[0] == '"':
		e.Data = strictjson.Unquote(data)
	case isData:
		e.Data = data
	}
	return nil
}

// MarshalJSON returns the event in the JSON format. The error wraps [ErrEvent].
func (e *Event) MarshalJSON() ([]byte, error) {
	if err := e.Validate(); err != nil {
		return nil, err
	}
	out := bytes.NewBuffer(make([]byte, 0, len(e.Data)+512))
	out.WriteByte('{')
	for name, text := range e.attributes {
		if out.Len() > 1 {
			out.WriteByte(',')
		}
		value := any(text)
		if extension, ok := e.Extensions[name]; ok {
			value = extension
		}
		writeMember(out, name, value)
	}
	if err := e.writeData(out); err != nil {
		return nil, err
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

func (e *Event) writeData(out *bytes.Buffer) error {
	switch {
	case e.Data == nil:
	case e.Binary:
		out.WriteByte(',')
		writeMember(out, "data_base64", base64.StdEncoding.EncodeToString(e.Data))
	case e.IsJSON():
		if err := strictjson.Check(e.Data, maxDepth); err != nil {
			return fmt.Errorf("%w: the data should be JSON: %w", ErrEvent, err)
		}
		out.WriteString(`,"data":`)
		out.Write(bytes.TrimSpace(e.Data))
	case utf8.Valid(e.Data):
		out.WriteByte(',')
		writeMember(out, "data", string(e.Data))
	default:
		return fmt.Errorf("%w: %w", ErrEvent, errors.New("the data is neither text nor marked as bytes"))
	}
	return nil
}

// writeMember writes a name and a value that always has a JSON text.
func writeMember(out *bytes.Buffer, name string, value any) {
	writeJSON(out, name)
	out.WriteByte(':')
	writeJSON(out, value)
}

// writeJSON writes text as it is, without the escapes that HTML would need.
func writeJSON(out *bytes.Buffer, value any) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)   // strings, booleans and numbers do not fail
	out.Truncate(out.Len() - 1) // the line's end
}

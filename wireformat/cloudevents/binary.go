package cloudevents

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Prefixes of attributes in headers and properties. Of AMQP the second form is the
// older one (AMQP binding, section 3.1.3.1).
const (
	httpPrefix    = "ce-"
	amqpPrefix    = "cloudEvents_"
	amqpPrefixOld = "cloudEvents:"
)

// binding is how binary mode looks on a protocol.
type binding struct {
	prefixes []string // the first is written
	fold     bool     // names may have any case
	encode   func(string) string
	decode   func(string) (string, error)
}

var (
	httpBinding = binding{[]string{httpPrefix}, true, encodeHeader, decodeHeader}
	amqpBinding = binding{[]string{amqpPrefix, amqpPrefixOld}, false, asItIs, utf8Only}
)

func asItIs(text string) string { return text }

func utf8Only(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("%w: a property is not UTF-8", ErrEvent)
	}
	return text, nil
}

// attribute returns the name of the attribute that a header holds.
func (b *binding) attribute(header string) (name string, ok bool) {
	for _, prefix := range b.prefixes {
		if len(header) > len(prefix) && (header[:len(prefix)] == prefix || b.fold && strings.EqualFold(header[:len(prefix)], prefix)) {
			if name = header[len(prefix):]; b.fold {
				name = strings.ToLower(name)
			}
			return name, true
		}
	}
	return "", false
}

// header returns the event's attributes but datacontenttype, which is the content
// type.
func (b *binding) header(e *Event) map[string]string {
	header := map[string]string{}
	for name, text := range e.attributes {
		if name != "datacontenttype" {
			header[b.prefixes[0]+name] = b.encode(text)
		}
	}
	return header
}

// isEvent reports a header with a specversion.
func (b *binding) isEvent(header map[string]string) bool {
	for name := range header {
		if attribute, ok := b.attribute(name); ok && attribute == "specversion" {
			return true
		}
	}
	return false
}

// parse makes an event of a header and what came with it.
func (b *binding) parse(header map[string]string, contentType string, body []byte) (*Event, error) {
	if !b.isEvent(header) {
		return nil, fmt.Errorf("%w: specversion is missing", ErrEvent)
	}
	e := &Event{Data: body}
	seen := map[string]bool{"datacontenttype": true}
	for name, value := range header {
		attribute, ok := b.attribute(name)
		if !ok {
			continue
		}
		if seen[attribute] {
			return nil, fmt.Errorf("%w: an attribute is there twice, or is the content type", ErrEvent)
		}
		seen[attribute] = true
		text, err := b.decode(value)
		if err == nil {
			err = e.set(attribute, text)
		}
		if err != nil {
			return nil, err
		}
	}
	e.DataContentType = contentType
	if len(body) == 0 {
		e.Data = nil
	}
	e.Binary = !e.IsJSON() && !utf8.Valid(body)
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return e, nil
}

package amqpin

import (
	"fmt"
	"strconv"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

// typeValue is the media type of an encoded AMQP value: wire format amqp-json reads
// it.
const typeValue = value.MediaType

// fieldPrefix begins the names of metadata that are fields of the message.
const fieldPrefix = "amqp."

// frameOf returns a message as what a wire format reads.
func frameOf(m *message.Message) (wireformat.Frame, error) {
	f := wireformat.Frame{Header: headerOf(m)}
	if p := m.Properties; p != nil && p.ContentType != nil {
		f.ContentType = *p.ContentType
	}
	switch {
	case m.Value != nil:
		return withValue(f, m.Value)
	case len(m.Sequences) > 0:
		all := value.List{}
		for _, sequence := range m.Sequences {
			all = append(all, sequence...)
		}
		return withValue(f, all)
	case len(m.Data) == 1:
		f.Body = m.Data[0]
	default:
		for _, data := range m.Data {
			f.Body = append(f.Body, data...)
		}
	}
	return f, nil
}

// withValue makes a value the body.
func withValue(f wireformat.Frame, v value.Value) (wireformat.Frame, error) {
	switch v := v.(type) {
	case value.String:
		f.Body, f.Text = []byte(v), true
	case value.Binary:
		f.Body = v
	default:
		encoded, err := value.Append(nil, v)
		if err != nil {
			return f, fmt.Errorf("%w: %w", inbound.ErrMalformed, err)
		}
		f.Body, f.ContentType = encoded, typeValue
	}
	return f, nil
}

// headerOf returns the fields of a message as metadata. Those of the message go
// before application properties with the same names.
func headerOf(m *message.Message) map[string]string {
	header := map[string]string{}
	for _, entry := range m.ApplicationProperties {
		if name, ok := entry.Key.(value.String); ok {
			header[string(name)] = textOf(entry.Value)
		}
	}
	set := func(name, text string) {
		if text != "" {
			header[fieldPrefix+name] = text
		}
	}
	for _, entry := range m.MessageAnnotations {
		if name, ok := entry.Key.(value.Symbol); ok {
			set("annotation."+string(name), textOf(entry.Value))
		}
	}
	if h := m.Header; h != nil {
		if h.Priority != nil {
			set("priority", strconv.Itoa(int(*h.Priority)))
		}
		if h.DeliveryCount > 0 {
			set("delivery-count", strconv.FormatUint(uint64(h.DeliveryCount), 10))
		}
	}
	if p := m.Properties; p != nil {
		for name, text := range map[string]*string{
			"to": p.To, "subject": p.Subject, "reply-to": p.ReplyTo, "content-encoding": p.ContentEncoding,
			"group-id": p.GroupID, "reply-to-group-id": p.ReplyToGroupID,
		} {
			if text != nil {
				set(name, *text)
			}
		}
		set("correlation-id", textOf(p.CorrelationID))
		set("message-id", textOf(p.MessageID))
		if _, err := transport.ParseID(textOf(p.MessageID)); err == nil {
			header[inbound.HeaderMessageID] = textOf(p.MessageID)
		}
	}
	return header
}

// textOf writes a simple value as text.
func textOf(v value.Value) string {
	switch v := v.(type) {
	case nil, value.Null:
		return ""
	case value.String:
		return string(v)
	case value.Symbol:
		return string(v)
	case value.Binary:
		return string(v)
	case value.UUID:
		return transport.ID(v).String()
	default:
		return fmt.Sprint(v)
	}
}

package wampout

import (
	"errors"

	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// payloadOf makes the arguments of a message.
func payloadOf(json serializer.Serializer, m *outbound.Message, how form) (wamp.Payload, error) {
	if how == formRaw {
		return rawPayload(m), nil
	}
	values, err := json.Unserialize(m.Payload)
	if err != nil {
		return wamp.Payload{}, errors.New("the payload is not JSON, which the endpoint's query asks for")
	}
	if how == formValue {
		return wamp.Payload{Args: values}, nil
	}
	switch v := values[0].(type) {
	case []any:
		return wamp.Payload{Args: v}, nil
	case map[string]any:
		return wamp.Payload{Kwargs: v}, nil
	}
	return wamp.Payload{}, errors.New("the payload is neither a JSON array nor an object, which payload=args asks for")
}

func rawPayload(m *outbound.Message) wamp.Payload {
	p := wamp.Payload{Args: []any{m.Payload}, Kwargs: map[string]any{"id": m.ID.String()}}
	if m.Text {
		p.Args[0] = string(m.Payload)
	}
	if m.ContentType != "" {
		p.Kwargs["content_type"] = m.ContentType
	}
	if len(m.Metadata) > 0 {
		metadata := make(map[string]any, len(m.Metadata))
		for name, value := range m.Metadata {
			metadata[name] = value
		}
		p.Kwargs["metadata"] = metadata
	}
	return p
}

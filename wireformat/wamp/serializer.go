package wamp

import (
	"errors"
	"fmt"
	"maps"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// SerializerOptions are the options of [NewSerializer]. The zero value works.
type SerializerOptions struct {
	// Payload serializes arguments, where that is not to be done by the serializer
	// of the message: the message then carries them as bytes. Default: the same.
	Payload serializer.Serializer
	// Types are messages beside those of [Types], or in their place. Default: none.
	Types map[Type]ParseFunc
}

// Serializer turns messages into bytes and back: autobahn's ISerializer. Make one
// with [NewSerializer].
type Serializer struct {
	wire, payload serializer.Serializer
	separate      bool // payload is another one
	types         map[Type]ParseFunc
}

// NewSerializer returns a serializer of messages in a format.
func NewSerializer(wire serializer.Serializer, options SerializerOptions) (*Serializer, error) {
	if wire == nil {
		return nil, errors.New("wamp serializer: wire is nil: give a serializer such as JSON")
	}
	s := &Serializer{wire: wire, payload: wire, types: Types()}
	if options.Payload != nil && options.Payload.Info().ID != wire.Info().ID {
		if options.Payload.Info().Batched {
			return nil, errors.New("wamp serializer: Payload is batched: a payload is one value")
		}
		s.payload, s.separate = options.Payload, true
	}
	maps.Copy(s.types, options.Types)
	return s, nil
}

// ID is WAMP's name for the format of messages: SERIALIZER_ID.
func (s *Serializer) ID() string { return s.wire.Info().ID }

// PayloadID is WAMP's name for the format of arguments: PAYLOAD_SERIALIZER_ID.
func (s *Serializer) PayloadID() string { return s.payload.Info().ID }

// RawSocketID is the format's number in RawSocket: RAWSOCKET_SERIALIZER_ID.
func (s *Serializer) RawSocketID() int { return s.wire.Info().RawSocket }

// MediaType is the format's media type: MIME_TYPE.
func (s *Serializer) MediaType() string { return s.wire.Info().MediaType() }

// Subprotocol is the WebSocket sub-protocol.
func (s *Serializer) Subprotocol() string { return s.wire.Info().Subprotocol }

// Binary says that messages are binary frames.
func (s *Serializer) Binary() bool { return s.wire.Info().Binary }

// Types returns the messages it reads: MESSAGE_TYPE_MAP. The map is the caller's.
func (s *Serializer) Types() map[Type]ParseFunc { return maps.Clone(s.types) }

// schemeSeparate marks arguments in another format than the message's.
const schemeSeparate = "x_serialized"

// Serialize appends a message to dst, and says whether the bytes are binary.
func (s *Serializer) Serialize(dst []byte, m Message) (bytes []byte, binary bool, err error) {
	if carrier, ok := m.(Carrier); ok && s.separate {
		if m, err = s.separated(carrier); err != nil {
			return dst, s.Binary(), err
		}
	}
	bytes, err = s.wire.Serialize(dst, m.List())
	if err != nil {
		err = fmt.Errorf("%v: %w", m.Type(), err)
	}
	return bytes, s.Binary(), err
}

// separated returns the message with its arguments in bytes, unless they are so
// already.
func (s *Serializer) separated(m Carrier) (Message, error) {
	p, _ := m.Carries()
	if p.IsZero() || p.Opaque != nil {
		return m, nil
	}
	encoded, err := s.payload.Serialize(nil, map[string]any{"args": p.Args, "kwargs": p.Kwargs})
	if err != nil {
		return nil, fmt.Errorf("%v: %w", m.Type(), err)
	}
	return (&EncodedPayload{Payload: encoded, Algo: schemeSeparate, Serializer: s.PayloadID()}).Attach(m, StyleEnc), nil
}

// Unserialize reads the messages in a frame, one of them unless the format is
// batched. binary is what kind of frame it was. The error is a [*ProtocolError] or
// a [*serializer.Error].
func (s *Serializer) Unserialize(b []byte, binary bool) ([]Message, error) {
	if binary != s.Binary() {
		return nil, &ProtocolError{Message: "message", Reason: fmt.Sprintf("a frame is of the wrong kind for %s", s.ID())}
	}
	values, err := s.wire.Unserialize(b)
	if err != nil {
		return nil, err
	}
	messages := make([]Message, 0, len(values))
	for _, v := range values {
		list, ok := v.([]any)
		if !ok {
			return nil, &ProtocolError{Message: "message", Reason: "it is no list"}
		}
		m, err := Parse(list, s.types)
		if err == nil && s.separate {
			m, err = s.joined(m)
		}
		if err != nil {
			return nil, err
		}
		messages = append(messages, m)
	}
	return messages, nil
}

// joined reads arguments that separated has written.
func (s *Serializer) joined(m Message) (Message, error) {
	carrier, ok := m.(Carrier)
	if !ok {
		return m, nil
	}
	p, attributes := carrier.Carries()
	if attributes["enc_algo"] != schemeSeparate || attributes["enc_serializer"] != s.PayloadID() {
		return m, nil
	}
	wrong := &ProtocolError{m.Type().String(), "Arguments", "the arguments are not what their serializer writes"}
	values, err := s.payload.Unserialize(p.Opaque)
	if err != nil {
		return nil, err
	}
	both, ok := values[0].(map[string]any)
	if !ok {
		return nil, wrong
	}
	args, argsOK := both["args"].([]any)
	kwargs, kwargsOK := both["kwargs"].(map[string]any)
	if !argsOK || !kwargsOK {
		return nil, wrong
	}
	rest := maps.Clone(attributes)
	delete(rest, "enc_algo")
	delete(rest, "enc_serializer")
	return carrier.With(Payload{Args: args, Kwargs: kwargs}, rest), nil
}

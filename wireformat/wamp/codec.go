package wamp

import (
	"context"
	"errors"
)

// Role is which end of a message a peer is: autobahn's is_originating.
type Role int

const (
	// Originator publishes or calls.
	Originator Role = iota
	// Responder subscribes, or is called.
	Responder
)

// ErrPayload is the kind of error for a payload that a codec cannot encode or
// decode. Nothing is sent or taken in its place.
var ErrPayload = errors.New("WAMP payload")

// Codec encodes application payloads: autobahn's IPayloadCodec.
type Codec interface {
	// Encode returns the encoded payload for a topic or a procedure, nil where it is
	// to travel in clear.
	Encode(ctx context.Context, role Role, uri string, p Payload) (*EncodedPayload, error)
	// Decode returns the payload, and the URI that it was encoded for.
	Decode(ctx context.Context, role Role, uri string, e *EncodedPayload) (string, Payload, error)
}

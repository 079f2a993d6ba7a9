package value

import "errors"

// Kinds of failure, for errors.Is.
var (
	// ErrMalformed: the bytes are not an AMQP value.
	ErrMalformed = errors.New("malformed AMQP value")
	// ErrLimit: the value exceeds [Limits].
	ErrLimit = errors.New("AMQP value over the limit")
	// ErrInvalid: AMQP has no such value, such as a symbol that is not ASCII.
	ErrInvalid = errors.New("invalid AMQP value")
)

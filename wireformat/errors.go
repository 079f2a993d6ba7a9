package wireformat

import (
	"errors"
	"fmt"
)

// Kinds of failure, for errors.Is. Their texts are ACA-Py's error codes.
var (
	ErrParse         = errors.New("message_parse_error")
	ErrEncode        = errors.New("message_encode_error")
	ErrRecipientKeys = errors.New("recipient_keys_error")
	// ErrUnknown: no format has that name or media type.
	ErrUnknown = errors.New("unknown wire format")
	// ErrDuplicate: the name or the media type is taken.
	ErrDuplicate = errors.New("wire format already registered")
)

// Error says which format failed at what. It never holds the payload.
type Error struct {
	Kind   error  // ErrParse, ErrEncode or ErrRecipientKeys
	Format string // name
	Err    error
}

func (e *Error) Error() string {
	return fmt.Sprintf("wire format %s: %v: %v", e.Format, e.Kind, e.Err)
}

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Cause returns what is in the error of a format, for a format around it that makes
// an error of its own; any other error it returns as it is.
func Cause(err error) error {
	if inner, ok := errors.AsType[*Error](err); ok {
		return inner.Err
	}
	return err
}

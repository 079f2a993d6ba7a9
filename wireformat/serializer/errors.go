package serializer

import (
	"errors"
	"fmt"
)

// Kinds of failure, for errors.Is.
var (
	ErrSerialize   = errors.New("cannot serialize")
	ErrUnserialize = errors.New("cannot unserialize")
	// ErrUnknown: no serializer has that id, media type or number.
	ErrUnknown = errors.New("unknown serializer")
	// ErrReserved: WAMP has given the id to a format that is not built in.
	ErrReserved = fmt.Errorf("%w: reserved", ErrUnknown)
	// ErrDuplicate: the id, media type or sub-protocol is taken.
	ErrDuplicate = errors.New("serializer already registered")
)

// Error says which serializer failed, and why.
type Error struct {
	Kind error  // ErrSerialize or ErrUnserialize
	ID   string // the serializer's
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %v: %v", e.ID, e.Kind, e.Err) }

// Unwrap returns the kind and the cause.
func (e *Error) Unwrap() []error { return []error{e.Kind, e.Err} }

// Causes that several serializers share.
var (
	errCut         = errors.New("it ends in the middle of a value")
	errTrailing    = errors.New("there are bytes after the value")
	errTwice       = errors.New("a map has a key twice")
	errText        = errors.New("a string is not UTF-8")
	errEmpty       = errors.New("it is empty")
	errStringKeys  = errors.New("a map has a key that is no string: this format has string keys only")
	errLongInteger = errors.New("an integer has more than 8192 bits")
)

func errLong(length, limit int) error {
	return fmt.Errorf("it has %d bytes: at most %d are allowed", length, limit)
}

func errDeep(limit int) error {
	return fmt.Errorf("it nests deeper than %d levels", limit)
}

func errMany(limit int) error {
	return fmt.Errorf("it has more than %d values", limit)
}

func errNoForm(v any, format string) error {
	return fmt.Errorf("%s has no form for %T", format, v)
}

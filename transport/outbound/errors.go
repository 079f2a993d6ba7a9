package outbound

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// Kinds of error, for errors.Is. ErrTransport covers the other two.
var (
	ErrTransport    = errors.New("outbound transport error")
	ErrDelivery     = fmt.Errorf("%w: delivery", ErrTransport)
	ErrRegistration = fmt.Errorf("%w: registration", ErrTransport)

	// ErrQueueFull: the manager holds as much as it may. Nothing was kept; try
	// again when messages have left.
	ErrQueueFull = errors.New("queue is full")
	// ErrTooLarge: the messages are more than the manager may ever hold: they will not
	// fit later either. Nothing was kept.
	ErrTooLarge = errors.New("more than the queue may ever hold")
	// ErrPayloadTooLarge: one payload, as it is or encoded, is more than MaxMessageBytes
	// or the profile's limit. It comes in a FieldError.
	ErrPayloadTooLarge = errors.New("is larger than a message may be")
	// ErrNotStarted: the manager takes messages once Start has returned.
	ErrNotStarted = errors.New("manager has not been started")
	// ErrStopped: the manager is stopping or has stopped.
	ErrStopped = errors.New("manager is stopped")
	// ErrUnknownScheme: no transport is registered for the endpoint's scheme.
	ErrUnknownScheme = fmt.Errorf("%w: unknown scheme", ErrTransport)
)

// unknownSchemeError is the registry's error, which says all there is to say, as an
// ErrUnknownScheme.
type unknownSchemeError struct{ error }

// Unwrap returns ErrUnknownScheme and the registry's error.
func (e unknownSchemeError) Unwrap() []error { return []error{ErrUnknownScheme, e.error} }

// DeliveryError says why an attempt did not deliver. Transports return it.
type DeliveryError struct {
	// Op is what failed: "dial", "post", "accept".
	Op string
	// Transport is the name of the driver: "http".
	Transport string
	// Endpoint is where to; it prints redacted.
	Endpoint transport.Endpoint
	// Class is what it means for the message. Default: temporary.
	Class transport.Class
	// MaybeSent is false only where nothing of the payload left the process.
	MaybeSent bool
	// RetryAfter is how long the destination asks to be left alone; it pauses the
	// lane. Zero: it does not ask.
	RetryAfter time.Duration
	// Gone says that the destination is there no more: it is paused until
	// somebody resumes it.
	Gone bool
	// Uncounted says that nothing was sent, through no fault of the message: a broker
	// gives no credit. The attempt does not count, and is made again after RetryAfter,
	// as long as the age that the policy allows; a message with alternates goes on to
	// these, as after any failure.
	Uncounted bool
	// Away says that the destination is not there, will come by itself, and nothing
	// was sent: the attempt does not count, and the lane waits for
	// [Manager.Arrived].
	Away bool
	// Code is the protocol's own word: "503".
	Code string
	// Response is the start of what the peer answered.
	Response []byte
	// Err is the cause. Its text must hold no secrets.
	Err error
}

// Error returns the facts in one line, without secrets.
func (e *DeliveryError) Error() string {
	what := slices.DeleteFunc([]string{e.Transport, e.Op, e.Endpoint.String()}, isEmpty)
	facts := []string{strings.Join(what, " "), e.Code}
	if e.Err != nil {
		facts = append(facts, e.Err.Error())
	}
	return strings.Join(slices.DeleteFunc(facts, isEmpty), ": ")
}

func isEmpty(s string) bool { return s == "" }

// Unwrap returns ErrDelivery and the cause.
func (e *DeliveryError) Unwrap() []error { return []error{ErrDelivery, e.Err} }

// RegistrationError says why a transport was not registered.
type RegistrationError struct {
	Op     string // "register" where it is empty
	Scheme string // empty when the cause names it, or it is not about one scheme
	Err    error
}

func (e *RegistrationError) Error() string {
	text := cmp.Or(e.Op, "register") + " transport"
	if e.Scheme != "" {
		text += fmt.Sprintf(" for scheme %q", e.Scheme)
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns ErrRegistration and the cause.
func (e *RegistrationError) Unwrap() []error { return []error{ErrRegistration, e.Err} }

// FieldError says which field of a message is wrong and what to do.
type FieldError struct {
	Field string // as the HTTP API names it: "endpoint"
	Err   error
}

func (e *FieldError) Error() string { return fmt.Sprintf("%s: %v", e.Field, e.Err) }

// Unwrap returns the cause.
func (e *FieldError) Unwrap() error { return e.Err }

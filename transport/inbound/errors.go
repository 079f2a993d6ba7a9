package inbound

import (
	"errors"

	"github.com/outrider-go/outrider/wireformat"
)

// Why a message is not taken. A handler and a [Tenants] return them, or errors
// that wrap them; any other error is a failure of ours.
var (
	// ErrMalformed: the message cannot be read, and never will be.
	ErrMalformed = errors.New("the message cannot be read")
	// ErrUnknownRecipient: the message is for nobody here.
	ErrUnknownRecipient = errors.New("the recipient is not known here")
	// ErrRefused: the sender may not send this.
	ErrRefused = errors.New("the message is refused")
	// ErrTooLarge: the message is longer than it may be.
	ErrTooLarge = errors.New("the message is too large")
	// ErrBusy: there is no room for the message now; later there may be.
	ErrBusy = errors.New("there is no room for the message now")
	// ErrPanicked: the handler, or what it needs, panicked. It counts as failed.
	ErrPanicked = errors.New("panicked")
	// ErrStopped: the manager is stopping or has stopped. It counts as busy.
	ErrStopped = errors.New("the manager is stopped")
)

// Refusal says in one word why a message was not taken. It is all that the peer
// is told.
type Refusal string

// The kinds of refusal.
const (
	Malformed        Refusal = "malformed"
	UnknownRecipient Refusal = "unknown_recipient"
	Refused          Refusal = "refused"
	TooLarge         Refusal = "too_large"
	Busy             Refusal = "busy"
	Failed           Refusal = "failed" // not the sender's fault; later it may work
)

// refusals are the errors that mean more than a failure.
var refusals = [...]struct {
	err error
	is  Refusal
}{
	{ErrMalformed, Malformed},
	{wireformat.ErrParse, Malformed},
	{wireformat.ErrRecipientKeys, Malformed},
	{wireformat.ErrUnknown, Malformed},
	{ErrUnknownRecipient, UnknownRecipient},
	{ErrRefused, Refused},
	{ErrTooLarge, TooLarge},
	{ErrBusy, Busy},
	{ErrStopped, Busy},
}

// RefusalOf returns what an error of [Session.Receive] means, for the peer.
func RefusalOf(err error) Refusal {
	for i := range refusals {
		if errors.Is(err, refusals[i].err) {
			return refusals[i].is
		}
	}
	return Failed
}

// Text is what a peer may read. It says nothing of the inside.
func (r Refusal) Text() string {
	switch r {
	case Malformed:
		return ErrMalformed.Error()
	case UnknownRecipient:
		return ErrUnknownRecipient.Error()
	case Refused:
		return ErrRefused.Error()
	case TooLarge:
		return ErrTooLarge.Error()
	case Busy:
		return ErrBusy.Error()
	case Failed:
	}
	return "the message could not be handled"
}

// Lasting reports whether the same message would be refused again.
func (r Refusal) Lasting() bool { return r != Busy && r != Failed }

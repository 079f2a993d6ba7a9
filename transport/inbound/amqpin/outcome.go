package amqpin

import (
	"errors"

	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/inbound"
)

// OutcomeError is an error by which a handler says how a delivery is settled. Make one
// with [Rejected], [Released] or [Modified].
type OutcomeError struct {
	settle func(d *amqp1.Delivery) error
	text   string
	is     error // of package inbound: what it means where there is no delivery
}

func (o *OutcomeError) Error() string { return o.text }

// Unwrap returns what the outcome means for transports that have none.
func (o *OutcomeError) Unwrap() error { return o.is }

// Rejected refuses the message for good: the broker does with it what it does with
// such messages. The condition is one of AMQP's, such as amqp:precondition-failed.
func Rejected(condition amqp1.Condition, description string) error {
	return &OutcomeError{
		settle: func(d *amqp1.Delivery) error { return d.Reject(condition, description) },
		text:   "rejected: " + string(condition), is: inbound.ErrRefused,
	}
}

// Released gives the message back as though it had not been delivered.
func Released() error {
	return &OutcomeError{settle: (*amqp1.Delivery).Release, text: "released", is: inbound.ErrBusy}
}

// Modified gives the message back with changes: failed counts a failed attempt,
// undeliverableHere keeps it from this link, and the annotations are merged into
// its own.
func Modified(failed, undeliverableHere bool, annotations amqp1.Annotations) error {
	return &OutcomeError{
		settle: func(d *amqp1.Delivery) error { return d.Modify(failed, undeliverableHere, annotations) },
		text:   "modified", is: inbound.ErrBusy,
	}
}

// settle settles a delivery by what came of it.
func settle(d *amqp1.Delivery, err error) error {
	if err == nil {
		return d.Accept()
	}
	if outcome, ok := errors.AsType[*OutcomeError](err); ok {
		return outcome.settle(d)
	}
	switch refusal := inbound.RefusalOf(err); refusal {
	case inbound.Malformed:
		return d.Reject(amqp1.DecodeError, refusal.Text())
	case inbound.UnknownRecipient:
		return d.Reject(amqp1.NotFound, refusal.Text())
	case inbound.Refused:
		return d.Reject(amqp1.UnauthorizedAccess, refusal.Text())
	case inbound.TooLarge:
		return d.Reject(amqp1.MessageSizeExceeded, refusal.Text())
	case inbound.Busy:
		return d.Release()
	case inbound.Failed:
	}
	return d.Modify(true, false, nil)
}

// isReturned reports whether an error has the message given back, so that it is
// delivered again.
func isReturned(err error) bool {
	if outcome, ok := errors.AsType[*OutcomeError](err); ok {
		return errors.Is(outcome.is, inbound.ErrBusy)
	}
	refusal := inbound.RefusalOf(err)
	return refusal == inbound.Busy || refusal == inbound.Failed
}

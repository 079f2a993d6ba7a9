package amqpin

import (
	"errors"

	"github.com/outrider-go/outrider/transport/amqp1"
	"github.com/outrider-go/outrider/transport/inbound"
)

// Outcome is an error by which a handler says how a delivery is settled. Make one
// with [Rejected], [Released] or [Modified].
type Outcome struct {
	settle func(d *amqp1.Delivery) error
	text   string
	is     error // of package inbound: what it means where there is no delivery
}

func (o *Outcome) Error() string { return o.text }

// Unwrap returns what the outcome means for transports that have none.
func (o *Outcome) Unwrap() error { return o.is }

// Rejected refuses the message for good: the broker does with it what it does with
// such messages. The condition is one of AMQP's, such as amqp:precondition-failed.
func Rejected(condition amqp1.Condition, description string) error {
	return &Outcome{
		settle: func(d *amqp1.Delivery) error { return d.Reject(condition, description) },
		text:   "rejected: " + string(condition), is: inbound.ErrRefused,
	}
}

// Released gives the message back as though it had not been delivered.
func Released() error {
	return &Outcome{settle: (*amqp1.Delivery).Release, text: "released", is: inbound.ErrBusy}
}

// Modified gives the message back with changes: failed counts a failed attempt,
// undeliverableHere keeps it from this link, and the annotations are merged into
// its own.
func Modified(failed, undeliverableHere bool, annotations amqp1.Annotations) error {
	return &Outcome{
		settle: func(d *amqp1.Delivery) error { return d.Modify(failed, undeliverableHere, annotations) },
		text:   "modified", is: inbound.ErrBusy,
	}
}

// settle settles a delivery by what came of it.
func settle(d *amqp1.Delivery, err error) error {
	if err == nil {
		return d.Accept()
	}
	if outcome, ok := errors.AsType[*Outcome](err); ok {
		return outcome.settle(d)
	}
	switch refusal := inbound.RefusalOf(err); refusal {
	case inbound.Malformed:
		return d.Reject("amqp:decode-error", refusal.Text())
	case inbound.UnknownRecipient:
		return d.Reject("amqp:not-found", refusal.Text())
	case inbound.Refused:
		return d.Reject("amqp:unauthorized-access", refusal.Text())
	case inbound.TooLarge:
		return d.Reject("amqp:link:message-size-exceeded", refusal.Text())
	case inbound.Busy:
		return d.Release()
	case inbound.Failed:
	}
	return d.Modify(true, false, nil)
}

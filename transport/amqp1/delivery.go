package amqp1

import (
	"context"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
)

// Delivery is a message that was received. It waits at the peer until it is settled
// by one of Accept, Reject, Release and Modify; when the link ends before, the peer
// delivers it again, to us or to another.
//
// Settling does not wait for the peer: it returns when the outcome is on its way, at
// the latest after Options.WriteTimeout. Its error says that the link has ended.
type Delivery struct {
	link    *receiverLink
	message *amqp.Message
	encoded []byte
}

// Encoded returns the message as it arrived, with all its sections.
func (d *Delivery) Encoded() []byte { return d.encoded }

// Message decodes the message, whatever types are in it. It is limited by
// Source.MaxMessageSize and the limits given; the zero value has defaults.
func (d *Delivery) Message(limits value.Limits) (*message.Message, error) {
	return message.Decode(d.encoded, limits)
}

// Tag returns the peer's tag of the delivery.
func (d *Delivery) Tag() []byte { return d.message.DeliveryTag }

// Format returns the message format, 0 for that of the specification.
func (d *Delivery) Format() uint32 { return d.message.Format }

// Node returns the address of the source.
func (d *Delivery) Node() string { return d.link.address }

// Peer returns what the peer said of itself.
func (d *Delivery) Peer() PeerInfo { return d.link.conn.info }

// Accept takes the message: the peer may forget it.
func (d *Delivery) Accept() error {
	return d.settle(d.link.receiver.AcceptMessage(context.Background(), d.message))
}

// Reject refuses the message for good. An empty condition gives no reason.
func (d *Delivery) Reject(condition Condition, description string) error {
	var reason *amqp.Error
	if condition != "" {
		reason = &amqp.Error{Condition: amqp.ErrCond(condition), Description: description}
	}
	return d.settle(d.link.receiver.RejectMessage(context.Background(), d.message, reason))
}

// Release gives the message back as if it had not been delivered.
func (d *Delivery) Release() error {
	return d.settle(d.link.receiver.ReleaseMessage(context.Background(), d.message))
}

// Modify gives the message back with changes: failed counts a failed attempt,
// undeliverableHere keeps it from this link, and the annotations are merged into the
// message's.
func (d *Delivery) Modify(failed, undeliverableHere bool, annotations Annotations) error {
	return d.settle(d.link.receiver.ModifyMessage(context.Background(), d.message, &amqp.ModifyMessageOptions{
		DeliveryFailed: failed, UndeliverableHere: undeliverableHere, Annotations: annotations,
	}))
}

func (d *Delivery) settle(err error) error {
	if err == nil {
		return nil
	}
	return d.link.conn.lost("settle", err)
}

func newDelivery(l *receiverLink, m *amqp.Message) *Delivery {
	return &Delivery{link: l, message: m, encoded: verbatim.Payload(m)}
}

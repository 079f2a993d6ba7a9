package amqp1

import (
	"maps"

	"github.com/Azure/go-amqp"
)

// State is what a peer said of a delivery (part 3, section 3.4).
type State uint8

// The states of a delivery.
const (
	// Unstated: the peer settled without saying anything. The message may have
	// arrived.
	Unstated State = iota
	// Written: we settled the delivery ourselves when we sent it. The bytes were
	// handed to the socket.
	Written
	// Received: the peer has a part of it, and did not say more.
	Received
	// Accepted: the peer's node has taken the message. The only success.
	Accepted
	// Rejected: the peer's node does not want the message.
	Rejected
	// Released: the peer's node has not looked at it.
	Released
	// Modified: the peer's node has not taken it, and says what is to change.
	Modified
)

var stateNames = [...]string{"unstated", "written", "received", "accepted", "rejected", "released", "modified"}

// String returns the state as the specification writes it.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Outcome is how a delivery ended.
type Outcome struct {
	State State
	// Condition, Description and Info are those of a rejection, where it has any.
	// The last two are the peer's words and may hold anything.
	Condition   Condition
	Description string
	Info        map[string]any
	// DeliveryFailed of Modified: count it as a failed attempt.
	DeliveryFailed bool
	// UndeliverableHere of Modified: do not send it to this node again.
	UndeliverableHere bool
	// Annotations of Modified are to be merged into the message's for the next
	// attempt.
	Annotations Annotations
}

// outcomeOf translates what go-amqp says.
func outcomeOf(state amqp.DeliveryState) Outcome {
	switch s := state.(type) {
	case *amqp.StateAccepted:
		return Outcome{State: Accepted}
	case *amqp.StateRejected:
		o := Outcome{State: Rejected}
		if s.Error != nil {
			o.Condition, o.Description, o.Info = Condition(s.Error.Condition), s.Error.Description, s.Error.Info
		}
		return o
	case *amqp.StateReleased:
		return Outcome{State: Released}
	case *amqp.StateModified:
		return Outcome{
			State: Modified, DeliveryFailed: s.DeliveryFailed, UndeliverableHere: s.UndeliverableHere,
			Annotations: maps.Clone(s.MessageAnnotations),
		}
	case *amqp.StateReceived:
		return Outcome{State: Received}
	}
	return Outcome{State: Unstated}
}

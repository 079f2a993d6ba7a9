package amqp1

import (
	"bytes"
	"slices"

	"github.com/outrider-go/outrider/transport/amqp1/value"
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
	// Condition and Description are those of a rejection, where it has any. The
	// description is the peer's and may hold anything.
	Condition   Condition
	Description string
	// DeliveryFailed of Modified: count it as a failed attempt.
	DeliveryFailed bool
	// UndeliverableHere of Modified: do not send it to this node again.
	UndeliverableHere bool
	// Annotations of Modified are to be merged into the message's for the next
	// attempt. Their keys are symbols.
	Annotations value.Map
}

// acceptedState is how nearly every outcome is encoded.
var acceptedState = []byte{0, 0x53, 0x24, 0x45}

// readOutcome reads a field that is a delivery state (part 3, section 3.4). What is
// none of the specification's states is as good as no state: of a delivery that is
// settled so, nothing is known.
func readOutcome(list *fields) Outcome {
	constructor, whole := list.next()
	if constructor != 0 {
		return Outcome{State: Unstated}
	}
	if bytes.Equal(whole, acceptedState) {
		return Outcome{State: Accepted}
	}
	code, rest, ok := descriptor(whole)
	inner, readable := openList(rest)
	if !ok || !readable {
		return Outcome{State: Unstated}
	}
	switch code {
	case 0x23:
		return Outcome{State: Received}
	case 0x24:
		return Outcome{State: Accepted}
	case 0x25:
		return readRejected(&inner)
	case 0x26:
		return Outcome{State: Released}
	case 0x27:
		o := Outcome{State: Modified, DeliveryFailed: inner.bool(), UndeliverableHere: inner.bool()}
		o.Annotations = readAnnotations(&inner)
		return o
	}
	return Outcome{State: Unstated}
}

func readRejected(list *fields) Outcome {
	said := readError(list)
	return Outcome{State: Rejected, Condition: said.condition, Description: said.description}
}

// readAnnotations reads a map of annotations. Keys that are no symbols are reserved,
// and left out.
func readAnnotations(list *fields) value.Map {
	at := list.rest
	constructor, _ := list.next()
	if constructor != 0xc1 && constructor != 0xd1 {
		return nil
	}
	// The frame is go-amqp's to change afterwards, and what is decoded points into it.
	encoded := bytes.Clone(at[:len(at)-len(list.rest)])
	v, err := value.Decode(encoded)
	if err != nil {
		return nil
	}
	all, _ := v.(value.Map)
	return slices.DeleteFunc(all, func(p value.Pair) bool { return value.TypeOf(p.Key) != value.TypeSymbol })
}

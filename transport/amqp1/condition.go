package amqp1

import (
	"slices"

	"github.com/Azure/go-amqp"
)

// Condition is the symbol of an error condition: those of the specification (part
// 2, section 2.8.14 and following), and whatever else a peer says.
type Condition string

// Conditions that mean something to this package.
const (
	ConnectionForced      = Condition(amqp.ErrCondConnectionForced)
	ConnectionRedirect    = Condition(amqp.ErrCondConnectionRedirect)
	FramingError          = Condition(amqp.ErrCondFramingError)
	InternalError         = Condition(amqp.ErrCondInternalError)
	NotFound              = Condition(amqp.ErrCondNotFound)
	UnauthorizedAccess    = Condition(amqp.ErrCondUnauthorizedAccess)
	DecodeError           = Condition(amqp.ErrCondDecodeError)
	ResourceLimitExceeded = Condition(amqp.ErrCondResourceLimitExceeded)
	NotAllowed            = Condition(amqp.ErrCondNotAllowed)
	InvalidField          = Condition(amqp.ErrCondInvalidField)
	NotImplemented        = Condition(amqp.ErrCondNotImplemented)
	ResourceLocked        = Condition(amqp.ErrCondResourceLocked)
	PreconditionFailed    = Condition(amqp.ErrCondPreconditionFailed)
	ResourceDeleted       = Condition(amqp.ErrCondResourceDeleted)
	IllegalState          = Condition(amqp.ErrCondIllegalState)
	LinkRedirect          = Condition(amqp.ErrCondLinkRedirect)
	DetachForced          = Condition(amqp.ErrCondDetachForced)
	Stolen                = Condition(amqp.ErrCondStolen)
	MessageSizeExceeded   = Condition(amqp.ErrCondMessageSizeExceeded)
	TransferLimitExceeded = Condition(amqp.ErrCondTransferLimitExceeded)
)

// Bearing says what a condition is about.
type Bearing uint8

// The bearings of a condition.
const (
	// Passing: the same may succeed later.
	Passing Bearing = iota
	// OfNode: the node, or what we may do there, has to be changed first.
	OfNode
	// OfMessage: the message will never be taken.
	OfMessage
)

// Bearing returns what a condition is about. What is not known passes.
func (c Condition) Bearing() Bearing {
	switch c {
	case UnauthorizedAccess, NotFound, NotAllowed, NotImplemented, ResourceDeleted, InvalidField:
		return OfNode
	case MessageSizeExceeded, DecodeError, PreconditionFailed:
		return OfMessage
	default:
		return Passing
	}
}

// blameless reports that a link or connection which ended with the condition did
// not end because of a message.
func (c Condition) blameless() bool {
	return slices.Contains([]Condition{
		ConnectionForced, ConnectionRedirect, LinkRedirect, DetachForced, Stolen, ResourceDeleted, NotFound, UnauthorizedAccess,
	}, c)
}

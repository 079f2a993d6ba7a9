package amqp1

import "github.com/Azure/go-amqp"

// The message and what is in it are go-amqp's.
type (
	// Message is a message in its sections (part 3, section 3.2). Exactly one of
	// Data, Value and Sequence is its body.
	Message = amqp.Message
	// MessageHeader is the header section.
	MessageHeader = amqp.MessageHeader
	// MessageProperties is the properties section.
	MessageProperties = amqp.MessageProperties
	// Annotations are the values of an annotations section.
	Annotations = amqp.Annotations
	// Symbol is text of a constrained domain.
	Symbol = amqp.Symbol
	// UUID is an AMQP uuid.
	UUID = amqp.UUID
	// Durability of a terminus.
	Durability = amqp.Durability
	// ExpiryPolicy of a terminus.
	ExpiryPolicy = amqp.ExpiryPolicy
)

// What a terminus may keep (part 3, section 3.5.5).
const (
	DurabilityNone           = amqp.DurabilityNone
	DurabilityConfiguration  = amqp.DurabilityConfiguration
	DurabilityUnsettledState = amqp.DurabilityUnsettledState
)

// When a terminus expires (part 3, section 3.5.6).
const (
	ExpiryLinkDetach      = amqp.ExpiryPolicyLinkDetach
	ExpirySessionEnd      = amqp.ExpiryPolicySessionEnd
	ExpiryConnectionClose = amqp.ExpiryPolicyConnectionClose
	ExpiryNever           = amqp.ExpiryPolicyNever
)

// bodySize is about how long the message is, for the bound of a window.
func bodySize(m *Message) int {
	size := 0
	for _, data := range m.Data {
		size += len(data)
	}
	switch value := m.Value.(type) {
	case string:
		size += len(value)
	case []byte:
		size += len(value)
	}
	return size
}

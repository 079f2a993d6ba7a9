package message

import (
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Message is an AMQP message. A section that is nil is not there.
//
// The body is one of Data, Sequences and Value: any number of data sections, any
// number of sequences, or one value. For a body that is null, Value is
// value.Null.
type Message struct {
	Header                *Header
	DeliveryAnnotations   value.Map
	MessageAnnotations    value.Map
	Properties            *Properties
	ApplicationProperties value.Map
	Data                  [][]byte
	Sequences             []value.List
	Value                 value.Value
	Footer                value.Map
}

// DefaultPriority is what counts where a header has no priority.
const DefaultPriority = 4

// Header is how the message is to be transferred (section 3.2.1).
type Header struct {
	Durable bool
	// Priority is nil for [DefaultPriority].
	Priority *uint8
	// TTL is how long the message lives, in milliseconds; nil for ever.
	TTL *uint32
	// FirstAcquirer says that nobody else has acquired the message before.
	FirstAcquirer bool
	// DeliveryCount is how often it was delivered without success before.
	DeliveryCount uint32
}

// Properties are the standard properties (section 3.2.4). Those that are nil are
// not there.
type Properties struct {
	// MessageID is a ulong, a uuid, a binary or a string.
	MessageID value.Value
	UserID    value.Binary
	To        *string
	Subject   *string
	ReplyTo   *string
	// CorrelationID has the types of MessageID.
	CorrelationID   value.Value
	ContentType     *string // ASCII
	ContentEncoding *string // ASCII
	// AbsoluteExpiryTime and CreationTime have whole milliseconds.
	AbsoluteExpiryTime *time.Time
	CreationTime       *time.Time
	GroupID            *string
	GroupSequence      *uint32
	ReplyToGroupID     *string
}

package amqp1

// EventKind says what happened.
type EventKind string

// The kinds of event.
const (
	// Connected: a connection is open; Peer says with whom.
	Connected EventKind = "connected"
	// Disconnected: a connection has ended; Err says why, nil where we closed it.
	Disconnected EventKind = "disconnected"
	// LinkReady: a link is attached and has credit.
	LinkReady EventKind = "link_ready"
	// LinkLost: a link has ended; Err says why.
	LinkLost EventKind = "link_lost"
	// MessageOut: a message was written.
	MessageOut EventKind = "message_out"
	// OutcomeKnown: a delivery was settled; Late where nobody waited for it any more.
	OutcomeKnown EventKind = "outcome"
	// StateChanged: an endpoint has another state.
	StateChanged EventKind = "state"
)

// Event is something that happened, for Options.OnEvent. Fields that do not
// belong to the kind are empty.
type Event struct {
	Kind EventKind
	// Address is the peer's host and port, and Tenant whose connection it is.
	Address, Tenant string
	// TLS says that the connection is secured.
	TLS bool
	// Peer is what it said of itself.
	Peer *PeerInfo
	// Node is the address of the link's source or target, Link its name.
	Node, Link string
	// State of the endpoint.
	State EndpointState
	// Message is the one that was sent.
	Message *Message
	// DeliveryTag is that of the delivery.
	DeliveryTag []byte
	// Outcome of the delivery.
	Outcome Outcome
	// Late: the sender had given up waiting for the outcome.
	Late bool
	Err  error
}

// EndpointState is the state of a supervised link, with the connection it needs.
type EndpointState uint8

// The states of an endpoint.
const (
	// Idle: not attached, since nothing is to be done.
	Idle EndpointState = iota
	// Connecting: connecting or attaching.
	Connecting
	// Open: attached.
	Open
	// Backoff: the peer could not be reached or refused us, and is left alone.
	Backoff
	// ShutDown: the container or the link was closed.
	ShutDown
)

var endpointStates = [...]string{"idle", "connecting", "open", "backoff", "closed"}

// String returns the state in a word.
func (s EndpointState) String() string {
	if int(s) < len(endpointStates) {
		return endpointStates[s]
	}
	return "unknown"
}

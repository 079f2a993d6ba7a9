package amqp1

import (
	"maps"
	"time"
)

// ConnectionStatus is how a connection is.
type ConnectionStatus struct {
	// Address is the peer's host and port, Peer what it said of itself.
	Address string
	Peer    PeerInfo
	// Since is when it was opened.
	Since time.Time
	// Links that are attached.
	Links int
	// Frames and bytes, as they are on the wire but for TLS.
	FramesIn, FramesOut, BytesIn, BytesOut int64
}

// Connections returns the open connections.
func (c *Container) Connections() (all []ConnectionStatus) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.pools {
		p.mu.Lock()
		for _, conn := range p.conns {
			g := conn.guard
			all = append(all, ConnectionStatus{
				Address: p.remote.Address, Peer: conn.info, Since: conn.began, Links: conn.links,
				FramesIn: g.framesIn.Load(), FramesOut: g.framesOut.Load(), BytesIn: g.bytesIn.Load(), BytesOut: g.bytesOut.Load(),
			})
		}
		p.mu.Unlock()
	}
	return all
}

// SenderStatus is how a sender is, and what became of its messages.
type SenderStatus struct {
	// Address is the peer's host and port, Node the target's address.
	Address, Node string
	State         EndpointState
	// InFlight deliveries have no outcome yet.
	InFlight int
	// Attached is how often the link was.
	Attached int64
	// Outcomes by state, and those that are not known.
	Outcomes map[State]int64
	Unknown  int64
	// Conditions that the peer gave, with outcomes and at the end of links.
	Conditions map[Condition]int64
	// LastError is nil where nothing has gone wrong.
	LastError error
}

// Status returns how the sender is.
func (s *Sender) Status() SenderStatus {
	status := SenderStatus{
		Address: s.pool.remote.Address, Node: s.target.Address, State: s.State(), InFlight: s.window.inFlight(),
		Attached: s.stats.attached.Load(), Unknown: s.stats.unknown.Load(), Outcomes: map[State]int64{},
	}
	for state := range s.stats.outcomes {
		if n := s.stats.outcomes[state].Load(); n > 0 {
			status.Outcomes[State(state)] = n
		}
	}
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	status.Conditions, status.LastError = maps.Clone(s.stats.conditions), s.stats.lastErr
	return status
}

// Senders returns how the senders are that the container remembers.
func (c *Container) Senders() (all []SenderStatus) {
	c.mu.Lock()
	senders := make([]*Sender, 0, len(c.senders))
	for _, s := range c.senders {
		senders = append(senders, s)
	}
	c.mu.Unlock()
	for _, s := range senders {
		all = append(all, s.Status())
	}
	return all
}

// Attachment is what is known of a link that is attached.
type Attachment struct {
	Peer PeerInfo
	// Node is the address of the target: the peer's name, where it is dynamic.
	Node string
	// Link is the link's name.
	Link string
	// Credit is how many messages the peer takes now.
	Credit int
	// MaxMessageSize in bytes; 0: any.
	MaxMessageSize uint64
}

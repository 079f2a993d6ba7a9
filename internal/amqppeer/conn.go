package amqppeer

import (
	"bufio"
	"io"
	"net"
	"sync"
)

// Conn is a connection to the peer.
type Conn struct {
	peer *Peer
	net  net.Conn
	in   *bufio.Reader

	// User is the identity that SASL found.
	User string

	mu     sync.Mutex // guards what follows
	out    *bufio.Writer
	settle map[uint16]*settlement
	tagged uint64          // deliveries of the peer
	ended  map[uint16]bool // sessions that the peer has ended

	links map[linkKey]*Link // the serving goroutine's, and under the peer's lock
}

// linkKey is a session's channel and the client's handle.
type linkKey struct {
	channel uint16
	handle  uint32
}

// Link is a link that a client attached. The peer has the client's channel and
// handle for its own.
type Link struct {
	conn     *Conn
	key      linkKey
	address  string
	received uint32 // deliveries, where the client sends
	partial  []byte // of a delivery of more than one transfer
	id       uint32
	tag      []byte

	receives bool // the client does
	credit   uint32
	count    uint32 // deliveries to the client
	pending  map[uint32][]byte
}

// settlement is dispositions that wait for the end of the input.
type settlement struct {
	first, last uint32
	state       any
}

func newConn(p *Peer, connection net.Conn) *Conn {
	return &Conn{
		peer: p, net: connection,
		in: bufio.NewReaderSize(connection, 64<<10), out: bufio.NewWriterSize(connection, 64<<10),
		settle: map[uint16]*settlement{}, ended: map[uint16]bool{}, links: map[linkKey]*Link{},
	}
}

// Send sends a performative. It does not wait for the end of the input.
func (c *Conn) Send(channel uint16, code uint64, fields ...any) {
	c.SendRaw(Encode(TypeAMQP, channel, Performative(nil, code, fields...)))
}

// SendRaw sends bytes as they are.
func (c *Conn) SendRaw(b []byte) {
	c.write(b)
	c.flush()
}

// Drop ends the connection without a word.
func (c *Conn) Drop() { _ = c.net.Close() }

func (c *Conn) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.put(b)
}

// put is for those who hold the lock.
func (c *Conn) put(b []byte) {
	if rewrite := c.peer.options.Rewrite; rewrite != nil {
		b = rewrite(b)
	}
	_, _ = c.out.Write(b)
}

// flush sends what was written, dispositions first.
func (c *Conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for channel := range c.settle {
		c.writeSettlement(channel)
	}
	_ = c.out.Flush()
}

// writeSettlement is for those who hold the lock.
func (c *Conn) writeSettlement(channel uint16) {
	s := c.settle[channel]
	if s == nil {
		return
	}
	delete(c.settle, channel)
	c.put(Encode(TypeAMQP, channel, Performative(nil, Disposition, true, s.first, s.last, true, s.state)))
}

// Settle settles a delivery with a state, together with others when their states
// are alike: at the latest when there is nothing more to read.
func (c *Conn) Settle(d *Delivery, state any) {
	if d.Settled {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	described, _ := state.(Described)
	simple := described.Descriptor == uint64(StateAccepted)
	if s := c.settle[d.Channel]; s != nil {
		if simple && d.ID == s.last+1 {
			s.last = d.ID
			return
		}
		c.writeSettlement(d.Channel)
	}
	c.settle[d.Channel] = &settlement{d.ID, d.ID, state}
	if !simple {
		c.writeSettlement(d.Channel)
	}
}

// serve speaks with a client until one of them has enough.
func (c *Conn) serve() {
	defer c.flush()
	if len(c.peer.options.Greeting) > 0 {
		var header [8]byte
		_, _ = io.ReadFull(c.in, header[:])
		c.SendRaw(c.peer.options.Greeting)
		return
	}
	if !c.greet() {
		return
	}
	for {
		if c.in.Buffered() == 0 {
			c.flush()
		}
		f, err := readFrame(c.in)
		if err != nil {
			return
		}
		if script := c.peer.options.Script; script != nil && script(c, f) {
			continue
		}
		if !c.handle(f) {
			return
		}
	}
}

// greet answers the protocol's header, and makes SASL first where the client asks
// for it.
func (c *Conn) greet() bool {
	for {
		var header [8]byte
		if _, err := io.ReadFull(c.in, header[:]); err != nil || string(header[:4]) != "AMQP" {
			return false
		}
		c.SendRaw(header[:])
		if header[4] != 3 {
			return true
		}
		if !c.authenticate() {
			return false
		}
	}
}

package amqppeer

import "math"

// Delivery is a message that arrived whole.
type Delivery struct {
	Address string // of the link's target
	Channel uint16
	Handle  uint32
	ID      uint32
	Tag     []byte
	Encoded []byte // the sections of the message
	Settled bool   // by the sender
}

// handle does what the protocol says. It returns whether the connection goes on.
func (c *Conn) handle(f *Frame) bool {
	switch f.Code {
	case Open:
		c.open()
	case Begin:
		window := uint32(math.MaxInt32)
		if c.peer.options.Window != 0 {
			window = uint32(max(c.peer.options.Window, 0))
		}
		c.Send(f.Channel, Begin, f.Channel, uint32(0), window, uint32(math.MaxInt32), uint32(255))
	case Attach:
		c.attach(f)
	case Flow:
		c.flowed(f)
	case Transfer:
		c.transfer(f)
	case Disposition:
		c.disposed(f)
	case Detach:
		c.detached(f)
		c.Send(f.Channel, Detach, f.Uint32(0), true)
	case End:
		c.forgetSession(f.Channel)
		if !c.takeEnded(f.Channel) {
			c.Send(f.Channel, End)
		}
	case Close:
		c.Send(0, Close)
		return false
	}
	return true
}

func (c *Conn) open() {
	o := c.peer.options
	var capabilities, properties any
	if o.Capabilities != nil {
		capabilities = o.Capabilities
	}
	if o.Properties != nil {
		properties = o.Properties
	}
	c.Send(0, Open, o.ContainerID, nil, o.MaxFrame, uint16(1023), nil, nil, nil, capabilities, nil, properties)
}

// terminus returns the address of a source or target and whether it is there.
func terminus(field any) (address string, dynamic, ok bool) {
	described, ok := field.(Described)
	if !ok {
		return "", false, false
	}
	fields, _ := described.Value.([]any)
	f := Frame{Fields: fields}
	return f.Text(0), f.Bool(4), true
}

func (c *Conn) attach(f *Frame) {
	receives := f.Bool(2)
	field := 6
	if receives {
		field = 5
	}
	address, dynamic, ok := terminus(f.Field(field))
	if dynamic {
		address = "dynamic-" + f.Text(0)
	}
	l := &Link{
		conn: c, key: linkKey{f.Channel, f.Uint32(1)}, address: address,
		receives: receives, pending: map[uint32][]byte{},
	}
	var refused *Error
	if c.peer.options.Refuse != nil {
		refused = c.peer.options.Refuse(address)
	}
	if refused != nil || !ok {
		c.Send(f.Channel, Attach, f.Field(0), f.Field(1), !receives, nil, nil, nil, nil, nil, nil, uint32(0))
		c.Send(f.Channel, Detach, f.Field(1), true, refused.described())
		return
	}
	c.keep(l)
	source, target := f.Field(5), f.Field(6)
	if dynamic {
		described, _ := f.Field(field).(Described)
		answer := Described{described.Descriptor, []any{address, uint32(0), Symbol("session-end"), uint32(0), true}}
		if receives {
			source = answer
		} else {
			target = answer
		}
	}
	var longest, initial any
	if c.peer.options.MaxMessage > 0 {
		longest = c.peer.options.MaxMessage
	}
	if receives {
		initial = uint32(0)
	}
	c.Send(f.Channel, Attach, f.Field(0), f.Field(1), !receives, f.Field(3), f.Field(4), source, target, nil, nil, initial, longest)
	if !receives && c.peer.options.Credit > 0 {
		c.Grant(f.Channel, f.Uint32(1), 0, uint32(c.peer.options.Credit))
	}
}

// Grant gives a sending client credit, counted from a delivery count.
func (c *Conn) Grant(channel uint16, handle, count, credit uint32) {
	window := uint32(math.MaxInt32)
	if c.peer.options.Window != 0 {
		window = uint32(max(c.peer.options.Window, 0))
	}
	c.Send(channel, Flow, uint32(0), window, uint32(0), uint32(math.MaxInt32), handle, count, credit)
}

func (c *Conn) keep(l *Link) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	c.links[l.key] = l
	if l.receives {
		c.peer.node(l.address).join(l)
	}
}

// transfer gathers the transfers of a delivery and has it answered.
func (c *Conn) transfer(f *Frame) {
	l := c.links[linkKey{f.Channel, f.Uint32(0)}]
	if l == nil {
		return
	}
	if id, ok := f.Field(1).(uint32); ok {
		l.id = id
		l.tag, _ = f.Field(2).([]byte)
	}
	l.partial = append(l.partial, f.Payload...)
	if f.Bool(5) {
		return
	}
	d := &Delivery{
		Address: l.address, Channel: f.Channel, Handle: l.key.handle, ID: l.id, Tag: l.tag,
		Encoded: l.partial, Settled: f.Bool(4),
	}
	l.partial = nil
	l.received++
	c.peer.Deliveries.Add(1)
	c.peer.options.Answer(c, d)
	if credit := c.peer.options.Credit; credit > 0 && int(l.received)%max(credit/2, 1) == 0 {
		l.grantAgain(uint32(credit))
	}
}

// grantAgain renews the credit without waiting for the end of the input.
func (l *Link) grantAgain(credit uint32) {
	l.conn.write(Encode(TypeAMQP, l.key.channel, Performative(nil, Flow,
		l.received, uint32(math.MaxInt32), uint32(0), uint32(math.MaxInt32), l.key.handle, l.received, credit)))
}

func (c *Conn) detached(f *Frame) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	c.forget(func(l *Link) bool { return l.key == linkKey{f.Channel, f.Uint32(0)} })
}

// takeEnded reports whether the peer has ended the session before, once.
func (c *Conn) takeEnded(channel uint16) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	ended := c.ended[channel]
	delete(c.ended, channel)
	return ended
}

func (c *Conn) forgetSession(channel uint16) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	c.forget(func(l *Link) bool { return l.key.channel == channel })
}

func (c *Conn) forget(which func(*Link) bool) {
	for key, l := range c.links {
		if which(l) {
			delete(c.links, key)
		}
	}
	for _, n := range c.peer.nodes {
		n.leave(ofConn(c, which))
	}
}

func ofConn(c *Conn, which func(*Link) bool) func(*Link) bool {
	return func(l *Link) bool { return l.conn == c && which(l) }
}

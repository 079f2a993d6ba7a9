package amqppeer

// Accepted is the state of what was taken.
var Accepted = Described{uint64(StateAccepted), []any{}}

// Accept accepts a delivery, and passes it on where [Options.Queue] says so.
func Accept(c *Conn, d *Delivery) {
	if c.peer.options.Queue {
		c.peer.Put(d.Address, d.Encoded)
	}
	c.Settle(d, Accepted)
}

// Reject refuses a delivery, with an error where the condition is not empty.
func Reject(c *Conn, d *Delivery, condition, description string) {
	var fault any
	if condition != "" {
		fault = (&Error{Condition: condition, Description: description}).described()
	}
	c.Settle(d, Described{uint64(StateRejected), []any{fault}})
}

// Release hands a delivery back.
func Release(c *Conn, d *Delivery) { c.Settle(d, Described{uint64(StateReleased), []any{}}) }

// Modify hands a delivery back with changes.
func Modify(c *Conn, d *Delivery, failed, undeliverableHere bool, annotations Map) {
	c.Settle(d, Described{uint64(StateModified), []any{failed, undeliverableHere, annotations}})
}

// Detach ends the link of a delivery.
func (c *Conn) Detach(d *Delivery, fault *Error) {
	c.Send(d.Channel, Detach, d.Handle, true, fault.described())
}

// End ends a session.
func (c *Conn) End(channel uint16, fault *Error) {
	c.mu.Lock()
	c.ended[channel] = true
	c.mu.Unlock()
	c.Send(channel, End, fault.described())
}

// Close closes the connection in the protocol's way.
func (c *Conn) Close(fault *Error) {
	c.Send(0, Close, fault.described())
}

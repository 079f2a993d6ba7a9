package amqppeer

import (
	"encoding/binary"
	"math"
	"slices"
)

// node is an address from which clients receive. All of it is under the peer's
// lock.
type node struct {
	messages [][]byte
	links    []*Link
}

// node is for those who hold the lock.
func (p *Peer) node(address string) *node {
	n := p.nodes[address]
	if n == nil {
		n = &node{}
		p.nodes[address] = n
	}
	return n
}

func (n *node) join(l *Link) { n.links = append(n.links, l) }

// leave takes links away. What they have not settled waits for others.
func (n *node) leave(which func(*Link) bool) {
	n.links = slices.DeleteFunc(n.links, func(l *Link) bool {
		gone := which(l)
		if gone {
			for _, message := range l.pending {
				n.messages = append(n.messages, message)
			}
		}
		return gone
	})
}

// Put queues an encoded message at an address.
func (p *Peer) Put(address string, encoded []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.node(address)
	n.messages = append(n.messages, encoded)
	n.pump()
}

// Waiting returns how many messages wait at an address, unsettled ones aside.
func (p *Peer) Waiting(address string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.node(address).messages)
}

// pump sends messages while there is credit.
func (n *node) pump() {
	for _, l := range n.links {
		for l.credit > 0 && len(n.messages) > 0 {
			message := n.messages[0]
			n.messages = n.messages[1:]
			l.send(message)
		}
	}
}

// send transfers a message, in frames of at most 16 KiB.
func (l *Link) send(message []byte) {
	const most = 16 << 10
	c := l.conn
	id := c.nextID()
	tag := binary.BigEndian.AppendUint64(nil, uint64(id))
	l.pending[id] = message
	l.credit--
	l.count++
	for first := true; ; first = false {
		part := message[:min(len(message), most)]
		message = message[len(part):]
		fields := []any{l.key.handle, id, tag, uint32(0), false, len(message) > 0}
		if !first {
			fields = []any{l.key.handle, nil, nil, nil, false, len(message) > 0}
		}
		c.write(Encode(TypeAMQP, l.key.channel, append(Performative(nil, Transfer, fields...), part...)))
		if len(message) == 0 {
			break
		}
	}
	c.flush()
}

func (c *Conn) nextID() uint32 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tagged++
	return uint32(c.tagged - 1)
}

// flowed takes the credit of a client that receives, and answers a drain.
func (c *Conn) flowed(f *Frame) {
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	l := c.links[linkKey{f.Channel, f.Uint32(4)}]
	if _, ok := f.Field(4).(uint32); !ok || l == nil || !l.receives {
		return
	}
	l.credit = f.Uint32(5) + f.Uint32(6) - l.count
	c.peer.node(l.address).pump()
	if f.Bool(8) { // drain
		l.count += l.credit
		l.credit = 0
		c.Send(f.Channel, Flow, uint32(0), uint32(math.MaxInt32), uint32(0), uint32(math.MaxInt32), l.key.handle, l.count, uint32(0), nil, true)
	}
}

// disposed settles what a client received: accepted and rejected messages are
// gone, others wait again.
func (c *Conn) disposed(f *Frame) {
	if !f.Bool(0) {
		return
	}
	c.peer.mu.Lock()
	defer c.peer.mu.Unlock()
	first, last := f.Uint32(1), f.Uint32(1)
	if end, ok := f.Field(2).(uint32); ok {
		last = end
	}
	state, _ := f.Field(4).(Described)
	gone := state.Descriptor == uint64(StateAccepted) || state.Descriptor == uint64(StateRejected)
	for _, l := range c.links {
		for id, message := range l.pending {
			if id < first || id > last {
				continue
			}
			delete(l.pending, id)
			if !gone {
				n := c.peer.node(l.address)
				n.messages = append(n.messages, message)
				n.pump()
			}
		}
	}
}

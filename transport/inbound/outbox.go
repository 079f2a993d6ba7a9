package inbound

// outbox is what waits to be written to one session. It is guarded by the session.
type outbox struct {
	queue []*Outgoing
	bytes int
}

// fits reports whether a message of that size may be added.
func (b *outbox) fits(size int, o *Options) bool {
	return len(b.queue) == 0 || len(b.queue) < o.MaxReplies && b.bytes+size <= o.MaxReplyBytes
}

// half reports whether no more than half of the room is taken.
func (b *outbox) half(o *Options) bool {
	return len(b.queue) <= o.MaxReplies/2 && b.bytes <= o.MaxReplyBytes/2
}

func (b *outbox) push(o *Outgoing) {
	b.queue = append(b.queue, o)
	b.bytes += len(o.Frame.Body)
}

// pop returns the oldest, nil where there is none.
func (b *outbox) pop() *Outgoing {
	if len(b.queue) == 0 {
		return nil
	}
	first := b.queue[0]
	b.queue[0] = nil
	b.queue = b.queue[1:]
	b.bytes -= len(first.Frame.Body)
	if len(b.queue) == 0 {
		b.queue = nil // an idle session keeps no memory for it
	}
	return first
}

// remove takes a message back, and reports whether it was still here.
func (b *outbox) remove(o *Outgoing) bool {
	for i, other := range b.queue {
		if other == o {
			b.queue = append(b.queue[:i:i], b.queue[i+1:]...)
			b.bytes -= len(o.Frame.Body)
			return true
		}
	}
	return false
}

// clear returns all of them.
func (b *outbox) clear() []*Outgoing {
	all := b.queue
	*b = outbox{}
	return all
}

//go:build unix

package brokers

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// witness stands between us and a broker, and notes which messages the broker
// settled as accepted. It knows nothing of either side but the frames.
type witness struct {
	t        *testing.T
	listener net.Listener
	broker   string

	mu       sync.Mutex
	accepted map[string]int // by message-id, how often
	reached  chan struct{}  // closed when goal messages were accepted
	goal     int

	connections sync.WaitGroup
}

// watch starts a witness of a broker. reached closes when the broker has accepted
// so many messages.
func watch(t *testing.T, broker string, goal int) *witness {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, listener: listener, broker: broker, accepted: map[string]int{}, reached: make(chan struct{}), goal: goal}
	done := make(chan struct{})
	go func() { defer close(done); w.serve() }()
	t.Cleanup(func() {
		_ = listener.Close()
		<-done
		w.connections.Wait()
	})
	return w
}

func (w *witness) address() string { return w.listener.Addr().String() }

func (w *witness) serve() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.connections.Go(func() { w.connect(near) })
	}
}

// connect passes one connection on. When either side ends, both do.
func (w *witness) connect(near net.Conn) {
	defer near.Close()
	far, err := (&net.Dialer{}).DialContext(w.t.Context(), "tcp", w.broker)
	if err != nil {
		return // the broker is down
	}
	defer far.Close()
	c := &observed{witness: w, sessions: map[uint16]uint16{}, messages: map[deliveryKey]string{}}
	var both sync.WaitGroup
	both.Go(func() { defer far.Close(); defer near.Close(); pass(far, near, c.outgoing) })
	both.Go(func() { defer far.Close(); defer near.Close(); pass(near, far, c.incoming) })
	both.Wait()
}

// pass copies frames until there are no more. Each is seen before it is passed on:
// what a broker settled is known here before it is known to us.
func pass(to io.Writer, from io.Reader, see func(channel uint16, body []byte)) {
	in := bufio.NewReaderSize(from, 64<<10)
	for {
		frame, err := readFrame(in)
		if err != nil {
			return
		}
		if len(frame) > 8 && frame[5] == 0 && !bytes.HasPrefix(frame, []byte("AMQP")) {
			see(binary.BigEndian.Uint16(frame[6:]), frame[4*int(frame[4]):])
		}
		if _, err := to.Write(frame); err != nil {
			return
		}
	}
}

func readFrame(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(8)
	if err != nil {
		return nil, err
	}
	size := 8
	if !bytes.HasPrefix(head, []byte("AMQP")) {
		size = int(binary.BigEndian.Uint32(head))
	}
	frame := make([]byte, size)
	_, err = io.ReadFull(in, frame)
	return frame, err
}

// observed is what is known of one connection: which of the broker's channels are
// answers to which of ours, and which deliveries are which messages.
type observed struct {
	witness *witness

	mu       sync.Mutex
	sessions map[uint16]uint16
	messages map[deliveryKey]string
}

// deliveryKey is a delivery on one of our channels.
type deliveryKey struct {
	channel uint16
	id      value.UInt
}

// Descriptors of what is looked at (part 2, sections 2.7.2, 2.7.5, 2.7.6, 3.4.2).
const (
	performBegin       value.ULong = 0x11
	performTransfer    value.ULong = 0x14
	performDisposition value.ULong = 0x15
	stateAccepted      value.ULong = 0x24
)

func performative(body []byte) (descriptor value.ULong, fields value.List, payload []byte) {
	v, payload, err := value.Next(body)
	described, ok := v.(value.Described)
	if err != nil || !ok {
		return 0, nil, nil
	}
	descriptor, _ = described.Descriptor.(value.ULong)
	fields, _ = described.Value.(value.List)
	return descriptor, fields, payload
}

func at[T value.Value](fields value.List, i int) (T, bool) {
	if i >= len(fields) {
		var none T
		return none, false
	}
	v, ok := fields[i].(T)
	return v, ok
}

// outgoing notes the message of each of our transfers.
func (c *observed) outgoing(channel uint16, body []byte) {
	descriptor, fields, payload := performative(body)
	if descriptor != performTransfer {
		return
	}
	id, ok := at[value.UInt](fields, 1)
	m, err := message.Decode(payload, value.Limits{})
	if !ok || err != nil || m.Properties == nil {
		c.witness.t.Errorf("a transfer without an id, or without a message: %v", err)
		return
	}
	name, _ := m.Properties.MessageID.(value.String)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.messages[deliveryKey{channel, id}] = string(name)
}

// incoming notes which sessions are which, and what the broker accepts.
func (c *observed) incoming(channel uint16, body []byte) {
	switch descriptor, fields, _ := performative(body); descriptor {
	case performBegin:
		if ours, ok := at[value.UShort](fields, 0); ok {
			c.mu.Lock()
			c.sessions[channel] = uint16(ours)
			c.mu.Unlock()
		}
	case performDisposition:
		first, ok := at[value.UInt](fields, 1)
		last, ranged := at[value.UInt](fields, 2)
		state, _ := at[value.Described](fields, 4)
		if !ranged {
			last = first
		}
		if ok && state.Descriptor == stateAccepted {
			c.accept(channel, first, last)
		}
	}
}

func (c *observed) accept(channel uint16, first, last value.UInt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.witness.mu.Lock()
	defer c.witness.mu.Unlock()
	for id := first; id <= last; id++ {
		key := deliveryKey{c.sessions[channel], id}
		name, known := c.messages[key]
		if !known {
			continue
		}
		delete(c.messages, key)
		c.witness.accepted[name]++
		if len(c.witness.accepted) == c.witness.goal {
			close(c.witness.reached)
			c.witness.goal = -1
		}
	}
}

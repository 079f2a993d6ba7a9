package wsout

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/gorilla/websocket"
)

// The bits of a frame's header (RFC 6455 section 5.2).
const (
	finBit  = 0x80
	maskBit = 0x80
	// headBytes is the longest header of a frame whose length has 16 bits.
	headBytes = 2 + 2 + 4
	// shortFrame is the longest payload of such a frame that the wire collects.
	shortFrame = min(flushBytes-headBytes, 1<<16-1)
)

// writeFrame writes a message. Short ones become frames right where the wire
// collects them: gorilla's way there, through a writer, two locks and a buffer of
// its own for each message, costs as much as all the rest of an attempt.
func (c *conn) writeFrame(d *delivery) error {
	kind := websocket.BinaryMessage
	if d.text {
		kind = websocket.TextMessage
	}
	if len(d.payload) > shortFrame || c.pool.links.options.Compression {
		return c.ws.WriteMessage(kind, d.payload)
	}
	return c.wire.collectFrame(byte(kind), d.payload)
}

// collectFrame appends a message, as one masked frame, to what the next flush
// writes. It is no longer than shortFrame.
func (w *wire) collectFrame(opcode byte, payload []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.makeRoom(headBytes + len(payload)); err != nil {
		return err
	}
	w.buffer = appendFrame(w.buffer, opcode, rand.Uint32(), payload) //nolint:gosec // ChaCha8, from the system's entropy: no peer can predict it
	return nil
}

// appendFrame appends a final frame of a client.
func appendFrame(b []byte, opcode byte, key uint32, payload []byte) []byte {
	b = append(b, finBit|opcode)
	if n := len(payload); n <= 125 {
		b = append(b, maskBit|byte(n))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n)) //nolint:gosec // at most shortFrame
	}
	b = binary.LittleEndian.AppendUint32(b, key)
	start := len(b)
	b = append(b, payload...)
	mask(b[start:], key)
	return b
}

// mask is the masking of RFC 6455 section 5.3, with the key's first byte lowest.
func mask(b []byte, key uint32) {
	long := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^long)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(long >> (8 * i)) //nolint:gosec // its lowest byte is meant
	}
}

package verbatim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/Azure/go-amqp"
)

// ErrFrame says that what arrived is not a frame, or too long a one.
var ErrFrame = errors.New("malformed AMQP frame")

// Payload returns the bytes of a message that was received through [NewConn] or
// [Reframe], with all its sections.
func Payload(m *amqp.Message) []byte {
	if len(m.Data) == 1 {
		return m.Data[0]
	}
	return slices.Concat(m.Data...)
}

const (
	frameHeader  = 8 // part 2, section 2.3.1
	dataHeader   = 8 // of a data section with a size of four bytes
	typeAMQP     = 0
	performative = 0x14 // transfer
)

// Reframe appends a whole frame to dst: a transfer with its payload as a data
// section, so that go-amqp hands on the payload as it is, and every other frame
// unchanged. A transfer grows by eight bytes.
//
// Where a message has several transfers, it has several data sections, which
// together are the message.
func Reframe(dst, frame []byte) ([]byte, error) {
	if len(frame) < frameHeader || int(binary.BigEndian.Uint32(frame)) != len(frame) {
		return dst, fmt.Errorf("%w: its size is not what it says", ErrFrame)
	}
	body := 4 * int(frame[4])
	if body < frameHeader || body > len(frame) {
		return dst, fmt.Errorf("%w: its body does not begin within it", ErrFrame)
	}
	length := 0
	if frame[5] == typeAMQP {
		var err error
		if length, err = transferLength(frame[body:]); err != nil {
			return dst, err
		}
	}
	if length == 0 {
		return append(dst, frame...), nil
	}
	payload := frame[body+length:]
	dst = appendSize(dst, len(frame)+dataHeader)
	dst = append(dst, frame[4:body+length]...)
	dst = append(dst, 0x00, 0x53, 0x75, 0xb0)
	dst = appendSize(dst, len(payload))
	return append(dst, payload...), nil
}

// appendSize appends the size of a frame, or of a part of one.
func appendSize(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(n)) //nolint:gosec // a frame's own size has 32 bits
}

// transferLength returns how long the transfer is that a frame's body begins
// with, and 0 where it begins with another performative. A transfer is a list,
// so its size says where it ends.
func transferLength(body []byte) (int, error) {
	var descriptor int
	switch {
	case bytes.HasPrefix(body, []byte{0x00, 0x53, performative}):
		descriptor = 3
	case bytes.HasPrefix(body, []byte{0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, performative}):
		descriptor = 10
	default:
		return 0, nil
	}
	length, ok := listLength(body[descriptor:])
	if !ok || length > len(body)-descriptor {
		return 0, fmt.Errorf("%w: its transfer has no end", ErrFrame)
	}
	return descriptor + length, nil
}

// listLength returns how many bytes the list has at whose constructor data
// begins, if it is one.
func listLength(data []byte) (int, bool) {
	switch {
	case len(data) >= 1 && data[0] == 0x45:
		return 1, true
	case len(data) >= 2 && data[0] == 0xc0:
		return 2 + int(data[1]), true
	case len(data) >= 5 && data[0] == 0xd0:
		size := binary.BigEndian.Uint32(data[1:])
		return 5 + int(min(size, 1<<30)), true
	}
	return 0, false
}

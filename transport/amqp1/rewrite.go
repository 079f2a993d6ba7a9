package amqp1

import "encoding/binary"

// newFrame returns a frame with that performative and what follows it.
func newFrame(kind byte, channel uint16, body []byte) []byte {
	b := make([]byte, frameHeader, frameHeader+len(body))
	binary.BigEndian.PutUint32(b, uint32(frameHeader+len(body))) //nolint:gosec // frames are checked against a limit of 32 bits
	b[4], b[5] = frameHeader/4, kind
	binary.BigEndian.PutUint16(b[6:], channel)
	return append(b, body...)
}

// closingDetach returns a detach with the field "closed" set. The fields behind it
// stay.
func closingDetach(f *frame) []byte {
	list := f.fields
	list.next()
	handle := f.fields.rest[:len(f.fields.rest)-len(list.rest)]
	count := list.left
	list.next() // closed
	if count > 0 {
		count--
	}
	body := append([]byte{0, 0x53, codeDetach, 0xd0, 0, 0, 0, 0}, 0, 0, 0, byte(2+count)) //nolint:gosec // two or three fields
	body = append(append(append(body, handle...), 0x41), list.rest...)
	binary.BigEndian.PutUint32(body[4:], uint32(len(body)-8)) //nolint:gosec // as long as the frame
	return newFrame(frameAMQP, f.channel, body)
}

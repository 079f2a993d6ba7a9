package amqppeer

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// The descriptors of performatives, delivery states and sections.
const (
	Open           = 0x10
	Begin          = 0x11
	Attach         = 0x12
	Flow           = 0x13
	Transfer       = 0x14
	Disposition    = 0x15
	Detach         = 0x16
	End            = 0x17
	Close          = 0x18
	ErrorList      = 0x1d
	StateReceived  = 0x23
	StateAccepted  = 0x24
	StateRejected  = 0x25
	StateReleased  = 0x26
	StateModified  = 0x27
	SASLMechanisms = 0x40
	SASLInit       = 0x41
	SASLChallenge  = 0x42
	SASLResponse   = 0x43
	SASLOutcome    = 0x44
)

// The types of frames.
const (
	TypeAMQP = 0
	TypeSASL = 1
)

// maxFrame is the longest frame the peer reads.
const maxFrame = 1 << 20

// Frame is a frame that arrived. An empty one, a heartbeat, has the code 0.
type Frame struct {
	Channel uint16
	Code    uint64 // the performative's descriptor
	Fields  []any  // the performative's; those left out at the end are missing
	Payload []byte
}

// Field returns a field of the performative, nil where it is left out.
func (f *Frame) Field(i int) any {
	if i < len(f.Fields) {
		return f.Fields[i]
	}
	return nil
}

// Uint32 returns a field that is a uint, 0 where it is left out.
func (f *Frame) Uint32(i int) uint32 { n, _ := f.Field(i).(uint32); return n }

// Bool returns a field that is a boolean, false where it is left out.
func (f *Frame) Bool(i int) bool { is, _ := f.Field(i).(bool); return is }

// Text returns a field that is a string or a symbol, empty where it is left out.
func (f *Frame) Text(i int) string { return text(f.Field(i)) }

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case Symbol:
		return string(v)
	}
	return ""
}

// Performative appends the encoding of a performative.
func Performative(b []byte, code uint64, fields ...any) []byte {
	return appendCompound(append(b, 0x00, 0x53, byte(code)), 0xd0, fields)
}

// Encode returns a frame whose body is given.
func Encode(kind byte, channel uint16, body []byte) []byte {
	b := make([]byte, 8, 8+len(body))
	binary.BigEndian.PutUint32(b, uint32(8+len(body)))
	b[4], b[5] = 2, kind
	binary.BigEndian.PutUint16(b[6:], channel)
	return append(b, body...)
}

// readFrame reads a frame and the fields of its performative.
func readFrame(r *bufio.Reader) (*Frame, error) {
	var header [8]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(header[:])
	if size < 8 || size > maxFrame || header[4] < 2 {
		return nil, fmt.Errorf("amqppeer: frame of %d bytes", size)
	}
	body := make([]byte, size-8)
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, err
	}
	f := &Frame{Channel: binary.BigEndian.Uint16(header[6:])}
	if len(body) == 0 {
		return f, nil
	}
	value, rest, err := Decode(body)
	if err != nil {
		return nil, err
	}
	performative, _ := value.(Described)
	fields, ok := performative.Value.([]any)
	if !ok {
		return nil, errors.New("amqppeer: frame without a performative")
	}
	f.Code, _ = performative.Descriptor.(uint64)
	f.Fields, f.Payload = fields, rest
	return f, nil
}

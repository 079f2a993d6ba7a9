package amqp1

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Descriptors of the performatives that the guard looks at (AMQP 1.0 part 2,
// section 2.7, and part 5, section 5.3.3).
const (
	codeOpen        = 0x10
	codeBegin       = 0x11
	codeAttach      = 0x12
	codeFlow        = 0x13
	codeTransfer    = 0x14
	codeDisposition = 0x15
	codeDetach      = 0x16
	codeEnd         = 0x17
	codeClose       = 0x18
	codeError       = 0x1d

	codeSASLMechanisms = 0x40
	codeSASLInit       = 0x41
	codeSASLChallenge  = 0x42
	codeSASLResponse   = 0x43
	codeSASLOutcome    = 0x44
)

var performatives = map[byte]string{
	codeOpen: "open", codeBegin: "begin", codeAttach: "attach", codeFlow: "flow", codeTransfer: "transfer",
	codeDisposition: "disposition", codeDetach: "detach", codeEnd: "end", codeClose: "close",
	codeSASLMechanisms: "sasl-mechanisms", codeSASLInit: "sasl-init", codeSASLChallenge: "sasl-challenge",
	codeSASLResponse: "sasl-response", codeSASLOutcome: "sasl-outcome",
}

const (
	frameHeader = 8
	frameAMQP   = 0
	frameSASL   = 1
)

var errFrame = errors.New("a frame that cannot be read")

// frame is one on the wire. It points into somebody's buffer.
type frame struct {
	bytes   []byte // all of it
	kind    byte
	channel uint16
	code    byte   // 0: a heartbeat
	fields  fields // of the performative
}

// parseFrame reads a whole frame as far as the performative's fields.
func parseFrame(b []byte) (frame, error) {
	f := frame{bytes: b, kind: b[5], channel: binary.BigEndian.Uint16(b[6:])}
	// go-amqp does not skip an extended header: it would read another performative
	// in it than the one that was checked.
	if b[4] != frameHeader/4 {
		return f, fmt.Errorf("%w: its data offset is %d", errFrame, b[4])
	}
	if len(b) == frameHeader {
		return f, nil
	}
	code, list, ok := descriptor(b[frameHeader:])
	if !ok {
		return f, fmt.Errorf("%w: it has no performative", errFrame)
	}
	f.code = code
	if f.fields, ok = openList(list); !ok {
		return f, fmt.Errorf("%w: its %s is no list", errFrame, performatives[code])
	}
	return f, nil
}

// descriptor reads the numeric descriptor of a described value.
func descriptor(b []byte) (code byte, rest []byte, ok bool) {
	switch {
	case len(b) >= 3 && b[0] == 0 && b[1] == 0x53: // smallulong
		return b[2], b[3:], true
	case len(b) >= 10 && b[0] == 0 && b[1] == 0x80: // ulong
		if wide := binary.BigEndian.Uint64(b[2:]); wide <= 0xff {
			return byte(wide), b[10:], true
		}
	}
	return 0, nil, false
}

// fields are those of a list that have not been read yet. A field that is left
// out at the end reads as null. Nothing is allocated.
type fields struct {
	rest []byte
	left int
	bad  bool // a field could not be read: so are all behind it
}

const null = 0x40

// openList begins to read a list.
func openList(b []byte) (fields, bool) {
	if len(b) == 0 {
		return fields{}, false
	}
	var size, count, head int
	switch b[0] {
	case 0x45: // list0
		return fields{}, true
	case 0xc0: // list8
		if len(b) < 3 {
			return fields{}, false
		}
		size, count, head = int(b[1])-1, int(b[2]), 3
	case 0xd0: // list32
		if len(b) < 9 {
			return fields{}, false
		}
		size, count, head = length(b[1:], 4)-4, length(b[5:], 4), 9
	default:
		return fields{}, false
	}
	if size < 0 || size > len(b)-head || count > size {
		return fields{}, false
	}
	return fields{rest: b[head : head+size], left: count}, true
}

// next returns the constructor and the body of the next field. A described value
// is returned with the constructor 0, whole.
func (f *fields) next() (constructor byte, body []byte) {
	if f.bad || f.left == 0 {
		return null, nil
	}
	f.left--
	size, ok := valueSize(f.rest)
	if !ok {
		f.bad = true
		return null, nil
	}
	value := f.rest[:size]
	f.rest = f.rest[size:]
	if value[0] == 0 {
		return 0, value
	}
	return value[0], value[1+sizeWidth(value[0]):]
}

// skip passes over n fields.
func (f *fields) skip(n int) {
	for range n {
		f.next()
	}
}

// uint reads a field of type uint, and whether it is there.
func (f *fields) uint() (n uint32, ok bool) {
	constructor, body := f.next()
	switch constructor {
	case 0x43: // uint0
		return 0, true
	case 0x52: // smalluint
		return uint32(body[0]), true
	case 0x70: // uint
		return binary.BigEndian.Uint32(body), true
	case null:
	default:
		f.bad = true
	}
	return 0, false
}

// ushort reads a field of type ushort, and whether it is there.
func (f *fields) ushort() (n uint16, ok bool) {
	constructor, body := f.next()
	switch constructor {
	case 0x60:
		return binary.BigEndian.Uint16(body), true
	case null:
	default:
		f.bad = true
	}
	return 0, false
}

// ubyte reads a field of type ubyte, and whether it is there.
func (f *fields) ubyte() (n byte, ok bool) {
	constructor, body := f.next()
	switch constructor {
	case 0x50:
		return body[0], true
	case null:
	default:
		f.bad = true
	}
	return 0, false
}

// bool reads a field of type boolean, false where it is left out.
func (f *fields) bool() bool {
	constructor, body := f.next()
	switch constructor {
	case 0x41:
		return true
	case 0x56:
		return body[0] != 0
	case 0x42, null:
	default:
		f.bad = true
	}
	return false
}

// text reads a field that is a string, a symbol or a binary, empty where it is
// left out.
func (f *fields) text() string {
	constructor, body := f.next()
	if constructor == null {
		return ""
	}
	if kind := constructor & 0x0f; constructor < 0xa0 || constructor >= 0xc0 || kind > 3 || kind == 2 {
		f.bad = true
		return ""
	}
	return string(body)
}

// symbols reads a field that is a symbol or an array of symbols.
func (f *fields) symbols() []string {
	constructor, body := f.next()
	switch constructor {
	case null:
		return nil
	case 0xa3, 0xb3:
		return []string{string(body)}
	case 0xe0:
		return readSymbols(body, 1)
	case 0xf0:
		return readSymbols(body, 4)
	}
	f.bad = true
	return nil
}

// readSymbols reads the body of an array whose count is width bytes wide.
func readSymbols(b []byte, width int) (all []string) {
	if len(b) < width+1 {
		return nil
	}
	count := length(b, width)
	constructor := b[width]
	b = b[width+1:]
	each := sizeWidth(constructor)
	if constructor != 0xa3 && constructor != 0xb3 {
		return nil
	}
	for range count {
		if len(b) < each {
			return all
		}
		size := length(b, each)
		if size > len(b)-each {
			return all
		}
		all = append(all, string(b[each:each+size]))
		b = b[each+size:]
	}
	return all
}

// length reads a size or count of 1 or 4 bytes. It is 1 GiB at most, which no frame
// has, so that it stays a length where int has 32 bits.
func length(b []byte, width int) int {
	if width == 1 {
		return int(b[0])
	}
	return int(min(binary.BigEndian.Uint32(b), 1<<30))
}

// sizeWidth is how many bytes of size follow a constructor.
func sizeWidth(constructor byte) int {
	switch constructor >> 4 {
	case 0xa, 0xc, 0xe:
		return 1
	case 0xb, 0xd, 0xf:
		return 4
	}
	return 0
}

// deepest bounds how many descriptors may stand in front of a value.
const deepest = 8

// valueSize returns how long the value is with which b begins.
func valueSize(b []byte) (size int, ok bool) {
	at := 0
	// A descriptor is a value, and so is what it describes.
	for values, described := 1, 0; values > 0; values-- {
		if at >= len(b) {
			return 0, false
		}
		if b[at] == 0 {
			at++
			values += 2
			if described++; described > deepest {
				return 0, false
			}
			continue
		}
		plain, ok := plainSize(b[at:])
		if !ok {
			return 0, false
		}
		at += plain
	}
	return at, true
}

// plainSize is valueSize for a value without a descriptor.
func plainSize(b []byte) (size int, ok bool) {
	switch b[0] >> 4 {
	case 4:
		size = 1
	case 5:
		size = 2
	case 6:
		size = 3
	case 7:
		size = 5
	case 8:
		size = 9
	case 9:
		size = 17
	case 0xa, 0xb, 0xc, 0xd, 0xe, 0xf:
		width := sizeWidth(b[0])
		if len(b) < 1+width {
			return 0, false
		}
		size = 1 + width + length(b[1:], width)
	default:
		return 0, false
	}
	return size, size <= len(b)
}

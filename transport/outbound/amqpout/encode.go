package amqpout

import (
	"encoding/binary"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Descriptors of the sections (part 3, section 3.2).
const (
	sectionHeader                = 0x70
	sectionDeliveryAnnotations   = 0x71
	sectionMessageAnnotations    = 0x72
	sectionProperties            = 0x73
	sectionApplicationProperties = 0x74
	sectionData                  = 0x75
	sectionValue                 = 0x77
)

// encoder appends a message section by section. What it writes is made of a few types
// that are known beforehand, for which the codec of package value would make a value
// of each field first: that takes longer than the rest of an attempt.
type encoder struct {
	b     []byte
	start int // of the list or map that is open
	count int // of its elements
}

// section begins a section.
func (e *encoder) section(descriptor byte) { e.b = append(e.b, 0, 0x53, descriptor) }

// open begins a list (0xd0) or a map (0xd1).
func (e *encoder) open(constructor byte) {
	e.start, e.count = len(e.b), 0
	e.b = append(e.b, constructor, 0, 0, 0, 0, 0, 0, 0, 0)
}

// close ends what open has begun.
func (e *encoder) close() {
	binary.BigEndian.PutUint32(e.b[e.start+1:], uint32(len(e.b)-e.start-5)) //nolint:gosec // messages are bounded by the queue
	binary.BigEndian.PutUint32(e.b[e.start+5:], uint32(e.count))            //nolint:gosec // as above
}

func (e *encoder) null() { e.b, e.count = append(e.b, 0x40), e.count+1 }

func (e *encoder) bool(is bool) {
	constructor := byte(0x42)
	if is {
		constructor = 0x41
	}
	e.b, e.count = append(e.b, constructor), e.count+1
}

func (e *encoder) ubyte(n uint8) { e.b, e.count = append(e.b, 0x50, n), e.count+1 }

func (e *encoder) uint(n uint32) {
	e.count++
	if n < 256 {
		e.b = append(e.b, 0x52, byte(n))
		return
	}
	e.b = binary.BigEndian.AppendUint32(append(e.b, 0x70), n)
}

// text writes a string, null where it is empty.
func (e *encoder) text(s string) {
	if s == "" {
		e.null()
		return
	}
	e.string(s)
}

func (e *encoder) string(s string) {
	e.count++
	e.b = append(sized(e.b, 0xa1, 0xb1, len(s)), s...)
}

func (e *encoder) symbol(s string) {
	e.count++
	e.b = append(sized(e.b, 0xa3, 0xb3, len(s)), s...)
}

// optionalSymbol writes a symbol, null where it is empty.
func (e *encoder) optionalSymbol(s string) {
	if s == "" {
		e.null()
		return
	}
	e.symbol(s)
}

func (e *encoder) binary(b []byte) {
	e.count++
	e.b = append(sized(e.b, 0xa0, 0xb0, len(b)), b...)
}

// timestamp writes an instant to the millisecond, null where it is none.
func (e *encoder) timestamp(t time.Time) {
	if t.IsZero() {
		e.null()
		return
	}
	e.count++
	e.b = binary.BigEndian.AppendUint64(append(e.b, 0x83), uint64(t.UnixMilli()))
}

// value writes what a peer sent once.
func (e *encoder) value(v value.Value) error {
	b, err := value.Append(e.b, v)
	if err == nil {
		e.b, e.count = b, e.count+1
	}
	return err
}

// sized writes a constructor and a size.
func sized(b []byte, short, long byte, size int) []byte {
	if size < 256 {
		return append(b, short, byte(size)) //nolint:gosec // checked
	}
	return binary.BigEndian.AppendUint32(append(b, long), uint32(size)) //nolint:gosec // messages are bounded by the queue
}

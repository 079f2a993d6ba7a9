package amqppeer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The types of AMQP that Go lacks. The others are nil, bool, the integers, the
// floats, string, []byte and []any, which is a list.
type (
	// Symbol is ASCII text from a constrained domain.
	Symbol string
	// Map is a map as it is on the wire: keys and values in turn.
	Map []any
	// Symbols is an array of symbols.
	Symbols []Symbol
	// Described is a value with a descriptor.
	Described struct{ Descriptor, Value any }
	// Timestamp is milliseconds since 1970.
	Timestamp int64
	// UUID is a UUID.
	UUID [16]byte
	// Raw is an encoded value, for what has no type here.
	Raw []byte
)

// Append appends the encoding of a value. A value that has none is a mistake of
// the test, and becomes a string that says so.
func Append(b []byte, value any) []byte {
	switch v := value.(type) {
	case nil:
		return append(b, 0x40)
	case bool:
		if v {
			return append(b, 0x41)
		}
		return append(b, 0x42)
	case string:
		return appendSized(b, 0xa1, 0xb1, []byte(v))
	case Symbol:
		return appendSized(b, 0xa3, 0xb3, []byte(v))
	case []byte:
		return appendSized(b, 0xa0, 0xb0, v)
	case Raw:
		return append(b, v...)
	case UUID:
		return append(append(b, 0x98), v[:]...)
	case Symbols:
		return appendSymbols(b, v)
	case []any:
		return appendCompound(b, 0xd0, v)
	case Map:
		return appendCompound(b, 0xd1, v)
	case Described:
		return Append(Append(append(b, 0x00), v.Descriptor), v.Value)
	default:
		return appendNumber(b, value)
	}
}

func appendNumber(b []byte, value any) []byte {
	switch v := value.(type) {
	case uint8:
		return append(b, 0x50, v)
	case uint16:
		return binary.BigEndian.AppendUint16(append(b, 0x60), v)
	case uint32:
		return binary.BigEndian.AppendUint32(append(b, 0x70), v)
	case uint64:
		if v < 256 {
			return append(b, 0x53, byte(v))
		}
		return binary.BigEndian.AppendUint64(append(b, 0x80), v)
	case int8:
		return append(b, 0x51, byte(v))
	case int16:
		return binary.BigEndian.AppendUint16(append(b, 0x61), uint16(v))
	case int32:
		return binary.BigEndian.AppendUint32(append(b, 0x71), uint32(v))
	case int64:
		return binary.BigEndian.AppendUint64(append(b, 0x81), uint64(v))
	case Timestamp:
		return binary.BigEndian.AppendUint64(append(b, 0x83), uint64(v))
	case float32:
		return binary.BigEndian.AppendUint32(append(b, 0x72), math.Float32bits(v))
	case float64:
		return binary.BigEndian.AppendUint64(append(b, 0x82), math.Float64bits(v))
	}
	return Append(b, fmt.Sprintf("amqppeer has no encoding for %T", value))
}

func appendSized(b []byte, short, long byte, data []byte) []byte {
	if len(data) < 256 {
		b = append(b, short, byte(len(data)))
	} else {
		b = binary.BigEndian.AppendUint32(append(b, long), uint32(len(data)))
	}
	return append(b, data...)
}

func appendCompound(b []byte, code byte, values []any) []byte {
	at := len(b)
	b = append(b, code, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(values)))
	for _, value := range values {
		b = Append(b, value)
	}
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-5))
	return b
}

func appendSymbols(b []byte, symbols Symbols) []byte {
	at := len(b)
	b = append(b, 0xf0, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint32(b, uint32(len(symbols)))
	b = append(b, 0xb3)
	for _, symbol := range symbols {
		b = binary.BigEndian.AppendUint32(b, uint32(len(symbol)))
		b = append(b, symbol...)
	}
	binary.BigEndian.PutUint32(b[at+1:], uint32(len(b)-at-5))
	return b
}

var errShort = errors.New("amqppeer: value is cut short")

// Decode reads one value and returns the bytes behind it.
func Decode(b []byte) (value any, rest []byte, err error) {
	if len(b) == 0 {
		return nil, nil, errShort
	}
	code, rest := b[0], b[1:]
	if code == 0 {
		var d Described
		if d.Descriptor, rest, err = Decode(rest); err != nil {
			return nil, nil, err
		}
		d.Value, rest, err = Decode(rest)
		return d, rest, err
	}
	size, rest, err := sizeOf(code, rest)
	if err != nil {
		return nil, nil, err
	}
	value, err = decodeBody(code, rest[:size], b[:len(b)-len(rest)+size])
	return value, rest[size:], err
}

// sizeOf returns the length of a value's body, and what follows its constructor.
func sizeOf(code byte, b []byte) (size int, rest []byte, err error) {
	switch code >> 4 {
	case 4:
	case 5:
		size = 1
	case 6:
		size = 2
	case 7:
		size = 4
	case 8:
		size = 8
	case 9:
		size = 16
	case 0xa, 0xc, 0xe:
		if len(b) < 1 {
			return 0, nil, errShort
		}
		size, b = int(b[0]), b[1:]
	case 0xb, 0xd, 0xf:
		if len(b) < 4 {
			return 0, nil, errShort
		}
		size, b = int(binary.BigEndian.Uint32(b)), b[4:]
	default:
		return 0, nil, fmt.Errorf("amqppeer: constructor %#x is unknown", code)
	}
	if size > len(b) {
		return 0, nil, errShort
	}
	return size, b, nil
}

func decodeBody(code byte, b, whole []byte) (any, error) {
	switch code {
	case 0x40:
		return nil, nil
	case 0x41, 0x42:
		return code == 0x41, nil
	case 0x56:
		return b[0] != 0, nil
	case 0x98:
		return UUID(b), nil
	case 0xa1, 0xb1:
		return string(b), nil
	case 0xa3, 0xb3:
		return Symbol(b), nil
	case 0xa0, 0xb0:
		return append([]byte{}, b...), nil
	case 0x45:
		return []any{}, nil
	case 0xc0, 0xd0:
		return decodeList(code, b)
	case 0xc1, 0xd1:
		values, err := decodeList(code, b)
		return Map(values), err
	case 0xe0, 0xf0:
		return decodeSymbols(code, b, whole)
	}
	if number := decodeNumber(code, b); number != nil {
		return number, nil
	}
	return Raw(append([]byte{}, whole...)), nil
}

// decodeNumber returns nil for what is none.
func decodeNumber(code byte, b []byte) any {
	switch code {
	case 0x43, 0x52, 0x70:
		return uint32(unsigned(b))
	case 0x44, 0x53, 0x80:
		return unsigned(b)
	case 0x50:
		return b[0]
	case 0x60:
		return uint16(unsigned(b))
	case 0x51:
		return int8(b[0])
	case 0x61:
		return int16(unsigned(b))
	case 0x54:
		return int32(int8(b[0]))
	case 0x71:
		return int32(unsigned(b))
	case 0x55:
		return int64(int8(b[0]))
	case 0x81:
		return int64(unsigned(b))
	case 0x83:
		return Timestamp(unsigned(b))
	case 0x72:
		return math.Float32frombits(uint32(unsigned(b)))
	case 0x82:
		return math.Float64frombits(unsigned(b))
	}
	return nil
}

func unsigned(b []byte) (n uint64) {
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

// count reads how many elements follow, in the width that the code says.
func count(code byte, b []byte) (n int, rest []byte, err error) {
	width := 1
	if code >= 0xd0 && code != 0xe0 {
		width = 4
	}
	if len(b) < width {
		return 0, nil, errShort
	}
	return int(unsigned(b[:width])), b[width:], nil
}

func decodeList(code byte, b []byte) ([]any, error) {
	n, b, err := count(code, b)
	if err != nil || n > len(b) {
		return nil, errShort
	}
	values := make([]any, n)
	for i := range values {
		if values[i], b, err = Decode(b); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// decodeSymbols reads an array of symbols; any other array stays as it is.
func decodeSymbols(code byte, b, whole []byte) (any, error) {
	n, b, err := count(code, b)
	if err != nil || len(b) < 1 {
		return nil, errShort
	}
	constructor := b[0]
	if constructor != 0xa3 && constructor != 0xb3 {
		return Raw(append([]byte{}, whole...)), nil
	}
	b = b[1:]
	var symbols Symbols
	for range n {
		size, rest, err := sizeOf(constructor, b)
		if err != nil {
			return nil, err
		}
		symbols = append(symbols, Symbol(rest[:size]))
		b = rest[size:]
	}
	return symbols, nil
}

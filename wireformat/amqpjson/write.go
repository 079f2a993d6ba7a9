package amqpjson

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Append appends the JSON of a value to dst, without blanks. Where full is
// false, nulls, booleans and strings are abbreviated. The value must be one that
// can be encoded; the error is for what JSON has no place for.
func Append(dst []byte, v value.Value, full bool) ([]byte, error) {
	w := writer{dst: dst, full: full}
	if err := w.value(nil, v); err != nil {
		return dst, err
	}
	return w.dst, nil
}

type writer struct {
	dst  []byte
	full bool
}

// value writes a value, described where the descriptor is not nil.
func (w *writer) value(descriptor, v value.Value) error {
	if described, ok := v.(value.Described); ok {
		if descriptor != nil {
			return invalid("a value with several descriptors has no JSON form")
		}
		return w.value(orNull(described.Descriptor), described.Value)
	}
	name, abbreviable := typename(v)
	abbreviate := abbreviable && !w.full
	if abbreviate && descriptor == nil {
		return w.content(v)
	}
	w.text("{")
	if descriptor != nil {
		if value.TypeOf(descriptor) == value.TypeDescribed {
			return invalid("a descriptor with a descriptor has no JSON form")
		}
		w.text(`"descriptor":`)
		if err := w.value(nil, descriptor); err != nil {
			return err
		}
		w.text(",")
	}
	if !abbreviate {
		w.text(`"type":"`, name, `",`)
	}
	w.text(`"value":`)
	if err := w.content(v); err != nil {
		return err
	}
	w.text("}")
	return nil
}

func orNull(v value.Value) value.Value {
	if v == nil {
		return value.Null{}
	}
	return v
}

// typename returns the name of a value's type in the document, and whether the
// value may stand for itself.
func typename(v value.Value) (name string, abbreviable bool) {
	switch t := value.TypeOf(v); t {
	case value.TypeNull, value.TypeBool, value.TypeString:
		return t.String(), true
	case value.TypeDecimal32, value.TypeDecimal64, value.TypeDecimal128:
		return "decimal", false
	default:
		return t.String(), false
	}
}

func (w *writer) text(texts ...string) {
	for _, text := range texts {
		w.dst = append(w.dst, text...)
	}
}

// content writes what stands as the value of an object.
func (w *writer) content(v value.Value) error {
	switch v := v.(type) {
	case nil, value.Null:
		w.text("null")
	case value.Bool:
		w.dst = strconv.AppendBool(w.dst, bool(v))
	case value.Float:
		w.float(float64(v), uint64(math.Float32bits(float32(v))), 32)
	case value.Double:
		w.float(float64(v), math.Float64bits(float64(v)), 64)
	case value.Char:
		w.quote(string(v))
	case value.String:
		w.quote(string(v))
	case value.Symbol:
		w.quote(string(v))
	case value.UUID:
		w.quote(transport.ID(v).String())
	case value.List:
		return w.elements(nil, v)
	case value.Map:
		return w.pairs(v)
	case value.Array:
		return w.array(v)
	default:
		return w.bytes(v)
	}
	return nil
}

// bytes writes the types that stand in hex.
func (w *writer) bytes(v value.Value) error {
	switch v := v.(type) {
	case value.Decimal32:
		w.hex(v[:])
	case value.Decimal64:
		w.hex(v[:])
	case value.Decimal128:
		w.hex(v[:])
	case value.Binary:
		w.hex(v)
	default:
		return w.integer(v)
	}
	return nil
}

func (w *writer) integer(v value.Value) error {
	switch v := v.(type) {
	case value.UByte:
		w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
	case value.UShort:
		w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
	case value.UInt:
		w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
	case value.ULong:
		w.dst = strconv.AppendUint(w.dst, uint64(v), 10)
	case value.Byte:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	case value.Short:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	case value.Int:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	case value.Long:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	case value.Timestamp:
		w.dst = strconv.AppendInt(w.dst, int64(v), 10)
	default:
		return invalid("%T has no JSON form", v)
	}
	return nil
}

func (w *writer) elements(descriptor value.Value, elements []value.Value) error {
	w.text("[")
	for i, element := range elements {
		if i > 0 {
			w.text(",")
		}
		if err := w.value(descriptor, element); err != nil {
			return at(err, "value[%d]", i)
		}
	}
	w.text("]")
	return nil
}

func (w *writer) pairs(pairs value.Map) error {
	elements := make([]value.Value, 0, 2*len(pairs))
	for _, pair := range pairs {
		elements = append(elements, pair.Key, pair.Value)
	}
	return w.elements(nil, elements)
}

func (w *writer) array(v value.Array) error {
	switch len(v.Descriptors) {
	case 0:
		return w.elements(nil, v.Elements)
	case 1:
		return w.elements(orNull(v.Descriptors[0]), v.Elements)
	}
	return invalid("an array with several descriptors has no JSON form")
}

func (w *writer) hex(data []byte) {
	w.text(`"`)
	w.dst = hex.AppendEncode(w.dst, data)
	w.text(`"`)
}

// float writes a number such that it reads as one with a fraction: 1.0, not 1.
func (w *writer) float(f float64, bits uint64, width int) {
	if word, ok := words(width)[bits]; ok {
		w.quote(word)
		return
	}
	if math.IsNaN(f) {
		w.text(fmt.Sprintf(`"0x%0*x"`, width/4, bits))
		return
	}
	start := len(w.dst)
	format := byte('f')
	if size := math.Abs(f); size >= 1e16 || size < 1e-4 && size > 0 {
		format = 'e'
	}
	w.dst = strconv.AppendFloat(w.dst, f, format, -1, 64)
	if !bytes.ContainsAny(w.dst[start:], ".e") {
		w.text(".0")
	}
}

// words are those for numbers that JSON does not have, by their bits.
func words(width int) map[uint64]string {
	if width == 32 {
		return words32
	}
	return words64
}

var (
	words32 = map[uint64]string{0x7fc00000: "NaN", 0x7f800000: "Infinity", 0xff800000: "-Infinity"}
	words64 = map[uint64]string{0x7ff8 << 48: "NaN", 0x7ff0 << 48: "Infinity", 0xfff0 << 48: "-Infinity"}
)

func isNaN(bits uint64, width int) bool {
	if width == 32 {
		return math.IsNaN(float64(math.Float32frombits(uint32(bits)))) //nolint:gosec // they are 32
	}
	return math.IsNaN(math.Float64frombits(bits))
}

// quote writes a string. All but quotes, backslashes and control characters
// stand for themselves.
func (w *writer) quote(text string) {
	w.text(`"`)
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			w.dst = append(w.dst, '\\', c)
		case c == '\n':
			w.text(`\n`)
		case c == '\r':
			w.text(`\r`)
		case c == '\t':
			w.text(`\t`)
		case c < ' ':
			w.text(fmt.Sprintf(`\u%04x`, c))
		default:
			w.dst = append(w.dst, c)
		}
	}
	w.text(`"`)
}

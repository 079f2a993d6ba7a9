package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Decode decodes data, which is one value and nothing more, with the default
// [Limits].
func Decode(data []byte) (Value, error) { return Limits{}.Decode(data) }

// Next decodes the first value of data, and returns what comes after it, with
// the default [Limits].
func Next(data []byte) (v Value, rest []byte, err error) { return Limits{}.Next(data) }

// Decode decodes data, which is one value and nothing more.
func (l Limits) Decode(data []byte) (Value, error) {
	v, rest, err := l.Next(data)
	if err == nil && len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes follow it", ErrMalformed, len(rest))
	}
	return v, err
}

// Next decodes the first value of data, and returns what comes after it. Each
// [Binary] in the value is a part of data, which must not change afterwards.
func (l Limits) Next(data []byte) (v Value, rest []byte, err error) {
	l = l.Defaults()
	d := decoder{data: data[:min(len(data), l.MaxBytes)], limits: l}
	v, err = d.value(0)
	switch {
	case err == nil:
		return v, data[d.at:], nil
	case d.short && len(data) > l.MaxBytes:
		return nil, nil, fmt.Errorf("%w: longer than %d bytes", ErrLimit, l.MaxBytes)
	}
	return nil, nil, err
}

// decoder reads data from at on.
type decoder struct {
	data   []byte
	at     int
	values int  // decoded so far
	short  bool // it failed since data ended
	limits Limits
}

func (d *decoder) malformed(what string) error {
	return fmt.Errorf("%w at byte %d: %s", ErrMalformed, d.at, what)
}

// next returns the next n bytes.
func (d *decoder) next(n int) ([]byte, error) {
	if n > len(d.data)-d.at {
		d.short = true
		return nil, d.malformed("it is cut short")
	}
	d.at += n
	return slices.Clip(d.data[d.at-n : d.at]), nil
}

func (d *decoder) byte() (byte, error) {
	b, err := d.next(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (d *decoder) deeper(depth int) (int, error) {
	if depth == d.limits.MaxDepth {
		return depth, fmt.Errorf("%w: it nests deeper than %d levels", ErrLimit, d.limits.MaxDepth)
	}
	return depth + 1, nil
}

// count counts values before there is memory for them.
func (d *decoder) count(n int) error {
	if n > d.limits.MaxValues-d.values {
		return fmt.Errorf("%w: more than %d values", ErrLimit, d.limits.MaxValues)
	}
	d.values += n
	return nil
}

func (d *decoder) value(depth int) (Value, error) {
	if err := d.count(1); err != nil {
		return nil, err
	}
	code, err := d.byte()
	switch {
	case err != nil:
		return nil, err
	case code == codeDescribed:
		return d.described(depth)
	}
	return d.body(code, depth)
}

func (d *decoder) described(depth int) (Value, error) {
	depth, err := d.deeper(depth)
	if err != nil {
		return nil, err
	}
	descriptor, err := d.value(depth)
	if err != nil {
		return nil, err
	}
	v, err := d.value(depth)
	if err != nil {
		return nil, err
	}
	return Described{descriptor, v}, nil
}

// body reads what follows a constructor.
func (d *decoder) body(code byte, depth int) (Value, error) {
	t, ok := typeOfCode(code)
	switch {
	case !ok:
		d.at--
		return nil, d.malformed(fmt.Sprintf("there is no constructor %#02x", code))
	case code >= codeArray8:
		return d.array(code, depth)
	case code >= codeList8, code == codeList0:
		return d.compound(code, t, depth)
	case code >= codeBinary8:
		return d.variable(code, t)
	}
	data, err := d.next(fixedWidth(code))
	if err != nil {
		return nil, err
	}
	return d.fixed(code, t, data)
}

// fixed reads the types whose width the code says.
func (d *decoder) fixed(code byte, t Type, data []byte) (Value, error) {
	var n uint64
	if len(data) <= 8 {
		for _, b := range data {
			n = n<<8 | uint64(b)
		}
	}
	switch t {
	case TypeNull:
		return Null{}, nil
	case TypeBool:
		return d.bool(code, n)
	case TypeDecimal32:
		return Decimal32(data), nil
	case TypeDecimal64:
		return Decimal64(data), nil
	case TypeDecimal128:
		return Decimal128(data), nil
	case TypeUUID:
		return UUID(data), nil
	case TypeChar:
		if n > utf8.MaxRune || !utf8.ValidRune(rune(n)) {
			return nil, d.malformed("a char is not a Unicode character")
		}
		return Char(n), nil
	default:
		return number(t, n, len(data)), nil
	}
}

// number returns what the bits n of so many bytes are as a number.
func number(t Type, n uint64, width int) Value {
	switch t {
	case TypeUByte:
		return UByte(n) //nolint:gosec // it has one byte
	case TypeUShort:
		return UShort(n) //nolint:gosec // it has two bytes
	case TypeUInt:
		return UInt(n) //nolint:gosec // it has four bytes at most
	case TypeULong:
		return ULong(n)
	case TypeByte:
		return Byte(signed(n, width)) //nolint:gosec // it has one byte
	case TypeShort:
		return Short(signed(n, width)) //nolint:gosec // it has two bytes
	case TypeInt:
		return Int(signed(n, width)) //nolint:gosec // it has four bytes at most
	case TypeTimestamp:
		return Timestamp(signed(n, width))
	case TypeFloat:
		return Float(math.Float32frombits(uint32(n))) //nolint:gosec // it has four bytes
	case TypeDouble:
		return Double(math.Float64frombits(n))
	default:
		return Long(signed(n, width))
	}
}

// signed extends the sign of a number of so many bytes.
func signed(n uint64, width int) int64 {
	shift := 64 - 8*width
	return int64(n<<shift) >> shift //nolint:gosec // the same bits
}

func (d *decoder) bool(code byte, n uint64) (Value, error) {
	switch {
	case code == codeTrue, code == codeBool && n == 1:
		return Bool(true), nil
	case code == codeFalse, code == codeBool && n == 0:
		return Bool(false), nil
	}
	return nil, d.malformed("a boolean is neither 0 nor 1")
}

func (d *decoder) variable(code byte, t Type) (Value, error) {
	size, err := d.number(sizeWidth(code))
	if err != nil {
		return nil, err
	}
	data, err := d.next(size)
	if err != nil {
		return nil, err
	}
	switch {
	case t == TypeBinary:
		return Binary(data), nil
	case t == TypeSymbol && isASCII(data):
		return Symbol(data), nil
	case t == TypeSymbol:
		return nil, d.malformed("a symbol is not ASCII")
	case !utf8.Valid(data):
		return nil, d.malformed("a string is not UTF-8")
	}
	return String(data), nil
}

// number reads a size or a count. Where int has 32 bits, what it cannot hold is
// longer than all data there can be.
func (d *decoder) number(width int) (int, error) {
	data, err := d.next(width)
	switch {
	case err != nil:
		return 0, err
	case width == 1:
		return int(data[0]), nil
	}
	return int(min(uint64(binary.BigEndian.Uint32(data)), math.MaxInt)), nil
}

// enter reads size and count, and returns a decoder of what the size allows.
func (d *decoder) enter(code byte, depth int) (inner decoder, count, below int, err error) {
	if below, err = d.deeper(depth); err != nil {
		return decoder{}, 0, 0, err
	}
	size, err := d.number(sizeWidth(code))
	if err != nil {
		return decoder{}, 0, 0, err
	}
	start := d.at
	if _, err := d.next(size); err != nil {
		return decoder{}, 0, 0, err
	}
	inner = decoder{data: d.data[:d.at], at: start, values: d.values, limits: d.limits}
	count, err = inner.number(sizeWidth(code))
	return inner, count, below, err
}

// leave takes over what was counted, and checks that nothing is left of what the
// size allowed.
func (d *decoder) leave(inner *decoder) error {
	d.values = inner.values
	if inner.at != d.at {
		return inner.malformed("the size is not that of the elements")
	}
	return nil
}

func (d *decoder) compound(code byte, t Type, depth int) (Value, error) {
	if code == codeList0 {
		return List{}, nil
	}
	inner, count, depth, err := d.enter(code, depth)
	switch {
	case err != nil:
		return nil, err
	case count > d.at-inner.at:
		return nil, inner.malformed("it says that it has more elements than bytes")
	}
	var v Value
	if t == TypeList {
		v, err = inner.list(count, depth)
	} else {
		v, err = inner.pairs(count, depth)
	}
	if err != nil {
		return nil, err
	}
	return v, d.leave(&inner)
}

func (d *decoder) list(count, depth int) (Value, error) {
	if count > d.limits.MaxValues-d.values {
		return nil, d.count(count)
	}
	list := make(List, count)
	for i := range list {
		var err error
		if list[i], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (d *decoder) pairs(count, depth int) (Value, error) {
	switch {
	case count%2 != 0:
		return nil, d.malformed("a map has a key without a value")
	case count > d.limits.MaxValues-d.values:
		return nil, d.count(count)
	}
	pairs := make(Map, count/2)
	keys := newKeySet(len(pairs))
	var encoded []byte
	for i := range pairs {
		var err error
		if pairs[i].Key, err = d.value(depth); err != nil {
			return nil, err
		}
		if encoded, err = d.limits.Append(encoded[:0], pairs[i].Key); err != nil {
			return nil, err
		}
		if !keys.add(encoded) {
			return nil, d.malformed("a map has a key twice")
		}
		if pairs[i].Value, err = d.value(depth); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

func (d *decoder) array(code byte, depth int) (Value, error) {
	inner, count, depth, err := d.enter(code, depth)
	if err != nil {
		return nil, err
	}
	v, err := inner.elements(count, depth)
	if err != nil {
		return nil, err
	}
	return v, d.leave(&inner)
}

// elements reads the constructor of all elements, and then their bodies. A body
// may have no bytes at all, so that only the limit of values bounds the count.
func (d *decoder) elements(count, depth int) (Value, error) {
	var v Array
	code, err := d.byte()
	for err == nil && code == codeDescribed {
		if depth, err = d.deeper(depth); err != nil {
			return nil, err
		}
		var descriptor Value
		if descriptor, err = d.value(depth); err != nil {
			return nil, err
		}
		v.Descriptors = append(v.Descriptors, descriptor)
		code, err = d.byte()
	}
	if err != nil {
		return nil, err
	}
	var ok bool
	if v.Of, ok = typeOfCode(code); !ok {
		d.at--
		return nil, d.malformed(fmt.Sprintf("there is no constructor %#02x", code))
	}
	if code >= codeUByte && count > len(d.data)-d.at {
		return nil, d.malformed("it says that it has more elements than bytes")
	}
	if err := d.count(count); err != nil {
		return nil, err
	}
	v.Elements = make([]Value, count)
	for i := range v.Elements {
		if v.Elements[i], err = d.body(code, depth); err != nil {
			return nil, err
		}
	}
	return v, nil
}

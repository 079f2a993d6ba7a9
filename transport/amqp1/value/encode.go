package value

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Append appends an encoded value to dst, with the default [Limits].
func Append(dst []byte, v Value) ([]byte, error) { return Limits{}.Append(dst, v) }

// Encode encodes a value, with the default [Limits].
func Encode(v Value) ([]byte, error) { return Append(nil, v) }

// Append appends an encoded value to dst. With an error, it returns dst as it
// was.
//
// Scalars have their shortest form, compound types a size of four bytes, and
// elements of arrays the widest form: what Qpid Proton writes.
func (l Limits) Append(dst []byte, v Value) ([]byte, error) {
	e := encoder{dst: dst, start: len(dst), limits: l.Defaults()}
	if err := e.value(v, 0); err != nil {
		return dst, err
	}
	if err := e.checkSize(); err != nil {
		return dst, err
	}
	return e.dst, nil
}

// Equal reports whether two values are the same value of the same type: what
// encodes alike. Values that cannot be encoded equal none.
func Equal(a, b Value) bool {
	limits := Limits{MaxDepth: maxMaxDepth, MaxBytes: maxMaxBytes}
	x, errX := limits.Append(nil, a)
	y, errY := limits.Append(nil, b)
	return errX == nil && errY == nil && slices.Equal(x, y)
}

// encoder appends to dst, from start on. The depth that its methods are given is
// how many compound values are around.
type encoder struct {
	dst    []byte
	start  int
	limits Limits
}

func (e *encoder) checkSize() error {
	if len(e.dst)-e.start > e.limits.MaxBytes {
		return fmt.Errorf("%w: longer than %d bytes", ErrLimit, e.limits.MaxBytes)
	}
	return nil
}

func (e *encoder) deeper(depth int) (int, error) {
	if depth == e.limits.MaxDepth {
		return depth, fmt.Errorf("%w: it nests deeper than %d levels", ErrLimit, e.limits.MaxDepth)
	}
	return depth + 1, nil
}

func (e *encoder) value(v Value, depth int) error {
	if described, ok := v.(Described); ok {
		return e.described(described, depth)
	}
	if t := TypeOf(v); int(t) >= len(wideCodes) {
		return fmt.Errorf("%w: %T is no type of this package", ErrInvalid, v)
	}
	code := compactCode(v)
	e.dst = append(e.dst, code)
	return e.body(code, v, depth)
}

func (e *encoder) described(v Described, depth int) error {
	depth, err := e.deeper(depth)
	if err != nil {
		return err
	}
	e.dst = append(e.dst, codeDescribed)
	if err := e.value(v.Descriptor, depth); err != nil {
		return err
	}
	return e.value(v.Value, depth)
}

// body writes what follows a constructor.
func (e *encoder) body(code byte, v Value, depth int) error {
	switch {
	case code == codeList0:
		return nil
	case code >= codeList8:
		return e.compound(v, depth)
	case code >= codeBinary8:
		return e.variable(code, v)
	}
	return e.fixed(code, v)
}

// fixed writes the types whose width the code says.
func (e *encoder) fixed(code byte, v Value) error {
	switch v := v.(type) {
	case nil, Null:
	case Bool:
		if code == codeBool {
			e.dst = append(e.dst, bit(v))
		}
	case Decimal32:
		e.dst = append(e.dst, v[:]...)
	case Decimal64:
		e.dst = append(e.dst, v[:]...)
	case Decimal128:
		e.dst = append(e.dst, v[:]...)
	case UUID:
		e.dst = append(e.dst, v[:]...)
	default:
		return e.number(code, v)
	}
	return nil
}

func bit(v Bool) byte {
	if v {
		return 1
	}
	return 0
}

// number writes the lower bytes of a number that a code wants.
func (e *encoder) number(code byte, v Value) error {
	bits, ok := bitsOf(v)
	if !ok {
		return fmt.Errorf("%w: %T is no type of this package", ErrInvalid, v)
	}
	if char, ok := v.(Char); ok && !utf8.ValidRune(rune(char)) {
		return fmt.Errorf("%w: a char is not a Unicode character", ErrInvalid)
	}
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], bits)
	e.dst = append(e.dst, all[8-fixedWidth(code):]...)
	return nil
}

// bitsOf returns a number as two's complement, or as IEEE 754 has it.
func bitsOf(v Value) (bits uint64, ok bool) {
	switch v := v.(type) {
	case UByte:
		return uint64(v), true
	case UShort:
		return uint64(v), true
	case UInt:
		return uint64(v), true
	case ULong:
		return uint64(v), true
	case Byte:
		return complement(v), true
	case Short:
		return complement(v), true
	case Int:
		return complement(v), true
	case Long:
		return complement(v), true
	case Timestamp:
		return complement(v), true
	case Char:
		return complement(v), true
	case Float:
		return uint64(math.Float32bits(float32(v))), true
	case Double:
		return math.Float64bits(float64(v)), true
	}
	return 0, false
}

func complement[T ~int8 | ~int16 | ~int32 | ~int64](n T) uint64 {
	return uint64(n)
}

// variable writes the types with a size and then as many bytes.
func (e *encoder) variable(code byte, v Value) error {
	switch v := v.(type) {
	case Binary:
		return sized(e, code, v)
	case String:
		if !utf8.ValidString(string(v)) {
			return fmt.Errorf("%w: a string is not UTF-8", ErrInvalid)
		}
		return sized(e, code, v)
	case Symbol:
		if !isASCII(v) {
			return fmt.Errorf("%w: a symbol is not ASCII", ErrInvalid)
		}
		return sized(e, code, v)
	}
	return fmt.Errorf("%w: %T is no type of this package", ErrInvalid, v)
}

func sized[T ~string | ~[]byte](e *encoder, code byte, data T) error {
	if len(data) > e.limits.MaxBytes {
		return fmt.Errorf("%w: longer than %d bytes", ErrLimit, e.limits.MaxBytes)
	}
	if sizeWidth(code) == 1 {
		e.dst = append(e.dst, byte(len(data))) //nolint:gosec // the code is for less than 256
	} else {
		e.dst = appendSize(e.dst, len(data))
	}
	e.dst = append(e.dst, data...)
	return nil
}

// appendSize appends a size or a count, which the limit of bytes bounds.
func appendSize(dst []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(n)) //nolint:gosec // see above
}

// compound writes size and count, four bytes each, and the elements. The size
// counts what comes after itself.
func (e *encoder) compound(v Value, depth int) error {
	depth, err := e.deeper(depth)
	if err != nil {
		return err
	}
	start := len(e.dst)
	e.dst = appendSize(e.dst, 0)
	switch v := v.(type) {
	case List:
		e.dst = appendSize(e.dst, len(v))
		err = e.list(v, depth)
	case Map:
		e.dst = appendSize(e.dst, 2*len(v))
		err = e.pairs(v, depth)
	case Array:
		e.dst = appendSize(e.dst, len(v.Elements))
		err = e.array(v, depth)
	default:
		err = fmt.Errorf("%w: %T is no type of this package", ErrInvalid, v)
	}
	if err != nil {
		return err
	}
	if err := e.checkSize(); err != nil {
		return err
	}
	appendSize(e.dst[:start], len(e.dst)-start-4) // over the place kept for it
	return nil
}

func (e *encoder) list(values []Value, depth int) error {
	for _, v := range values {
		if err := e.value(v, depth); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) pairs(pairs []Pair, depth int) error {
	keys := newKeySet(len(pairs))
	for _, pair := range pairs {
		start := len(e.dst)
		if err := e.value(pair.Key, depth); err != nil {
			return err
		}
		if !keys.add(e.dst[start:]) {
			return fmt.Errorf("%w: a map has a key twice", ErrInvalid)
		}
		if err := e.value(pair.Value, depth); err != nil {
			return err
		}
	}
	return nil
}

// array writes the constructor of all elements, and then their bodies.
func (e *encoder) array(v Array, depth int) error {
	if int(v.Of) >= len(wideCodes) {
		return fmt.Errorf("%w: an array is of %s: give the type within, and the descriptors", ErrInvalid, v.Of)
	}
	for _, descriptor := range v.Descriptors {
		var err error
		if depth, err = e.deeper(depth); err != nil {
			return err
		}
		e.dst = append(e.dst, codeDescribed)
		if err := e.value(descriptor, depth); err != nil {
			return err
		}
	}
	code := wideCodes[v.Of]
	e.dst = append(e.dst, code)
	for i, element := range v.Elements {
		if t := TypeOf(element); t != v.Of {
			return fmt.Errorf("%w: element %d of an array of %s is a %s", ErrInvalid, i, v.Of, t)
		}
		if err := e.body(code, element, depth); err != nil {
			return err
		}
	}
	return nil
}

func isASCII[T ~string | ~[]byte](text T) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

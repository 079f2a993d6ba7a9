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
	switch v := v.(type) {
	case nil, Null:
	case Bool:
		e.bool(code, v)
	case UByte:
		e.fixed(code, uint64(v))
	case UShort:
		e.fixed(code, uint64(v))
	case UInt:
		e.fixed(code, uint64(v))
	case ULong:
		e.fixed(code, uint64(v))
	case Byte:
		e.fixed(code, uint64(v))
	case Short:
		e.fixed(code, uint64(v))
	case Int:
		e.fixed(code, uint64(v))
	case Long:
		e.fixed(code, uint64(v))
	case Float:
		e.fixed(code, uint64(math.Float32bits(float32(v))))
	case Double:
		e.fixed(code, math.Float64bits(float64(v)))
	case Timestamp:
		e.fixed(code, uint64(v))
	case Decimal32:
		e.dst = append(e.dst, v[:]...)
	case Decimal64:
		e.dst = append(e.dst, v[:]...)
	case Decimal128:
		e.dst = append(e.dst, v[:]...)
	case UUID:
		e.dst = append(e.dst, v[:]...)
	case Char:
		if !utf8.ValidRune(rune(v)) {
			return fmt.Errorf("%w: a char is not a Unicode character", ErrInvalid)
		}
		e.fixed(code, uint64(v))
	case Binary:
		return variable(e, code, v)
	case String:
		if !utf8.ValidString(string(v)) {
			return fmt.Errorf("%w: a string is not UTF-8", ErrInvalid)
		}
		return variable(e, code, v)
	case Symbol:
		if !isASCII(v) {
			return fmt.Errorf("%w: a symbol is not ASCII", ErrInvalid)
		}
		return variable(e, code, v)
	case List:
		if code == codeList0 {
			return nil
		}
		return e.compound(len(v), depth, func(depth int) error { return e.list(v, depth) })
	case Map:
		return e.compound(2*len(v), depth, func(depth int) error { return e.pairs(v, depth) })
	case Array:
		return e.compound(len(v.Elements), depth, func(depth int) error { return e.array(v, depth) })
	default:
		return fmt.Errorf("%w: %T is no type of this package", ErrInvalid, v)
	}
	return nil
}

func (e *encoder) bool(code byte, v Bool) {
	switch {
	case code != codeBool:
	case bool(v):
		e.dst = append(e.dst, 1)
	default:
		e.dst = append(e.dst, 0)
	}
}

// fixed writes the lower bytes of bits that a code wants.
func (e *encoder) fixed(code byte, bits uint64) {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], bits)
	e.dst = append(e.dst, all[8-fixedWidth(code):]...)
}

func variable[T ~string | ~[]byte](e *encoder, code byte, data T) error {
	if len(data) > e.limits.MaxBytes {
		return fmt.Errorf("%w: longer than %d bytes", ErrLimit, e.limits.MaxBytes)
	}
	if sizeWidth(code) == 1 {
		e.dst = append(e.dst, byte(len(data)))
	} else {
		e.dst = binary.BigEndian.AppendUint32(e.dst, uint32(len(data)))
	}
	e.dst = append(e.dst, data...)
	return nil
}

// compound writes size and count, four bytes each, around content. The size
// counts what comes after itself.
func (e *encoder) compound(count, depth int, content func(depth int) error) error {
	depth, err := e.deeper(depth)
	if err != nil {
		return err
	}
	start := len(e.dst)
	e.dst = binary.BigEndian.AppendUint32(e.dst, 0)
	e.dst = binary.BigEndian.AppendUint32(e.dst, uint32(count))
	if err := content(depth); err != nil {
		return err
	}
	if err := e.checkSize(); err != nil {
		return err
	}
	binary.BigEndian.PutUint32(e.dst[start:], uint32(len(e.dst)-start-4))
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

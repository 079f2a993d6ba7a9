package amqpjson

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// Read returns the value that a JSON document describes. Errors say where in the
// document, and repeat nothing of what it holds; errors.Is with the kinds of
// package value.
func Read(document []byte, limits value.Limits) (value.Value, error) {
	r := reader{limits: limits.Defaults()}
	document = bytes.Trim(document, " \t\r\n")
	if len(document) > r.limits.MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes: at most %d are allowed", value.ErrLimit, len(document), r.limits.MaxBytes)
	}
	if len(document) == 0 {
		return nil, invalid("it is empty: want a JSON document")
	}
	if err := checkSyntax(document); err != nil {
		return nil, invalid("%w", err)
	}
	return r.value(document, 0)
}

// invalid is an error that says that there is no such value.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", value.ErrInvalid, fmt.Errorf(format, args...))
}

// reader reads values, and counts them. The depth that its methods are given is
// how many compound values are around.
type reader struct {
	limits value.Limits
	values int
}

func (r *reader) value(text []byte, depth int) (value.Value, error) {
	if r.values++; r.values > r.limits.MaxValues {
		return nil, fmt.Errorf("%w: more than %d values", value.ErrLimit, r.limits.MaxValues)
	}
	if text[0] != '{' {
		return abbreviated(text)
	}
	o, err := objectOf(text)
	if err != nil {
		return nil, err
	}
	if o.descriptor == nil {
		return r.typed(o, depth)
	}
	if depth, err = r.deeper(depth); err != nil {
		return nil, err
	}
	descriptor, err := r.value(o.descriptor, depth)
	if err != nil {
		return nil, at(err, "descriptor")
	}
	if value.TypeOf(descriptor) == value.TypeDescribed {
		return nil, at(invalid("a descriptor must not have a descriptor"), "descriptor")
	}
	v, err := r.typed(o, depth)
	return value.Described{Descriptor: descriptor, Value: v}, err
}

func (r *reader) deeper(depth int) (int, error) {
	if depth == r.limits.MaxDepth {
		return depth, fmt.Errorf("%w: it nests deeper than %d levels", value.ErrLimit, r.limits.MaxDepth)
	}
	return depth + 1, nil
}

// abbreviated reads a value that stands for itself.
func abbreviated(text []byte) (value.Value, error) {
	switch text[0] {
	case 'n':
		return value.Null{}, nil
	case 't', 'f':
		return value.Bool(text[0] == 't'), nil
	case '"':
		s, err := stringOf(text)
		return value.String(s), err
	}
	return nil, invalid(`only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`)
}

// object has the members of a value's object, as they are written; nil for those
// that are not there.
type object struct{ descriptor, typename, value []byte }

func objectOf(text []byte) (object, error) {
	var o object
	err := eachMember(text, func(name string, member []byte) error {
		var place *[]byte
		switch name {
		case "descriptor":
			place = &o.descriptor
		case "type":
			place = &o.typename
		case "value":
			place = &o.value
		default:
			return invalid("it has a member other than descriptor, type and value")
		}
		if *place != nil {
			return invalid("it has a member twice: %s", name)
		}
		*place = member
		return nil
	})
	return o, err
}

// typed reads the value of an object, its descriptor aside.
func (r *reader) typed(o object, depth int) (value.Value, error) {
	if o.typename == nil {
		switch {
		case o.descriptor == nil:
			return nil, invalid("type is missing")
		case o.value == nil:
			return nil, invalid("value is missing")
		}
		v, err := abbreviated(o.value)
		return v, at(err, "value")
	}
	typename, err := stringOf(o.typename)
	if err != nil {
		return nil, at(err, "type")
	}
	read := readerOf(typename)
	if read == nil {
		return nil, at(invalid("there is no such type: want %s", typenames), "type")
	}
	if o.value == nil {
		if typename != "null" {
			return nil, invalid("value is missing")
		}
		o.value = []byte("null")
	}
	v, err := read(r, o.value, depth)
	if _, ok := errors.AsType[*fault](err); ok { // an element said where
		return v, err
	}
	return v, at(err, "value")
}

const typenames = "null, boolean, ubyte, ushort, uint, ulong, byte, short, int, long, float, double, decimal, char, timestamp, uuid, binary, string, symbol, array, list or map"

// readerOf returns the reader of a type, by the name it has in the document, and
// nil for other names.
func readerOf(typename string) func(r *reader, text []byte, depth int) (value.Value, error) {
	switch typename {
	case "array":
		return readArray
	case "list":
		return readList
	case "map":
		return readMap
	}
	return scalars[typename]
}

var scalars = map[string]func(r *reader, text []byte, depth int) (value.Value, error){
	"null":      readNull,
	"boolean":   readBool,
	"ubyte":     unsigned[value.UByte](8),
	"ushort":    unsigned[value.UShort](16),
	"uint":      unsigned[value.UInt](32),
	"ulong":     unsigned[value.ULong](64),
	"byte":      signed[value.Byte](8),
	"short":     signed[value.Short](16),
	"int":       signed[value.Int](32),
	"long":      signed[value.Long](64),
	"timestamp": signed[value.Timestamp](64),
	"float":     readFloat,
	"double":    readDouble,
	"decimal":   readDecimal,
	"char":      readChar,
	"uuid":      readUUID,
	"binary":    readBinary,
	"string":    readString,
	"symbol":    readSymbol,
}

func stringOf(text []byte) (string, error) {
	if text[0] != '"' {
		return "", invalid("want a string")
	}
	s, err := unquote(text)
	if err != nil {
		return "", invalid("%w", err)
	}
	return s, nil
}

func hexOf(text []byte) ([]byte, error) {
	s, err := stringOf(text)
	if err != nil {
		return nil, err
	}
	data, err := hex.DecodeString(s)
	if err != nil {
		return nil, invalid("want hex digits, two for each byte")
	}
	return data, nil
}

func readNull(_ *reader, text []byte, _ int) (value.Value, error) {
	if text[0] != 'n' {
		return nil, invalid("want null")
	}
	return value.Null{}, nil
}

func readBool(_ *reader, text []byte, _ int) (value.Value, error) {
	if text[0] != 't' && text[0] != 'f' {
		return nil, invalid("want true or false")
	}
	return value.Bool(text[0] == 't'), nil
}

// unsigned returns the reader of an unsigned type of so many bits.
func unsigned[T interface {
	value.Value
	~uint8 | ~uint16 | ~uint32 | ~uint64
}](bits int) func(*reader, []byte, int) (value.Value, error) {
	return func(_ *reader, text []byte, _ int) (value.Value, error) {
		n, err := strconv.ParseUint(string(text), 10, bits)
		if err != nil {
			return nil, invalid("want a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-bits))
		}
		return T(n), nil
	}
}

// signed returns the reader of a signed type of so many bits.
func signed[T interface {
	value.Value
	~int8 | ~int16 | ~int32 | ~int64
}](bits int) func(*reader, []byte, int) (value.Value, error) {
	return func(_ *reader, text []byte, _ int) (value.Value, error) {
		n, err := strconv.ParseInt(string(text), 10, bits)
		if err != nil {
			return nil, invalid("want a whole number from %d to %d", int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
		}
		return T(n), nil
	}
}

func readFloat(_ *reader, text []byte, _ int) (value.Value, error) {
	if bits, ok := nonFinite(text, 32); ok {
		return value.Float(math.Float32frombits(uint32(bits))), nil //nolint:gosec // they are 32
	}
	f, err := number(text, 32)
	return value.Float(f), err
}

func readDouble(_ *reader, text []byte, _ int) (value.Value, error) {
	if bits, ok := nonFinite(text, 64); ok {
		return value.Double(math.Float64frombits(bits)), nil
	}
	f, err := number(text, 64)
	return value.Double(f), err
}

func number(text []byte, bits int) (float64, error) {
	if text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return 0, invalid(`want a number, "NaN", "Infinity" or "-Infinity"`)
	}
	f, err := strconv.ParseFloat(string(text), bits)
	if err != nil {
		return 0, invalid("want a number that has %d bits", bits)
	}
	return f, nil
}

// nonFinite returns the bits of what JSON has no number for.
func nonFinite(text []byte, bits int) (uint64, bool) {
	s, err := stringOf(text)
	if err != nil {
		return 0, false
	}
	if digits, ok := strings.CutPrefix(s, "0x"); ok && len(digits) == bits/4 {
		n, err := strconv.ParseUint(digits, 16, bits)
		return n, err == nil && isNaN(n, bits)
	}
	for n, word := range words(bits) {
		if s == word {
			return n, true
		}
	}
	return 0, false
}

func readDecimal(_ *reader, text []byte, _ int) (value.Value, error) {
	data, err := hexOf(text)
	if err != nil {
		return nil, err
	}
	switch len(data) {
	case 4:
		return value.Decimal32(data), nil
	case 8:
		return value.Decimal64(data), nil
	case 16:
		return value.Decimal128(data), nil
	}
	return nil, invalid("want hex of 4, 8 or 16 bytes")
}

func readChar(_ *reader, text []byte, _ int) (value.Value, error) {
	s, err := stringOf(text)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(s) != 1 {
		return nil, invalid("want a string of one character")
	}
	char, _ := utf8.DecodeRuneInString(s)
	return value.Char(char), nil
}

func readUUID(_ *reader, text []byte, _ int) (value.Value, error) {
	s, err := stringOf(text)
	if err != nil {
		return nil, err
	}
	if len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' {
		s = s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	}
	data, err := hex.DecodeString(s)
	if err != nil || len(data) != 16 {
		return nil, invalid("want a UUID: 32 hex digits, with or without hyphens")
	}
	return value.UUID(data), nil
}

func readBinary(_ *reader, text []byte, _ int) (value.Value, error) {
	data, err := hexOf(text)
	return value.Binary(data), err
}

func readString(_ *reader, text []byte, _ int) (value.Value, error) {
	s, err := stringOf(text)
	return value.String(s), err
}

func readSymbol(_ *reader, text []byte, _ int) (value.Value, error) {
	s, err := stringOf(text)
	if err != nil {
		return nil, err
	}
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return nil, invalid("want a string in ASCII")
		}
	}
	return value.Symbol(s), nil
}

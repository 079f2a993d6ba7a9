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
	limits = limits.Defaults()
	document = bytes.Trim(document, " \t\r\n")
	if len(document) > limits.MaxBytes {
		return nil, fmt.Errorf("%w: it has %d bytes: at most %d are allowed", value.ErrLimit, len(document), limits.MaxBytes)
	}
	if len(document) == 0 {
		return nil, invalid("it is empty: want a JSON document")
	}
	if err := checkSyntax(document); err != nil {
		return nil, invalid("%w", err)
	}
	r := reader{scan: scan{text: document}, limits: limits}
	return r.value(0)
}

// invalid is an error that says that there is no such value.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", value.ErrInvalid, fmt.Errorf(format, args...))
}

// reader reads values in one pass, and counts them. The depth that its methods are
// given is how many compound values are around.
type reader struct {
	scan

	limits value.Limits
	values int
}

func (r *reader) value(depth int) (value.Value, error) {
	if r.values++; r.values > r.limits.MaxValues {
		return nil, fmt.Errorf("%w: more than %d values", value.ErrLimit, r.limits.MaxValues)
	}
	if r.peek() != '{' {
		return abbreviated(r.token())
	}
	o, err := r.object(depth)
	if err != nil {
		return nil, err
	}
	v, err := o.typed()
	if err != nil || !o.described {
		return v, err
	}
	return value.Described{Descriptor: o.descriptor, Value: v}, nil
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
	return nil, errAbbreviated()
}

func errAbbreviated() error {
	return invalid(`only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`)
}

// object is what was read of a value's object. Its type may come after its value,
// so an array is read as elements, whatever they will become.
type object struct {
	described  bool
	descriptor value.Value
	typename   *string
	scalar     []byte        // the value as it is written, nil for none and for an array
	elements   []value.Value // nil where the value is no array
}

func (r *reader) object(depth int) (*object, error) {
	o := &object{}
	err := r.each(func(int) error {
		name, err := r.name()
		if err != nil {
			return err
		}
		var twice bool
		switch name {
		case "descriptor":
			twice = o.described
			err = r.readDescriptor(o, depth)
		case "type":
			twice = o.typename != nil
			err = r.readType(o)
		case "value":
			twice = o.hasValue()
			err = r.readValue(o, depth)
		default:
			return invalid("it has a member other than descriptor, type and value")
		}
		if twice {
			return invalid("it has a member twice: %s", name)
		}
		return err
	})
	return o, err
}

func (o *object) hasValue() bool { return o.scalar != nil || o.elements != nil }

func (r *reader) readDescriptor(o *object, depth int) error {
	depth, err := r.deeper(depth)
	if err != nil {
		return err
	}
	o.described = true
	r.values++ // decoding counts what is within too
	if o.descriptor, err = r.value(depth); err != nil {
		return at(err, "descriptor")
	}
	if value.TypeOf(o.descriptor) == value.TypeDescribed {
		return at(invalid("a descriptor must not have a descriptor"), "descriptor")
	}
	return nil
}

func (r *reader) readType(o *object) error {
	typename, err := stringOf(r.token())
	o.typename = &typename
	return at(err, "type")
}

func (r *reader) readValue(o *object, depth int) error {
	if r.peek() != '[' {
		o.scalar = r.token()
		return nil
	}
	if o.described {
		depth++ // it is known to be a level deeper
	}
	var err error
	o.elements, err = r.elements(depth)
	return err
}

// typed returns the value of an object, its descriptor aside.
func (o *object) typed() (value.Value, error) {
	switch {
	case o.typename == nil && !o.described:
		return nil, invalid("type is missing")
	case o.typename == nil && !o.hasValue():
		return nil, invalid("value is missing")
	case o.typename == nil && o.elements != nil:
		return nil, at(errAbbreviated(), "value")
	case o.typename == nil:
		v, err := abbreviated(o.scalar)
		return v, at(err, "value")
	}
	if build := builders[*o.typename]; build != nil {
		return o.compound(build)
	}
	read := scalars[*o.typename]
	switch {
	case read == nil:
		return nil, at(invalid("there is no such type: want %s", typenames), "type")
	case o.elements != nil:
		o.scalar = []byte("[]") // which is a scalar of no type
	case o.scalar == nil && *o.typename == "null":
		return value.Null{}, nil
	case o.scalar == nil:
		return nil, invalid("value is missing")
	}
	v, err := read(o.scalar)
	return v, at(err, "value")
}

func (o *object) compound(build func([]value.Value) (value.Value, error)) (value.Value, error) {
	switch {
	case !o.hasValue():
		return nil, invalid("value is missing")
	case o.elements == nil:
		return nil, at(invalid("want a JSON array of values"), "value")
	}
	v, err := build(o.elements)
	if _, ok := errors.AsType[*fault](err); ok { // an element said where
		return v, err
	}
	return v, at(err, "value")
}

const typenames = "null, boolean, ubyte, ushort, uint, ulong, byte, short, int, long, float, double, decimal, char, timestamp, uuid, binary, string, symbol, array, list or map"

// builders make a compound value of its elements, by the type's name in the
// document.
var builders = map[string]func(elements []value.Value) (value.Value, error){
	"array": buildArray,
	"list":  buildList,
	"map":   buildMap,
}

// scalars read a value, by the type's name in the document.
var scalars = map[string]func(text []byte) (value.Value, error){
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

func readNull(text []byte) (value.Value, error) {
	if text[0] != 'n' {
		return nil, invalid("want null")
	}
	return value.Null{}, nil
}

func readBool(text []byte) (value.Value, error) {
	if text[0] != 't' && text[0] != 'f' {
		return nil, invalid("want true or false")
	}
	return value.Bool(text[0] == 't'), nil
}

// unsigned returns the reader of an unsigned type of so many bits.
func unsigned[T interface {
	value.Value
	~uint8 | ~uint16 | ~uint32 | ~uint64
}](bits int) func([]byte) (value.Value, error) {
	return func(text []byte) (value.Value, error) {
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
}](bits int) func([]byte) (value.Value, error) {
	return func(text []byte) (value.Value, error) {
		n, err := strconv.ParseInt(string(text), 10, bits)
		if err != nil {
			return nil, invalid("want a whole number from %d to %d", int64(math.MinInt64)>>(64-bits), int64(math.MaxInt64)>>(64-bits))
		}
		return T(n), nil
	}
}

func readFloat(text []byte) (value.Value, error) {
	if bits, ok := nonFinite(text, 32); ok {
		return value.Float(math.Float32frombits(uint32(bits))), nil //nolint:gosec // they are 32
	}
	f, err := number(text, 32)
	return value.Float(f), err
}

func readDouble(text []byte) (value.Value, error) {
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

func readDecimal(text []byte) (value.Value, error) {
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

func readChar(text []byte) (value.Value, error) {
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

func readUUID(text []byte) (value.Value, error) {
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

func readBinary(text []byte) (value.Value, error) {
	data, err := hexOf(text)
	return value.Binary(data), err
}

func readString(text []byte) (value.Value, error) {
	s, err := stringOf(text)
	return value.String(s), err
}

func readSymbol(text []byte) (value.Value, error) {
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

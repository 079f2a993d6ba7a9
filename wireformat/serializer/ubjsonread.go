package serializer

import (
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

func (f ubjsonFormat) decode(b []byte) (any, error) {
	r := ubjsonReader{f, b, f.limits.budget()}
	marker, err := r.marker()
	if err != nil {
		return nil, err
	}
	v, err := r.value(marker)
	if err != nil {
		return nil, err
	}
	r.skipNoOps()
	if len(r.b) > 0 {
		return nil, errTrailing
	}
	return v, nil
}

type ubjsonReader struct {
	ubjsonFormat
	b    []byte
	left budget
}

func (r *ubjsonReader) skipNoOps() {
	for len(r.b) > 0 && r.b[0] == 'N' {
		r.b = r.b[1:]
	}
}

// marker takes the byte that says what comes.
func (r *ubjsonReader) marker() (byte, error) {
	r.skipNoOps()
	b, err := r.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

func (r *ubjsonReader) take(n int) ([]byte, error) {
	if n > len(r.b) {
		return nil, errCut
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

// sizeOf is how many bytes a value of the type takes, without its marker; -1 where
// that differs from value to value or there is no such type.
func (r *ubjsonReader) sizeOf(marker byte) int {
	switch marker {
	case 'Z', 'T', 'F':
		return 0
	case 'i', 'U', 'C':
		return 1
	case 'I':
		return 2
	case 'l', 'd':
		return 4
	case 'L', 'D':
		return 8
	}
	if !r.bjdata {
		return -1
	}
	switch marker {
	case 'B':
		return 1
	case 'u', 'h':
		return 2
	case 'm':
		return 4
	case 'M':
		return 8
	}
	return -1
}

// value reads what follows a marker.
func (r *ubjsonReader) value(marker byte) (any, error) {
	if r.left.values--; r.left.values < 0 {
		return nil, errMany(r.limits.MaxValues)
	}
	switch marker {
	case 'S':
		return r.text()
	case 'H':
		return r.precise()
	case '[':
		return r.array()
	case '{':
		return r.object()
	}
	size := r.sizeOf(marker)
	if size < 0 {
		return nil, errMarker
	}
	b, err := r.take(size)
	if err != nil {
		return nil, err
	}
	return r.fixed(marker, b)
}

var errMarker = errors.New("it has a byte that is no type marker")

// fixed reads a value of a type with a size of its own.
func (r *ubjsonReader) fixed(marker byte, b []byte) (any, error) { //nolint:cyclop // one case for each type
	switch marker {
	case 'Z':
		return nil, nil
	case 'T':
		return true, nil
	case 'F':
		return false, nil
	case 'i':
		return int64(int8(b[0])), nil //nolint:gosec // two's complement
	case 'U', 'B':
		return int64(b[0]), nil
	case 'C':
		if b[0] >= utf8.RuneSelf {
			return nil, errors.New("a character is not ASCII")
		}
		return string(b), nil
	case 'I':
		return int64(int16(r.order.Uint16(b))), nil //nolint:gosec // two's complement
	case 'u':
		return int64(r.order.Uint16(b)), nil
	case 'l':
		return int64(int32(r.order.Uint32(b))), nil //nolint:gosec // two's complement
	case 'm':
		return int64(r.order.Uint32(b)), nil
	case 'L':
		return int64(r.order.Uint64(b)), nil //nolint:gosec // two's complement
	case 'M':
		u := r.order.Uint64(b)
		if u <= math.MaxInt64 {
			return int64(u), nil
		}
		return u, nil
	case 'h':
		return halfFloat(r.order.Uint16(b)), nil
	case 'd':
		return r.float(float64(math.Float32frombits(r.order.Uint32(b))))
	}
	return r.float(math.Float64frombits(r.order.Uint64(b))) // 'D'
}

// float refuses what the format does not have.
func (r *ubjsonReader) float(v float64) (any, error) {
	if !r.bjdata && (math.IsNaN(v) || math.IsInf(v, 0)) {
		return nil, errNoNumber
	}
	return v, nil
}

// halfFloat is IEEE 754 binary16.
func halfFloat(bits uint16) float64 {
	sign, exponent, fraction := 1.0, int(bits>>10&31), float64(bits&1023)
	if bits>>15 != 0 {
		sign = -1
	}
	switch exponent {
	case 0:
		return math.Copysign(math.Ldexp(fraction, -24), sign)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// length reads a length or a count.
func (r *ubjsonReader) length() (int, error) {
	marker, err := r.marker()
	if err != nil {
		return 0, err
	}
	size := r.sizeOf(marker)
	if size < 1 || marker == 'C' || marker == 'd' || marker == 'D' || marker == 'h' || marker == 'B' {
		return 0, errors.New("a length is no integer")
	}
	b, err := r.take(size)
	if err != nil {
		return 0, err
	}
	v, err := r.fixed(marker, b)
	if err != nil {
		return 0, err
	}
	n, ok := v.(int64)
	if !ok || n > math.MaxInt32 {
		return 0, errCut // no message is that long
	}
	if n < 0 {
		return 0, errors.New("a length is negative")
	}
	return int(n), nil
}

func (r *ubjsonReader) text() (string, error) {
	n, err := r.length()
	if err != nil {
		return "", err
	}
	b, err := r.take(n)
	switch {
	case err != nil:
		return "", err
	case !utf8.Valid(b):
		return "", errText
	}
	return string(b), nil
}

// precise reads a high-precision number: digits, as in JSON.
func (r *ubjsonReader) precise() (any, error) {
	text, err := r.text()
	switch {
	case err != nil:
		return nil, err
	case !isJSONNumber(text):
		return nil, errors.New("a high-precision number is not one")
	}
	return jsonNumber(text, !isDigits(text))
}

// isJSONNumber reports whether text is a number of RFC 8259.
func isJSONNumber(text string) bool {
	if text == "" || text[len(text)-1] > '9' || text[len(text)-1] < '0' || text[0] == '+' || text[0] == '.' {
		return false
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			return false
		}
	}
	_, err := strconv.ParseFloat(text, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

func isDigits(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < '0' || c > '9') && (c != '-' || i > 0) {
			return false
		}
	}
	return true
}

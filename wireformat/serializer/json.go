package serializer

import (
	"encoding/base64"
	"errors"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
)

// NewJSON returns the serializer "json". The error names each limit that is wrong.
func NewJSON(limits Limits) (Serializer, error) {
	limits, err := checked(JSONID, limits)
	if err != nil {
		return nil, err
	}
	return &single{infoOf(JSONID, 1, false, "application/json"), limits, jsonFormat{limits}}, nil
}

type jsonFormat struct{ limits Limits }

func (f jsonFormat) decode(b []byte) (any, error) { return readJSON(b, f.limits.budget()) }

func (f jsonFormat) encode(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case bool:
		return strconv.AppendBool(dst, v), nil
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case uint64:
		return strconv.AppendUint(dst, v, 10), nil
	case *big.Int:
		return v.Append(dst, 10), nil
	case float64:
		return appendJSONFloat(dst, v)
	case string:
		if v != "" && v[0] == 0 {
			return dst, errors.New("a string begins with U+0000, which stands for bytes in JSON")
		}
		return appendJSONString(dst, v), nil
	case []byte:
		dst = append(dst, `"\u0000`...)
		dst = base64.StdEncoding.AppendEncode(dst, v)
		return append(dst, '"'), nil
	case time.Time:
		text, err := timeText(v)
		return appendJSONString(dst, text), err
	case []any:
		return f.array(dst, v)
	case map[string]any:
		return f.object(dst, v)
	case map[any]any:
		return dst, errStringKeys
	}
	return dst, errNoForm(v, "JSON")
}

func (f jsonFormat) array(dst []byte, values []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = f.encode(dst, v); err != nil {
			return dst, err
		}
	}
	return append(dst, ']'), nil
}

func (f jsonFormat) object(dst []byte, values map[string]any) ([]byte, error) {
	var room [few]string
	dst = append(dst, '{')
	for i, name := range sortedNames(room[:0], values) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, name), ':')
		var err error
		if dst, err = f.encode(dst, values[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// few is how many names of a map are sorted without memory of their own.
const few = 16

// sortedNames appends the names of a map to into, which is empty, and sorts them.
func sortedNames(into []string, values map[string]any) []string {
	for name := range values {
		into = append(into, name)
	}
	slices.Sort(into)
	return into
}

// appendJSONFloat writes a float so that it is read as one again: with a point or
// an exponent, in the form that Python has too.
func appendJSONFloat(dst []byte, v float64) ([]byte, error) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return dst, errors.New("JSON has no infinity and no NaN")
	}
	if size := math.Abs(v); size != 0 && (size < 1e-4 || size >= 1e16) {
		return strconv.AppendFloat(dst, v, 'e', -1, 64), nil
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'f', -1, 64)
	if !slices.Contains(dst[start:], '.') {
		dst = append(dst, ".0"...)
	}
	return dst, nil
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes text, which is UTF-8: RFC 8259 section 7, with no more
// escapes than it demands.
func appendJSONString(dst []byte, text string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	dst = append(dst, text[start:]...)
	return append(dst, '"')
}

// timeText writes a time to the nanosecond (RFC 3339).
func timeText(t time.Time) (string, error) {
	text, err := t.MarshalText()
	if err != nil {
		return "", errors.New("a time has a year or an offset that RFC 3339 cannot write")
	}
	return string(text), nil
}

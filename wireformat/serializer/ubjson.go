package serializer

import (
	"encoding/binary"
	"errors"
	"math"
	"math/big"
	"strconv"
	"time"
)

// UBJSONOptions are the options of [NewUBJSON]. The zero value works.
type UBJSONOptions struct {
	Limits Limits
	// BJData reads and writes BJData (draft 3), which is little-endian and has unsigned
	// integers and bytes, instead of UBJSON (draft 12). Peers must agree on it:
	// neither can read the other, and WAMP has one id for both. autobahn has UBJSON
	// up to 25.12, and BJData from 26.6. Default: UBJSON.
	BJData bool
}

// NewUBJSON returns the serializer "ubjson". The error names each limit that is
// wrong.
func NewUBJSON(options UBJSONOptions) (Serializer, error) {
	limits, err := checked(UBJSONID, options.Limits)
	if err != nil {
		return nil, err
	}
	f := ubjsonFormat{limits: limits, order: binary.BigEndian}
	if options.BJData {
		f.order, f.bjdata = binary.LittleEndian, true
	}
	return &single{infoOf(UBJSONID, 4, true, "application/ubjson"), limits, f}, nil
}

type ubjsonFormat struct {
	limits Limits
	order  byteOrder
	bjdata bool
}

type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func (f ubjsonFormat) encode(dst []byte, v any) ([]byte, error) { //nolint:cyclop // one case for each type
	switch v := v.(type) {
	case nil:
		return append(dst, 'Z'), nil
	case bool:
		if v {
			return append(dst, 'T'), nil
		}
		return append(dst, 'F'), nil
	case int64:
		return f.integer(dst, v), nil
	case uint64:
		if f.bjdata {
			return f.order.AppendUint64(append(dst, 'M'), v), nil
		}
		return f.precise(dst, strconv.FormatUint(v, 10)), nil
	case *big.Int:
		return f.precise(dst, v.String()), nil
	case float64:
		return f.float(dst, v)
	case string:
		if len(v) == 1 {
			return append(dst, 'C', v[0]), nil
		}
		return append(f.integer(append(dst, 'S'), int64(len(v))), v...), nil
	case []byte:
		dst = append(dst, '[', '$', f.byteMarker(), '#')
		return append(f.integer(dst, int64(len(v))), v...), nil
	case time.Time:
		text, err := timeText(v)
		if err != nil {
			return dst, err
		}
		return f.encode(dst, text)
	case []any:
		dst = append(dst, '[')
		for _, v := range v {
			var err error
			if dst, err = f.encode(dst, v); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		return f.object(dst, v)
	case map[any]any:
		return dst, errStringKeys
	}
	return dst, errNoForm(v, "UBJSON")
}

func (f ubjsonFormat) object(dst []byte, values map[string]any) ([]byte, error) {
	var room [few]string
	dst = append(dst, '{')
	for _, name := range sortedNames(room[:0], values) {
		var err error
		if dst, err = f.encode(f.name(dst, name), values[name]); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

// byteMarker is the type of arrays that are bytes.
func (f ubjsonFormat) byteMarker() byte {
	if f.bjdata {
		return 'B'
	}
	return 'U'
}

func (f ubjsonFormat) name(dst []byte, name string) []byte {
	return append(f.integer(dst, int64(len(name))), name...)
}

// integer writes an integer in its shortest form, unsigned where there is a choice.
func (f ubjsonFormat) integer(dst []byte, v int64) []byte { //nolint:cyclop // one case for each type
	switch {
	case v >= 0 && v <= math.MaxUint8:
		return append(dst, 'U', byte(v))
	case v >= math.MinInt8 && v < 0:
		return append(dst, 'i', byte(v)) //nolint:gosec // two's complement
	case f.bjdata && v >= 0 && v <= math.MaxUint16:
		return f.order.AppendUint16(append(dst, 'u'), uint16(v))
	case v >= math.MinInt16 && v <= math.MaxInt16:
		return f.order.AppendUint16(append(dst, 'I'), uint16(v)) //nolint:gosec // two's complement
	case f.bjdata && v >= 0 && v <= math.MaxUint32:
		return f.order.AppendUint32(append(dst, 'm'), uint32(v))
	case v >= math.MinInt32 && v <= math.MaxInt32:
		return f.order.AppendUint32(append(dst, 'l'), uint32(v)) //nolint:gosec // two's complement
	case f.bjdata && v >= 0:
		return f.order.AppendUint64(append(dst, 'M'), uint64(v))
	}
	return f.order.AppendUint64(append(dst, 'L'), uint64(v)) //nolint:gosec // two's complement
}

// precise writes a high-precision number.
func (f ubjsonFormat) precise(dst []byte, digits string) []byte {
	return append(f.integer(append(dst, 'H'), int64(len(digits))), digits...)
}

var errNoNumber = errors.New("UBJSON has no infinity and no NaN")

// float writes zero, of either sign, in four bytes, as others do, and all else in
// eight. UBJSON wants null for infinity; that is an approximation.
func (f ubjsonFormat) float(dst []byte, v float64) ([]byte, error) {
	switch {
	case !f.bjdata && (math.IsNaN(v) || math.IsInf(v, 0)):
		return dst, errNoNumber
	case v == 0:
		return f.order.AppendUint32(append(dst, 'd'), math.Float32bits(float32(v))), nil
	}
	return f.order.AppendUint64(append(dst, 'D'), math.Float64bits(v)), nil
}

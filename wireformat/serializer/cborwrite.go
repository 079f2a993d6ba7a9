package serializer

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Tags of RFC 8949 section 3.4 that the model has types for.
const (
	cborTagTime   = 0
	cborTagBig    = 2
	cborTagBigNeg = 3
)

func (f cborFormat) encode(dst []byte, v any) ([]byte, error) { //nolint:cyclop // one case for each type
	switch v := v.(type) {
	case nil:
		return append(dst, 0xf6), nil
	case bool:
		if v {
			return append(dst, 0xf5), nil
		}
		return append(dst, 0xf4), nil
	case int64:
		if v < 0 {
			return appendHead(dst, cborNegative, uint64(^v)), nil //nolint:gosec // not negative
		}
		return appendHead(dst, cborUnsigned, uint64(v)), nil
	case uint64:
		return appendHead(dst, cborUnsigned, v), nil
	case *big.Int:
		return appendBig(dst, v), nil
	case float64:
		return f.float(dst, v), nil
	case string:
		return append(appendHead(dst, cborText, uint64(len(v))), v...), nil
	case []byte:
		return append(appendHead(dst, cborBytes, uint64(len(v))), v...), nil
	case time.Time:
		text, err := timeText(v)
		dst = appendHead(dst, cborTag, cborTagTime)
		return append(appendHead(dst, cborText, uint64(len(text))), text...), err
	case Tag:
		return f.encode(appendHead(dst, cborTag, v.Number), v.Content)
	case Simple:
		return appendSimple(dst, v)
	case []any:
		return f.array(dst, v)
	case map[string]any:
		return f.mapping(dst, v)
	case map[any]any:
		return f.pairs(dst, v)
	}
	return dst, errNoForm(v, "CBOR")
}

// appendHead writes the head of a data item, in its shortest form.
func appendHead(dst []byte, major byte, argument uint64) []byte {
	major <<= 5
	switch {
	case argument < 24:
		return append(dst, major|byte(argument))
	case argument <= math.MaxUint8:
		return append(dst, major|24, byte(argument))
	case argument <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(argument))
	case argument <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(argument))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), argument)
}

// appendBig writes an integer that an int64 or a uint64 cannot be.
func appendBig(dst []byte, i *big.Int) []byte {
	if i.Sign() > 0 {
		b := i.Bytes()
		return append(appendHead(appendHead(dst, cborTag, cborTagBig), cborBytes, uint64(len(b))), b...)
	}
	n := new(big.Int).Not(i) // -1 - i
	if n.IsUint64() {
		return appendHead(dst, cborNegative, n.Uint64())
	}
	b := n.Bytes()
	return append(appendHead(appendHead(dst, cborTag, cborTagBigNeg), cborBytes, uint64(len(b))), b...)
}

func appendSimple(dst []byte, v Simple) ([]byte, error) {
	switch {
	case v < 20:
		return append(dst, cborOther<<5|byte(v)), nil
	case v >= 32:
		return append(dst, cborOther<<5|24, byte(v)), nil
	}
	return dst, fmt.Errorf("%d is not a simple value of its own: want 0 to 19, or 32 to 255", v)
}

// float writes a float in eight bytes, or in the shortest form that keeps it.
func (f cborFormat) float(dst []byte, v float64) []byte {
	single := float32(v)
	switch {
	case !f.shortFloats:
	case math.IsNaN(v):
		return append(dst, 0xf9, 0x7e, 0)
	case float64(single) == v:
		if half, ok := halfBits(single); ok {
			return binary.BigEndian.AppendUint16(append(dst, 0xf9), half)
		}
		return binary.BigEndian.AppendUint32(append(dst, 0xfa), math.Float32bits(single))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xfb), math.Float64bits(v))
}

// halfBits returns a number as IEEE 754 binary16, where that holds it exactly.
func halfBits(v float32) (half uint16, exact bool) {
	bits := math.Float32bits(v)
	sign, exponent, fraction := uint16(bits>>16&0x8000), int(bits>>23&0xff)-127, bits&0x7fffff
	switch {
	case v == 0:
		return sign, true
	case math.IsInf(float64(v), 0):
		return sign | 0x7c00, true
	case exponent >= -14 && exponent <= 15 && fraction&0x1fff == 0:
		return sign | uint16(exponent+15)<<10 | uint16(fraction>>13), true
	case exponent >= -24 && exponent < -14: // below the smallest with a full fraction
		shift := -1 - exponent
		whole := fraction | 0x800000
		return sign | uint16(whole>>shift), whole&(1<<shift-1) == 0 //nolint:gosec // it fits
	}
	return 0, false
}

func (f cborFormat) array(dst []byte, values []any) ([]byte, error) {
	dst = appendHead(dst, cborArray, uint64(len(values)))
	for _, v := range values {
		var err error
		if dst, err = f.encode(dst, v); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// mapping writes a map in the order of its encoded keys (RFC 8949 section 4.2.1):
// for text, shorter keys come first.
func (f cborFormat) mapping(dst []byte, values map[string]any) ([]byte, error) {
	var room [few]string
	names := room[:0]
	for name := range values {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	dst = appendHead(dst, cborMap, uint64(len(names)))
	for _, name := range names {
		dst = append(appendHead(dst, cborText, uint64(len(name))), name...)
		var err error
		if dst, err = f.encode(dst, values[name]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

func (f cborFormat) pairs(dst []byte, values map[any]any) ([]byte, error) {
	byKey, err := encodedKeys(values, f.encode)
	if err != nil {
		return dst, err
	}
	dst = appendHead(dst, cborMap, uint64(len(byKey)))
	for _, key := range sortedNames(nil, byKey) {
		if dst, err = f.encode(append(dst, key...), byKey[key]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// encodedKeys returns a map by the bytes of its keys.
func encodedKeys(values map[any]any, encode func([]byte, any) ([]byte, error)) (map[string]any, error) {
	byKey := make(map[string]any, len(values))
	for key, v := range values {
		encoded, err := encode(nil, key)
		if err != nil {
			return nil, err
		}
		byKey[string(encoded)] = v
	}
	return byKey, nil
}

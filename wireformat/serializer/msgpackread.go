package serializer

import (
	"encoding/binary"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/tinylib/msgp/msgp"
)

func (f msgpackFormat) decode(b []byte) (any, error) {
	r := msgpackReader{b: b, left: f.limits.budget(), limits: f.limits}
	v, err := r.value()
	if err == nil && len(r.b) > 0 {
		err = errTrailing
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

type msgpackReader struct {
	b      []byte
	left   budget
	limits Limits
}

func (r *msgpackReader) value() (v any, err error) { //nolint:cyclop // one case for each type
	if r.left.values--; r.left.values < 0 {
		return nil, errMany(r.limits.MaxValues)
	}
	if len(r.b) == 0 {
		return nil, errCut
	}
	switch msgp.NextType(r.b) {
	case msgp.NilType:
		r.b, err = msgp.ReadNilBytes(r.b)
	case msgp.BoolType:
		v, r.b, err = msgp.ReadBoolBytes(r.b)
	case msgp.IntType:
		v, r.b, err = msgp.ReadInt64Bytes(r.b)
	case msgp.UintType:
		v, err = r.unsigned()
	case msgp.Float32Type:
		var f float32
		f, r.b, err = msgp.ReadFloat32Bytes(r.b)
		v = float64(f)
	case msgp.Float64Type:
		v, r.b, err = msgp.ReadFloat64Bytes(r.b)
	case msgp.StrType:
		return r.text()
	case msgp.BinType:
		return r.binary()
	case msgp.ArrayType:
		return r.array()
	case msgp.MapType:
		return r.mapping()
	case msgp.InvalidType:
		return nil, errors.New("it has the byte 0xc1, which MessagePack never uses")
	default:
		return r.extension()
	}
	if err != nil {
		return nil, errCut // nothing else can be wrong with these
	}
	return v, nil
}

func (r *msgpackReader) unsigned() (any, error) {
	u, rest, err := msgp.ReadUint64Bytes(r.b)
	r.b = rest
	if int64(u) >= 0 { //nolint:gosec // the sign tells whether it fits
		return int64(u), err //nolint:gosec // it does
	}
	return u, err
}

// cut reports whether text or bytes, whose length has 32 bits, end too early. msgp
// reads such a length as an int, which is below zero for some where that has 32 bits.
func (r *msgpackReader) cut() bool {
	const bin32, str32 = 0xc6, 0xdb
	return len(r.b) >= 5 && (r.b[0] == bin32 || r.b[0] == str32) && int64(binary.BigEndian.Uint32(r.b[1:])) > int64(len(r.b)-5)
}

func (r *msgpackReader) text() (string, error) {
	if r.cut() {
		return "", errCut
	}
	b, rest, err := msgp.ReadStringZC(r.b)
	switch {
	case err != nil:
		return "", errCut
	case !utf8.Valid(b):
		return "", errText
	}
	r.b = rest
	return string(b), nil
}

func (r *msgpackReader) binary() (any, error) {
	if r.cut() {
		return nil, errCut
	}
	b, rest, err := msgp.ReadBytesZC(r.b)
	if err != nil {
		return nil, errCut
	}
	r.b = rest
	return append([]byte{}, b...), nil
}

// enter goes into a container with room for n values of at least a byte each.
func (r *msgpackReader) enter(n uint64) error {
	if r.left.depth--; r.left.depth < 0 {
		return errDeep(r.limits.MaxDepth)
	}
	if n > uint64(len(r.b)) {
		return errCut
	}
	return nil
}

func (r *msgpackReader) array() (any, error) {
	n, rest, err := msgp.ReadArrayHeaderBytes(r.b)
	if err != nil {
		return nil, errCut
	}
	r.b = rest
	if err := r.enter(uint64(n)); err != nil {
		return nil, err
	}
	values := make([]any, 0, min(int(n), 128))
	for range n {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	r.left.depth++
	return values, nil
}

// mapping reads a map. It has names until a key comes that is no string.
func (r *msgpackReader) mapping() (any, error) {
	n, rest, err := msgp.ReadMapHeaderBytes(r.b)
	if err != nil {
		return nil, errCut
	}
	r.b = rest
	if err := r.enter(2 * uint64(n)); err != nil {
		return nil, err
	}
	named := make(map[string]any, min(int(n), 128))
	for i := range n {
		if msgp.NextType(r.b) != msgp.StrType {
			return r.pairs(named, n-i)
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if _, twice := named[name]; twice {
			return nil, errTwice
		}
		r.left.values--
		if named[name], err = r.value(); err != nil {
			return nil, err
		}
	}
	r.left.depth++
	return named, nil
}

// pairs reads the rest of a map, n pairs, and adds those that were read before.
func (r *msgpackReader) pairs(named map[string]any, n uint32) (any, error) {
	pairs := make(map[any]any, len(named)+min(int(n), 128))
	for name, v := range named {
		pairs[name] = v
	}
	for range n {
		key, err := r.value()
		if err != nil {
			return nil, err
		}
		v, err := r.value()
		if err == nil {
			err = putKey(pairs, key, v)
		}
		if err != nil {
			return nil, err
		}
	}
	r.left.depth++
	return pairs, nil
}

func (r *msgpackReader) extension() (any, error) {
	var raw msgp.RawExtension
	kind, length, head := extHead(r.b)
	if head < 0 || length > uint64(len(r.b[head:])) {
		return nil, errCut
	}
	raw.Type = kind
	rest, err := msgp.ReadExtensionBytes(r.b, &raw)
	if err != nil {
		return nil, errCut
	}
	r.b = rest
	if kind == timeExt {
		return timeOf(raw.Data)
	}
	return Ext{raw.Type, append([]byte{}, raw.Data...)}, nil
}

// extHead reads the type and the length of an extension, and how long its head
// is; -1 where it is cut.
func extHead(b []byte) (kind int8, length uint64, head int) {
	size := 0 // of the length
	switch b[0] {
	case 0xd4, 0xd5, 0xd6, 0xd7, 0xd8:
		length = 1 << (b[0] - 0xd4)
	default: // 0xc7, 0xc8, 0xc9
		size = 1 << (b[0] - 0xc7)
	}
	head = 2 + size
	if len(b) < head {
		return 0, 0, -1
	}
	if size > 0 {
		var padded [8]byte
		copy(padded[8-size:], b[1:1+size])
		length = binary.BigEndian.Uint64(padded[:])
	}
	return int8(b[head-1]), length, head //nolint:gosec // it is signed on the wire
}

// timeOf reads a timestamp in one of its three forms.
func timeOf(b []byte) (any, error) {
	var seconds int64
	var nanoseconds uint64
	switch len(b) {
	case 4:
		seconds = int64(binary.BigEndian.Uint32(b))
	case 8:
		both := binary.BigEndian.Uint64(b)
		seconds, nanoseconds = int64(both&(1<<34-1)), both>>34
	case 12:
		nanoseconds = uint64(binary.BigEndian.Uint32(b))
		seconds = int64(binary.BigEndian.Uint64(b[4:])) //nolint:gosec // it is signed on the wire
	default:
		return nil, errors.New("a timestamp has not 4, 8 or 12 bytes")
	}
	if nanoseconds > 999_999_999 {
		return nil, errors.New("a timestamp has more than 999999999 nanoseconds")
	}
	return time.Unix(seconds, int64(nanoseconds)).UTC(), nil
}

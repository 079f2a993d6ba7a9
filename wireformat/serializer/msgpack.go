package serializer

import (
	"encoding/binary"
	"errors"
	"math/big"
	"time"

	"github.com/tinylib/msgp/msgp"
)

// NewMsgPack returns the serializer "msgpack": the MessagePack specification,
// with its timestamps. The error names each limit that is wrong.
func NewMsgPack(limits Limits) (Serializer, error) {
	limits, err := checked(MsgPackID, limits)
	if err != nil {
		return nil, err
	}
	info := infoOf(MsgPackID, 2, true, "application/x-msgpack", "application/vnd.msgpack", "application/msgpack")
	return &single{info, limits, msgpackFormat{limits}}, nil
}

type msgpackFormat struct{ limits Limits }

func (f msgpackFormat) encode(dst []byte, v any) ([]byte, error) { //nolint:cyclop // one case for each type
	switch v := v.(type) {
	case nil:
		return msgp.AppendNil(dst), nil
	case bool:
		return msgp.AppendBool(dst, v), nil
	case int64:
		if v >= 0 {
			return msgp.AppendUint64(dst, uint64(v)), nil // the unsigned forms are shorter
		}
		return msgp.AppendInt64(dst, v), nil
	case uint64:
		return msgp.AppendUint64(dst, v), nil
	case float64:
		return msgp.AppendFloat64(dst, v), nil
	case string:
		return msgp.AppendString(dst, v), nil
	case []byte:
		return msgp.AppendBytes(dst, v), nil
	case time.Time:
		return appendTime(dst, v), nil
	case Ext:
		return appendExt(dst, v)
	case *big.Int:
		return dst, errors.New("an integer has more than 64 bits: MessagePack has no form for it")
	case []any:
		dst = msgp.AppendArrayHeader(dst, uint32(len(v))) //nolint:gosec // MaxValues bounds it
		for _, v := range v {
			var err error
			if dst, err = f.encode(dst, v); err != nil {
				return dst, err
			}
		}
		return dst, nil
	case map[string]any:
		return f.mapping(dst, v)
	case map[any]any:
		return f.pairs(dst, v)
	}
	return dst, errNoForm(v, "MessagePack")
}

func (f msgpackFormat) mapping(dst []byte, values map[string]any) ([]byte, error) {
	var room [few]string
	dst = msgp.AppendMapHeader(dst, uint32(len(values))) //nolint:gosec // MaxValues bounds it
	for _, name := range sortedNames(room[:0], values) {
		var err error
		if dst, err = f.encode(msgp.AppendString(dst, name), values[name]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// pairs writes a map with any keys, in the order of the keys' bytes.
func (f msgpackFormat) pairs(dst []byte, values map[any]any) ([]byte, error) {
	byKey, err := encodedKeys(values, f.encode)
	if err != nil {
		return dst, err
	}
	dst = msgp.AppendMapHeader(dst, uint32(len(byKey))) //nolint:gosec // MaxValues bounds it
	for _, key := range sortedNames(nil, byKey) {
		if dst, err = f.encode(append(dst, key...), byKey[key]); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

const timeExt = -1

// appendTime writes a timestamp in the shortest of its three forms.
func appendTime(dst []byte, t time.Time) []byte {
	const kind = 0xff                                        // -1
	seconds, nanoseconds := t.Unix(), uint64(t.Nanosecond()) //nolint:gosec // never negative
	switch {
	case seconds>>34 != 0:
		dst = binary.BigEndian.AppendUint32(append(dst, 0xc7, 12, kind), uint32(nanoseconds)) //nolint:gosec // below 1e9
		return binary.BigEndian.AppendUint64(dst, uint64(seconds))                            //nolint:gosec // signed on the wire
	case nanoseconds == 0 && seconds>>32 == 0:
		return binary.BigEndian.AppendUint32(append(dst, 0xd6, kind), uint32(seconds))
	}
	return binary.BigEndian.AppendUint64(append(dst, 0xd7, kind), nanoseconds<<34|uint64(seconds))
}

func appendExt(dst []byte, e Ext) ([]byte, error) {
	if e.Type == timeExt {
		return dst, errors.New("an extension has the type -1, which is a time: give a time.Time")
	}
	return msgp.AppendExtension(dst, &msgp.RawExtension{Type: e.Type, Data: e.Data})
}

package value

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Of returns the AMQP value of a Go value: of nil, booleans, numbers of each
// width, strings, []byte, [16]byte as a UUID, [time.Time] in whole milliseconds,
// []any as a list, and map[string]any as a map with its keys sorted. int and
// uint are of 64 bits. A [Value] is itself.
func Of(v any) (Value, error) { return of(v, 0) }

func of(v any, depth int) (Value, error) {
	switch v := v.(type) {
	case nil:
		return Null{}, nil
	case Value:
		return v, nil
	case bool:
		return Bool(v), nil
	case string:
		return String(v), nil
	case []byte:
		return Binary(v), nil
	case [16]byte:
		return UUID(v), nil
	case time.Time:
		return Timestamp(v.UnixMilli()), nil
	case []any:
		return listOf(v, depth+1)
	case map[string]any:
		return mapOf(v, depth+1)
	}
	return numberOf(v)
}

func numberOf(v any) (Value, error) {
	switch v := v.(type) {
	case uint8:
		return UByte(v), nil
	case uint16:
		return UShort(v), nil
	case uint32:
		return UInt(v), nil
	case uint64:
		return ULong(v), nil
	case uint:
		return ULong(v), nil
	case int8:
		return Byte(v), nil
	case int16:
		return Short(v), nil
	case int32:
		return Int(v), nil
	case int64:
		return Long(v), nil
	case int:
		return Long(v), nil
	case float32:
		return Float(v), nil
	case float64:
		return Double(v), nil
	}
	return nil, fmt.Errorf("%w: there is none for a Go %T", ErrInvalid, v)
}

func listOf(elements []any, depth int) (Value, error) {
	if depth > DefaultMaxDepth {
		return nil, fmt.Errorf("%w: it nests deeper than %d levels", ErrLimit, DefaultMaxDepth)
	}
	list := make(List, len(elements))
	for i, element := range elements {
		var err error
		if list[i], err = of(element, depth); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func mapOf(entries map[string]any, depth int) (Value, error) {
	if depth > DefaultMaxDepth {
		return nil, fmt.Errorf("%w: it nests deeper than %d levels", ErrLimit, DefaultMaxDepth)
	}
	pairs := make(Map, 0, len(entries))
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		v, err := of(entries[key], depth)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, Pair{String(key), v})
	}
	return pairs, nil
}

// Time returns the instant, in UTC.
func (t Timestamp) Time() time.Time { return time.UnixMilli(int64(t)).UTC() }

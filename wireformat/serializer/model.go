package serializer

import (
	"encoding"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"reflect"
	"slices"
	"time"
	"unicode/utf8"
)

// model returns v in the model, within the limits. What is of the model already
// is checked and returned as it is.
func model(v any, limits Limits) (any, error) {
	m := modeller{limits: limits, left: limits.MaxValues}
	v, _, err := m.value(v, 0)
	return v, err
}

type modeller struct {
	limits Limits
	left   int // values
}

// value returns v in the model, and whether that is another value than v.
func (m *modeller) value(v any, depth int) (result any, changed bool, err error) { //nolint:cyclop // one case for each type
	if m.left--; m.left < 0 {
		return nil, false, errMany(m.limits.MaxValues)
	}
	switch v := v.(type) {
	case nil, bool, int64, float64, Simple, Ext:
		return v, false, nil
	case string:
		if !utf8.ValidString(v) {
			return nil, false, errText
		}
		return v, false, nil
	case []byte:
		if v == nil {
			return []byte{}, true, nil
		}
		return v, false, nil
	case int:
		return int64(v), true, nil
	case uint64:
		if v <= math.MaxInt64 {
			return int64(v), true, nil
		}
		return v, false, nil
	case []any:
		return m.array(v, depth)
	case map[string]any:
		return m.object(v, depth)
	case map[any]any:
		return m.anyKeys(v, depth)
	case *big.Int:
		return bigInt(v)
	case time.Time:
		return v.Round(0), false, nil
	case Tag:
		return m.tag(v, depth)
	}
	return m.other(v, depth)
}

// bigInt returns the smallest type of the model that holds i.
func bigInt(i *big.Int) (any, bool, error) {
	switch {
	case i == nil:
		return nil, true, nil
	case i.IsInt64():
		return i.Int64(), true, nil
	case i.IsUint64():
		return i.Uint64(), true, nil
	case i.BitLen() > maxBits:
		return nil, false, errLongInteger
	}
	return i, false, nil
}

// inside returns the depth of what is in a container at depth.
func (m *modeller) inside(depth int) (int, error) {
	if depth >= m.limits.MaxDepth {
		return 0, errDeep(m.limits.MaxDepth)
	}
	return depth + 1, nil
}

func (m *modeller) array(values []any, depth int) (any, bool, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, false, err
	}
	if values == nil {
		return []any{}, true, nil
	}
	var fresh []any // made for the first value that changes
	for i, v := range values {
		v, changed, err := m.value(v, depth)
		if err != nil {
			return nil, false, err
		}
		if changed && fresh == nil {
			fresh = slices.Clone(values)
		}
		if changed {
			fresh[i] = v
		}
	}
	if fresh != nil {
		return fresh, true, nil
	}
	return values, false, nil
}

func (m *modeller) object(values map[string]any, depth int) (any, bool, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, false, err
	}
	if values == nil {
		return map[string]any{}, true, nil
	}
	var fresh map[string]any
	for name, v := range values {
		if !utf8.ValidString(name) {
			return nil, false, errText
		}
		m.left--
		v, changed, err := m.value(v, depth)
		if err != nil {
			return nil, false, err
		}
		if changed && fresh == nil {
			fresh = maps.Clone(values)
		}
		if changed {
			fresh[name] = v
		}
	}
	if fresh != nil {
		return fresh, true, nil
	}
	return values, false, nil
}

// anyKeys makes a map[string]any of a map whose keys are strings without
// exception, so that the model has one form of each map.
func (m *modeller) anyKeys(values map[any]any, depth int) (any, bool, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, false, err
	}
	fresh := make(map[any]any, len(values))
	for key, v := range values {
		key, _, err := m.value(key, depth)
		if err == nil {
			v, _, err = m.value(v, depth)
		}
		if err == nil {
			err = putKey(fresh, key, v)
		}
		if err != nil {
			return nil, false, err
		}
	}
	return stringKeys(fresh), true, nil
}

// putKey adds a pair whose key is of the model.
func putKey(pairs map[any]any, key, v any) error {
	switch key := key.(type) {
	case string, int64, uint64, bool:
	case float64:
		if math.IsNaN(key) {
			return errors.New("a map has a key that is not a number (NaN)")
		}
	default:
		return fmt.Errorf("a map has a key of type %T: want a string, a number or a boolean", key)
	}
	if _, twice := pairs[key]; twice {
		return errTwice
	}
	pairs[key] = v
	return nil
}

func stringKeys(pairs map[any]any) any {
	named := make(map[string]any, len(pairs))
	for key, v := range pairs {
		name, ok := key.(string)
		if !ok {
			return pairs
		}
		named[name] = v
	}
	return named
}

func (m *modeller) tag(t Tag, depth int) (any, bool, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, false, err
	}
	content, changed, err := m.value(t.Content, depth)
	return Tag{t.Number, content}, changed, err
}

// other turns a value of any other type of Go into one of the model.
func (m *modeller) other(v any, depth int) (any, bool, error) {
	if text, ok := v.(encoding.TextMarshaler); ok && !isNilPointer(v) {
		b, err := text.MarshalText()
		if err != nil {
			return nil, false, fmt.Errorf("MarshalText of %T: %w", v, err)
		}
		if !utf8.Valid(b) {
			return nil, false, errText
		}
		return string(b), true, nil
	}
	result, err := m.reflected(reflect.ValueOf(v), depth)
	return result, true, err
}

func isNilPointer(v any) bool {
	r := reflect.ValueOf(v)
	return r.Kind() == reflect.Pointer && r.IsNil()
}

func (m *modeller) reflected(r reflect.Value, depth int) (any, error) {
	switch r.Kind() { //nolint:exhaustive // the others are no data
	case reflect.Bool:
		return r.Bool(), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return r.Int(), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u := r.Uint(); u > math.MaxInt64 {
			return u, nil
		}
		return int64(r.Uint()), nil //nolint:gosec // it fits
	case reflect.Float32, reflect.Float64:
		return r.Float(), nil
	case reflect.String:
		return m.again(r.String(), depth)
	case reflect.Pointer, reflect.Interface:
		if r.IsNil() {
			return nil, nil
		}
		inner, err := m.inside(depth) // what points to itself must end
		if err != nil {
			return nil, err
		}
		return m.again(r.Elem().Interface(), inner)
	case reflect.Slice, reflect.Array:
		return m.list(r, depth)
	case reflect.Map:
		return m.mapping(r, depth)
	case reflect.Struct:
		return m.structure(r, depth)
	}
	return nil, fmt.Errorf("a value has the type %s: want data", r.Type())
}

// again takes a value that is counted already.
func (m *modeller) again(v any, depth int) (any, error) {
	m.left++
	v, _, err := m.value(v, depth)
	return v, err
}

func (m *modeller) list(r reflect.Value, depth int) (any, error) {
	if r.Type().Elem().Kind() == reflect.Uint8 {
		b := make([]byte, r.Len())
		reflect.Copy(reflect.ValueOf(b), r)
		return b, nil
	}
	depth, err := m.inside(depth)
	if err != nil {
		return nil, err
	}
	values := make([]any, 0, min(r.Len(), m.limits.MaxValues))
	for i := range r.Len() {
		v, _, err := m.value(r.Index(i).Interface(), depth)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return values, nil
}

func (m *modeller) mapping(r reflect.Value, depth int) (any, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, err
	}
	pairs := make(map[any]any, min(r.Len(), m.limits.MaxValues))
	for key, v := range r.Seq2() {
		key, _, err := m.value(key.Interface(), depth)
		if err != nil {
			return nil, err
		}
		value, _, err := m.value(v.Interface(), depth)
		if err == nil {
			err = putKey(pairs, key, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return stringKeys(pairs), nil
}

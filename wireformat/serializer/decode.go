package serializer

import (
	"encoding"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Decode reads one value into what into points to, as Serialize would have
// written it: structs by their json tags, names exactly as they are. Names that a
// struct does not have are left out, and nil gives the zero value. A number that
// does not fit, and a value of another kind, are errors that say where.
func Decode(s Serializer, b []byte, into any) error {
	target := reflect.ValueOf(into)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return &Error{ErrUnserialize, s.Info().ID, errors.New("want a pointer to decode into")}
	}
	values, err := s.Unserialize(b)
	if err != nil {
		return err
	}
	if len(values) != 1 {
		return &Error{ErrUnserialize, s.Info().ID, errors.New("it holds several values: want one")}
	}
	if err := assign(values[0], target.Elem(), "it"); err != nil {
		return &Error{ErrUnserialize, s.Info().ID, err}
	}
	return nil
}

// kindError says that a value does not fit where it is to go.
func kindError(path string, v any, r reflect.Value) error {
	return fmt.Errorf("%s: %T does not fit a %s", path, v, r.Type())
}

// assign puts a value of the model into r. path says where that is.
func assign(v any, r reflect.Value, path string) error { //nolint:cyclop // one case for each kind
	if v == nil {
		r.SetZero()
		return nil
	}
	if handled, err := assignWhole(v, r, path); handled {
		return err
	}
	switch r.Kind() { //nolint:exhaustive // the others hold no data
	case reflect.Pointer:
		r.Set(reflect.New(r.Type().Elem()))
		return assign(v, r.Elem(), path)
	case reflect.Bool:
		if v, ok := v.(bool); ok {
			r.SetBool(v)
			return nil
		}
	case reflect.String:
		if v, ok := v.(string); ok {
			r.SetString(v)
			return nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v, ok := v.(int64); ok && !r.OverflowInt(v) {
			r.SetInt(v)
			return nil
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if u, ok := unsigned(v); ok && !r.OverflowUint(u) {
			r.SetUint(u)
			return nil
		}
	case reflect.Float32, reflect.Float64:
		if f, ok := floating(v); ok && !r.OverflowFloat(f) {
			r.SetFloat(f)
			return nil
		}
	case reflect.Slice, reflect.Array:
		return assignList(v, r, path)
	case reflect.Map:
		return assignMap(v, r, path)
	case reflect.Struct:
		if v, ok := v.(map[string]any); ok {
			return assignFields(v, r, path)
		}
	}
	return kindError(path, v, r)
}

// assignWhole puts v into r where r has its type, or reads text itself.
func assignWhole(v any, r reflect.Value, path string) (handled bool, err error) {
	if i, ok := reflect.TypeAssert[*big.Int](r.Addr()); ok {
		return true, assignBig(v, i, path)
	}
	if value := reflect.ValueOf(v); value.Type().AssignableTo(r.Type()) {
		r.Set(value)
		return true, nil
	}
	text, ok := v.(string)
	reader, reads := reflect.TypeAssert[encoding.TextUnmarshaler](r.Addr())
	if !ok || !reads {
		return false, nil
	}
	if err := reader.UnmarshalText([]byte(text)); err != nil {
		return true, fmt.Errorf("%s: the text is no %s", path, r.Type())
	}
	return true, nil
}

func assignBig(v any, into *big.Int, path string) error {
	switch v := v.(type) {
	case int64:
		into.SetInt64(v)
	case uint64:
		into.SetUint64(v)
	case *big.Int:
		into.Set(v)
	default:
		return fmt.Errorf("%s: %T is no integer", path, v)
	}
	return nil
}

func unsigned(v any) (uint64, bool) {
	switch v := v.(type) {
	case int64:
		return uint64(v), v >= 0 //nolint:gosec // the second result says whether it fits
	case uint64:
		return v, true
	}
	return 0, false
}

// floating takes integers too, where a float holds them exactly.
func floating(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, true
	case int64:
		f := float64(v)
		return f, f < 1<<63 && int64(f) == v
	}
	return 0, false
}

func assignList(v any, r reflect.Value, path string) error {
	if b, ok := v.([]byte); ok && r.Type().Elem().Kind() == reflect.Uint8 {
		return assignBytes(b, r, path)
	}
	list, ok := v.([]any)
	switch {
	case !ok:
		return kindError(path, v, r)
	case r.Kind() == reflect.Slice:
		r.Set(reflect.MakeSlice(r.Type(), len(list), len(list)))
	case r.Len() != len(list):
		return fmt.Errorf("%s: it has %d elements, want %d", path, len(list), r.Len())
	}
	for i, v := range list {
		if err := assign(v, r.Index(i), path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	return nil
}

func assignBytes(b []byte, r reflect.Value, path string) error {
	if r.Kind() == reflect.Slice {
		r.SetBytes(b)
		return nil
	}
	if r.Len() != len(b) {
		return fmt.Errorf("%s: it has %d bytes, want %d", path, len(b), r.Len())
	}
	reflect.Copy(r, reflect.ValueOf(b))
	return nil
}

func assignMap(v any, r reflect.Value, path string) error {
	pairs, ok := v.(map[any]any)
	if named, isNamed := v.(map[string]any); isNamed {
		ok, pairs = true, make(map[any]any, len(named))
		for name, v := range named {
			pairs[name] = v
		}
	}
	if !ok {
		return kindError(path, v, r)
	}
	fresh := reflect.MakeMapWithSize(r.Type(), len(pairs))
	for key, v := range pairs {
		k, value := reflect.New(r.Type().Key()).Elem(), reflect.New(r.Type().Elem()).Elem()
		if err := assign(key, k, "a key of "+path); err != nil {
			return err
		}
		if err := assign(v, value, "a value of "+path); err != nil {
			return err
		}
		fresh.SetMapIndex(k, value)
	}
	r.Set(fresh)
	return nil
}

// assignFields puts the values of a map into the fields of a struct, those of
// embedded structs included.
func assignFields(values map[string]any, r reflect.Value, path string) error {
	if r.Type() == reflect.TypeFor[time.Time]() {
		return kindError(path, values, r)
	}
	for i := range r.NumField() {
		field, inner := r.Type().Field(i), r.Field(i)
		tag := field.Tag.Get("json")
		name, _, _ := strings.Cut(tag, ",")
		if part, ok := embeddedIn(field, inner, name); ok {
			if err := assignFields(values, part, path); err != nil {
				return err
			}
			continue
		}
		if name == "" {
			name = field.Name
		}
		v, ok := values[name]
		if !ok || !field.IsExported() || tag == "-" {
			continue
		}
		if err := assign(v, inner, path+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// embeddedIn returns the struct that an embedded field stands for, made where it
// is a pointer to none.
func embeddedIn(field reflect.StructField, v reflect.Value, name string) (reflect.Value, bool) {
	inner, ok := asEmbedded(field, v, name)
	if ok && !inner.IsValid() {
		v.Set(reflect.New(field.Type.Elem()))
		inner = v.Elem()
	}
	return inner, ok
}

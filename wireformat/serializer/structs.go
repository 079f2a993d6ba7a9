package serializer

import (
	"reflect"
	"strings"
)

// structure makes a map of a struct, as encoding/json does: exported fields under
// their names or those of their json tags, without "-" and what omitempty or
// omitzero leave out; embedded structs without a name are part of it. A field of
// the outer struct goes before one of an embedded one.
func (m *modeller) structure(r reflect.Value, depth int) (any, error) {
	depth, err := m.inside(depth)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	err = m.fields(values, r, depth)
	return values, err
}

func (m *modeller) fields(values map[string]any, r reflect.Value, depth int) error {
	var embedded []reflect.Value
	for i := range r.NumField() {
		field, v := r.Type().Field(i), r.Field(i)
		tag := field.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		if inner, ok := asEmbedded(field, v, name); ok {
			embedded = append(embedded, inner)
			continue
		}
		if tag == "-" || !field.IsExported() || isLeftOut(v, options) {
			continue
		}
		if name == "" {
			name = field.Name
		}
		value, _, err := m.value(v.Interface(), depth)
		if err != nil {
			return err
		}
		if _, taken := values[name]; !taken {
			values[name] = value
		}
	}
	for _, inner := range embedded {
		if !inner.IsValid() {
			continue // a nil pointer
		}
		deeper, err := m.inside(depth)
		if err == nil {
			err = m.fields(values, inner, deeper)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// asEmbedded returns the struct that an embedded field stands for.
func asEmbedded(field reflect.StructField, v reflect.Value, name string) (reflect.Value, bool) {
	if !field.Anonymous || name != "" {
		return reflect.Value{}, false
	}
	if v.Kind() == reflect.Struct {
		return v, true
	}
	if v.Kind() == reflect.Pointer && v.Type().Elem().Kind() == reflect.Struct && field.IsExported() {
		return v.Elem(), true
	}
	return reflect.Value{}, false
}

func isLeftOut(v reflect.Value, options string) bool {
	for option := range strings.SplitSeq(options, ",") {
		switch option {
		case "omitzero":
			if v.IsZero() {
				return true
			}
		case "omitempty":
			switch v.Kind() {
			case reflect.Slice, reflect.Map, reflect.Array, reflect.String:
				if v.Len() == 0 {
					return true
				}
			case reflect.Struct:
			default:
				if v.IsZero() {
					return true
				}
			}
		}
	}
	return false
}

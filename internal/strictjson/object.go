package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Object is a JSON object's members, as they are written.
type Object map[string]json.RawMessage

// ParseObject reads one object. Names count as they are written, case and all,
// unlike with encoding/json. The values are parts of text.
func ParseObject(text []byte, maxDepth int) (Object, error) {
	if err := CheckObject(text); err != nil {
		return nil, err
	}
	o := Object{}
	err := Members(text, maxDepth, func(name, value []byte) { o[string(name)] = value })
	return o, err
}

// Has reports whether there is such a member that is not null.
func (o Object) Has(name string) bool { return !IsNull(o[name]) }

// Text returns the text of a member, "" where there is none. The error names the
// member.
func (o Object) Text(name string) (string, error) { return Text(name, o[name]) }

// Text returns the text of a member with that value, "" where it is missing or null.
// The error names the member.
func Text(name string, value []byte) (string, error) {
	switch {
	case IsNull(value):
		return "", nil
	case value[0] != '"':
		return "", fmt.Errorf("%s is not a string", name)
	}
	return string(Unquote(value)), nil
}

// Into decodes a member where there is one. The error names the member and does
// not repeat it.
func (o Object) Into(name string, value any) error {
	raw := o[name]
	if IsNull(raw) {
		return nil
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("%s has the wrong type", name)
	}
	return nil
}

// Elements returns the elements of an array, as they are written.
func Elements(array []byte) ([]json.RawMessage, error) {
	var elements []json.RawMessage
	if err := json.Unmarshal(array, &elements); err != nil || elements == nil {
		return nil, errors.New("it is not an array")
	}
	return elements, nil
}

// IsNull reports a value that is missing or null.
func IsNull(value []byte) bool { return len(value) == 0 || value[0] == 'n' }

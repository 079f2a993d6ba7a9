package amqpjson

import (
	"slices"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// elements reads an array of the document: never nil.
func (r *reader) elements(depth int) ([]value.Value, error) {
	depth, err := r.deeper(depth)
	if err != nil {
		return nil, err
	}
	elements := []value.Value{}
	err = r.each(func(i int) error {
		v, err := r.value(depth)
		elements = append(elements, v)
		return at(err, "value[%d]", i)
	})
	return elements, err
}

func buildList(elements []value.Value) (value.Value, error) { return value.List(elements), nil }

// keyLimits are those of nobody: what is read is limited already.
var keyLimits = value.Limits{MaxDepth: 10000, MaxBytes: 1 << 30}

func buildMap(elements []value.Value) (value.Value, error) {
	if len(elements)%2 != 0 {
		return nil, invalid("a map has %d elements: want an even number, keys and values in turn", len(elements))
	}
	pairs := make(value.Map, 0, len(elements)/2)
	seen := map[string]bool{}
	var key []byte
	for i := 0; i < len(elements); i += 2 {
		var err error
		if key, err = keyLimits.Append(key[:0], elements[i]); err != nil {
			return nil, at(err, "value[%d]", i)
		}
		if seen[string(key)] {
			return nil, at(invalid("a map has this key before"), "value[%d]", i)
		}
		seen[string(key)] = true
		pairs = append(pairs, value.Pair{Key: elements[i], Value: elements[i+1]})
	}
	return pairs, nil
}

// buildArray makes an array of elements that are alike in type and descriptor.
func buildArray(elements []value.Value) (value.Value, error) {
	if len(elements) == 0 {
		return value.Array{Of: value.TypeString, Elements: elements}, nil
	}
	array := value.Array{Elements: elements}
	if first, ok := elements[0].(value.Described); ok {
		array.Descriptors = []value.Value{first.Descriptor}
	}
	for i, element := range elements {
		var descriptors []value.Value
		if described, ok := element.(value.Described); ok {
			descriptors, elements[i] = []value.Value{described.Descriptor}, described.Value
		}
		if !slices.EqualFunc(descriptors, array.Descriptors, value.Equal) {
			return nil, at(invalid("the elements of an array differ in their descriptors"), "value[%d]", i)
		}
		t := value.TypeOf(elements[i])
		if i == 0 {
			array.Of = t
		}
		if t != array.Of {
			return nil, at(invalid("the elements of an array differ in their types: %s and %s", array.Of, t), "value[%d]", i)
		}
	}
	return array, nil
}

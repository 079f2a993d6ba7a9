package value

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func nested(depth int) Value {
	var v Value = Null{}
	for range depth {
		v = List{v}
	}
	return v
}

func TestDepth(t *testing.T) {
	t.Parallel()
	limits := Limits{MaxDepth: 3}
	for _, test := range []struct {
		name string
		wrap func(Value) Value
	}{
		{"list", func(v Value) Value { return List{v} }},
		{"map", func(v Value) Value { return Map{{Int(1), v}} }},
		{"key", func(v Value) Value { return Map{{v, Int(1)}} }},
		{"described", func(v Value) Value { return Described{Int(1), v} }},
		{"descriptor", func(v Value) Value { return Described{v, Int(1)} }},
		{"array", func(v Value) Value { return Array{Of: TypeOf(v), Elements: []Value{v}} }},
		{"array's descriptor", func(v Value) Value { return Array{Descriptors: []Value{v}} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			deep := test.wrap(List{List{Null{}}})
			if test.name == "array's descriptor" {
				deep = test.wrap(List{Null{}})
			}
			encoded, err := limits.Append(nil, deep)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := limits.Decode(encoded); err != nil {
				t.Fatal(err)
			}
			deeper := List{deep}
			if _, err := limits.Append(nil, deeper); !errors.Is(err, ErrLimit) {
				t.Errorf("Append: %v, want ErrLimit", err)
			}
			if encoded, err = Encode(deeper); err != nil {
				t.Fatal(err)
			}
			if _, err := limits.Decode(encoded); !errors.Is(err, ErrLimit) {
				t.Errorf("Decode: %v, want ErrLimit", err)
			}
		})
	}
}

// TestDescriptorsWithoutEnd: each level is one byte, so nothing else bounds them.
func TestDescriptorsWithoutEnd(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"value": make([]byte, 1<<20),
		"array": append([]byte{0xf0, 0, 0x10, 0, 4, 0, 0, 0, 1}, make([]byte, 1<<20)...),
	} {
		if _, err := Decode(data); !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, want ErrLimit", name, err)
		}
	}
}

func TestCycleEnds(t *testing.T) {
	t.Parallel()
	cycle := List{nil}
	cycle[0] = cycle
	if _, err := Encode(cycle); !errors.Is(err, ErrLimit) {
		t.Errorf("Encode: %v, want ErrLimit", err)
	}
}

func TestDefaultLimits(t *testing.T) {
	t.Parallel()
	if _, err := Encode(nested(DefaultMaxDepth)); err != nil {
		t.Error(err)
	}
	if _, err := Encode(nested(DefaultMaxDepth + 1)); !errors.Is(err, ErrLimit) {
		t.Errorf("%v, want ErrLimit", err)
	}
	for _, v := range []Value{Binary(make([]byte, DefaultMaxBytes-4)), List{Binary(make([]byte, DefaultMaxBytes))}} {
		if _, err := Encode(v); !errors.Is(err, ErrLimit) {
			t.Errorf("%v, want ErrLimit", err)
		}
	}
	encoded, err := Encode(Binary(make([]byte, DefaultMaxBytes-5)))
	if err != nil || len(encoded) != DefaultMaxBytes {
		t.Fatalf("%d bytes, %v", len(encoded), err)
	}
	if _, err := Decode(encoded); err != nil {
		t.Error(err)
	}
	binary.BigEndian.PutUint32(encoded[1:], DefaultMaxBytes-4) // one byte more
	encoded = append(encoded, 0)
	if _, err := Decode(encoded); !errors.Is(err, ErrLimit) {
		t.Errorf("Decode: %v, want ErrLimit", err)
	}
}

func TestValuesAreCounted(t *testing.T) {
	t.Parallel()
	limits := Limits{MaxValues: 3}
	for _, test := range []struct {
		name string
		v    Value
		fits bool
	}{
		{"list of two", List{nil, nil}, true},
		{"list of three", List{nil, nil, nil}, false},
		{"two lists", List{List{nil}}, true},
		{"two lists of more", List{List{nil}, nil}, false},
		{"map of one", Map{{nil, nil}}, true},
		{"map of two", Map{{Int(1), nil}, {Int(2), nil}}, false},
		{"described", Described{nil, nil}, true},
		{"described list", Described{nil, List{nil}}, false},
		{"array of two", Array{Elements: []Value{nil, nil}}, true},
		{"array of three", Array{Elements: []Value{nil, nil, nil}}, false},
		{"array of descriptors", Array{Descriptors: []Value{nil, nil, nil}}, false},
	} {
		encoded, err := Encode(test.v)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := limits.Decode(encoded); (err == nil) != test.fits || err != nil && !errors.Is(err, ErrLimit) {
			t.Errorf("%s: %v, fits: %t", test.name, err, test.fits)
		}
	}
}

// TestBombs are few bytes that say they are many values. It counts all memory of
// the process, so no other test may run beside it.
//
//nolint:paralleltest // see above
func TestBombs(t *testing.T) {
	for name, text := range map[string]string{
		"array of null":         "f000000005ffffffff40",
		"array of true":         "f000000005ffffffff41",
		"array of empty list":   "f000000005ffffffff45",
		"array of int":          "f000000005ffffffff71",
		"array of arrays":       "f00000000e00000001f000000005ffffffff40",
		"list":                  "d000000005ffffffff40",
		"map":                   "d100000005fffffffe40",
		"binary":                "b0ffffffff",
		"string":                "b1ffffffff",
		"list of size":          "d0ffffffff00000001",
		"array of a descriptor": "f000000008ffffffff00a1004" + "0",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(unhex(t, text))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s was decoded", name)
		}
		if spent := after.TotalAlloc - before.TotalAlloc; spent > 1<<20 {
			t.Errorf("%s took %d bytes", name, spent)
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	if err := (Limits{}).Validate(); err != nil {
		t.Error(err)
	}
	err := Limits{MaxDepth: 10001, MaxValues: -1, MaxBytes: -1}.Validate()
	for _, field := range []string{"MaxDepth", "MaxValues", "MaxBytes"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("error is %v, want it to name %s", err, field)
		}
	}
	// Unvalidated limits count as the default, or as the most there may be.
	wild := Limits{MaxDepth: 1 << 30, MaxValues: -1, MaxBytes: -1}
	if _, err := wild.Decode(bytes.Repeat([]byte{0}, 1<<20)); !errors.Is(err, ErrLimit) {
		t.Errorf("%v, want ErrLimit", err)
	}
}

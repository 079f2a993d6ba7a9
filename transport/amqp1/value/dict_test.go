package value

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

// The cases are those of Proton's documentation of PropertyDict, AnnotationDict
// and SymbolList.
func TestPropertyDict(t *testing.T) {
	t.Parallel()
	d, err := NewPropertyDict(Strict, Pair{String("one"), Int(1)}, Pair{Symbol("two"), Int(2)}, Pair{Symbol("one"), Int(3)})
	want := Map{{Symbol("one"), Int(3)}, {Symbol("two"), Int(2)}}
	if err != nil || !reflect.DeepEqual(d.Map(), want) {
		t.Fatalf("got %v, %v; want %v", d, err, want)
	}
	for _, key := range []Value{Int(2), ULong(3), nil, Binary("a"), String("é")} {
		if err := d.Set(key, Int(1)); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "the key of a property") {
			t.Errorf("key %#v: %v, want ErrInvalid", key, err)
		}
		if _, err := NewPropertyDict(Strict, Pair{key, nil}); !errors.Is(err, ErrInvalid) {
			t.Errorf("key %#v: %v, want ErrInvalid", key, err)
		}
	}
	if d.Len() != 2 {
		t.Errorf("%d entries after refused ones, want 2", d.Len())
	}
	lenient, err := NewPropertyDict(Lenient, Pair{String("one"), Int(1)}, Pair{Int(2), String("two")})
	want = Map{{Symbol("one"), Int(1)}, {Int(2), String("two")}}
	if err != nil || !reflect.DeepEqual(lenient.Map(), want) {
		t.Errorf("got %v, %v; want %v", lenient, err, want)
	}
}

func TestAnnotationDict(t *testing.T) {
	t.Parallel()
	d, err := NewAnnotationDict(Strict, Pair{String("one"), Int(1)}, Pair{Symbol("two"), Int(2)}, Pair{ULong(3), String("three")})
	want := Map{{Symbol("one"), Int(1)}, {Symbol("two"), Int(2)}, {ULong(3), String("three")}}
	if err != nil || !reflect.DeepEqual(d.Map(), want) {
		t.Fatalf("got %v, %v; want %v", d, err, want)
	}
	if err := d.Set(Long(3), nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("a long as key: %v, want ErrInvalid", err)
	}
	if v, ok := d.Get(String("two")); !ok || v != Int(2) {
		t.Errorf("two is %v, %t", v, ok)
	}
	if v, ok := d.Get(Long(3)); ok {
		t.Errorf("the key long 3 has %v", v)
	}
	if d.Delete(Long(3)) || d.Delete(Symbol("three")) || !d.Delete(String("one")) || d.Len() != 2 {
		t.Errorf("after deleting, there is %v", d.Map())
	}
	d.Map()[0].Value = Int(9)
	if v, _ := d.Get(Symbol("two")); v != Int(2) {
		t.Error("the map is not a copy")
	}
}

func TestSymbolList(t *testing.T) {
	t.Parallel()
	list, err := SymbolList(Strict, String("one"), Symbol("two"))
	if want := (List{Symbol("one"), Symbol("two")}); err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("got %v, %v; want %v", list, err, want)
	}
	for _, v := range []Value{Int(3), nil, String("é")} {
		if _, err := SymbolList(Strict, Symbol("one"), v); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "element 1") {
			t.Errorf("%#v: %v, want ErrInvalid", v, err)
		}
	}
	list, err = SymbolList(Lenient, String("one"), Int(3))
	if want := (List{Symbol("one"), Int(3)}); err != nil || !reflect.DeepEqual(list, want) {
		t.Errorf("got %v, %v; want %v", list, err, want)
	}
}

func TestMapGet(t *testing.T) {
	t.Parallel()
	m := Map{{Int(1), String("int")}, {Long(1), String("long")}, {nil, String("null")}}
	for _, test := range []struct{ key, want Value }{
		{Int(1), String("int")}, {Long(1), String("long")}, {Null{}, String("null")}, {UInt(1), nil},
	} {
		if v, ok := m.Get(test.key); v != test.want || ok != (test.want != nil) {
			t.Errorf("%#v has %v, %t", test.key, v, ok)
		}
	}
}

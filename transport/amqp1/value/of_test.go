package value

import (
	"errors"
	"reflect"
	"testing"
	"time"
)

func TestOf(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 1, 2, 3, 4, 5, 6789000, time.FixedZone("", 3600))
	for _, test := range []struct {
		v    any
		want Value
	}{
		{nil, Null{}},
		{true, Bool(true)},
		{uint8(1), UByte(1)},
		{uint16(1), UShort(1)},
		{uint32(1), UInt(1)},
		{uint64(1), ULong(1)},
		{uint(1), ULong(1)},
		{int8(-1), Byte(-1)},
		{int16(-1), Short(-1)},
		{int32(-1), Int(-1)},
		{int64(-1), Long(-1)},
		{-1, Long(-1)},
		{float32(1.5), Float(1.5)},
		{1.5, Double(1.5)},
		{"a", String("a")},
		{[]byte("a"), Binary("a")},
		{[16]byte{1}, UUID{1}},
		{at, Timestamp(1704161045006)},
		{Symbol("a"), Symbol("a")},
		{[]any{1, "a", nil}, List{Long(1), String("a"), Null{}}},
		{map[string]any{"b": 1, "a": []any{}}, Map{{String("a"), List{}}, {String("b"), Long(1)}}},
	} {
		if v, err := Of(test.v); err != nil || !reflect.DeepEqual(v, test.want) {
			t.Errorf("%#v is %#v, %v; want %#v", test.v, v, err, test.want)
		}
	}
	if got := Timestamp(1704161045006).Time(); !got.Equal(at.Truncate(time.Millisecond)) {
		t.Errorf("the timestamp is %v", got)
	}
	for _, v := range []any{struct{}{}, []any{make(chan int)}, map[string]any{"a": new(int)}} {
		if _, err := Of(v); !errors.Is(err, ErrInvalid) {
			t.Errorf("%T: %v, want ErrInvalid", v, err)
		}
	}
	list := []any{nil}
	list[0] = list
	entries := map[string]any{}
	entries["a"] = entries
	for _, v := range []any{list, entries} {
		if _, err := Of(v); !errors.Is(err, ErrLimit) {
			t.Errorf("a cycle: %v, want ErrLimit", err)
		}
	}
}

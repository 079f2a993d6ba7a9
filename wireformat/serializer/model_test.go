package serializer_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"net/netip"
	"testing"
	"time"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// everything is a value of the model that every format can carry, times aside.
func everything() map[string]any {
	many := make([]any, 70000)
	for i := range many {
		many[i] = int64(i - 35000)
	}
	return map[string]any{
		"nil": nil, "yes": true, "no": false,
		"ints": []any{
			int64(0), int64(-1), int64(127), int64(128), int64(-128), int64(-129), int64(255), int64(256),
			int64(32767), int64(32768), int64(-32768), int64(-32769), int64(65535), int64(65536),
			int64(math.MaxInt32), int64(math.MaxInt32 + 1), int64(math.MinInt32), int64(math.MinInt32 - 1),
			int64(math.MaxUint32), int64(math.MaxUint32 + 1), int64(1 << 53), int64(math.MaxInt64), int64(math.MinInt64),
			uint64(math.MaxInt64 + 1), uint64(math.MaxUint64),
		},
		"floats": []any{
			0.0, math.Copysign(0, -1), 1.0, -1.5, 0.1, 1e16, 1e15, 123456789.0, 1e-5, 1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, 100000.0,
		},
		"text":  []any{"", "a", "héllo ✓ 😀", "<>&\"\\\n\t\b\f\r\x01\u2028\x7f", "\x00"[1:], string(make([]byte, 0)), "x\x00y"},
		"bytes": []any{[]byte{}, []byte{0}, []byte{0xff, 0, 1}, bytes.Repeat([]byte{7}, 70000)}, "long": string(bytes.Repeat([]byte("l"), 70000)),
		"empty": []any{[]any{}, map[string]any{}}, "many": many,
	}
}

func TestEveryFormatCarriesTheModel(t *testing.T) {
	t.Parallel()
	want := any(everything())
	for id, s := range byID() {
		encoded, err := s.Serialize(nil, want)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if got := one(t, s, encoded); !same(got, want, false) {
			t.Errorf("%s: it is not the same when it is read", id)
		}
		again, err := s.Serialize([]byte("x"), want)
		if err != nil || !bytes.Equal(again[1:], encoded) {
			t.Errorf("%s: a second time it is written otherwise, %v", id, err)
		}
	}
}

func TestWhatOnlySomeFormatsCarry(t *testing.T) {
	t.Parallel()
	big65 := new(big.Int).Lsh(big.NewInt(3), 64)
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	for _, test := range []struct {
		ids []string
		v   any
	}{
		{[]string{"json", "cbor", "ubjson", "bjdata"}, big65},
		{[]string{"json", "cbor", "ubjson", "bjdata"}, new(big.Int).Neg(big65)},
		{[]string{"cbor", "msgpack"}, at},
		{[]string{"cbor", "msgpack"}, time.Date(1960, 1, 1, 0, 0, 0, 1, time.UTC)},
		{[]string{"cbor", "msgpack"}, time.Time{}},
		{[]string{"msgpack"}, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)},
		{[]string{"cbor", "msgpack", "bjdata"}, math.Inf(-1)},
		{[]string{"cbor", "msgpack", "bjdata"}, math.NaN()},
		{[]string{"cbor", "msgpack"}, map[any]any{int64(-3): "x", "a": int64(1), true: nil, 1.5: []any{}, uint64(math.MaxUint64): at}},
		{[]string{"cbor"}, serializer.Tag{Number: 999, Content: []any{serializer.Tag{Number: 32, Content: "http://a.example"}, at}}},
		{[]string{"cbor"}, map[string]any{"s": serializer.Simple(16), "t": serializer.Simple(255)}},
		{[]string{"msgpack"}, []any{serializer.Ext{Type: 7, Data: []byte{}}, serializer.Ext{Type: -128, Data: make([]byte, 300)}, serializer.Ext{Type: 3, Data: []byte{1, 2}}}},
	} {
		for _, id := range test.ids {
			s := byID()[id]
			encoded, err := s.Serialize(nil, test.v)
			if err != nil {
				t.Errorf("%s: %v: %v", id, test.v, err)
				continue
			}
			if got := one(t, s, encoded); !same(got, test.v, false) {
				t.Errorf("%s: %v is read as %#v", id, test.v, got)
			}
		}
	}
}

type inner struct {
	A int `json:"a"`
	B string
}

type outer struct {
	inner
	*Pointed
	B      string            `json:"B"`
	Number uint64            `json:"number"`
	Empty  []int             `json:"empty,omitempty"`
	Zero   time.Time         `json:"zero,omitzero"`
	Kept   *int              `json:"kept"`
	Not    int               `json:"-"`
	Names  map[string]uint8  `json:"names"`
	Array  [2]byte           `json:"array"`
	Addr   netip.Addr        `json:"addr"`
	Any    any               `json:"any"`
	Nested []inner           `json:"nested"`
	Ints   map[int32]float32 `json:"-"`
	hidden int
}

type Pointed struct{ P bool }

func TestTakesValuesOfGo(t *testing.T) {
	t.Parallel()
	v := outer{
		inner: inner{A: 1, B: "inside"}, B: "outside", Number: math.MaxUint64, Names: map[string]uint8{"x": 1},
		Addr: netip.MustParseAddr("192.0.2.1"), Any: inner{A: 2}, Nested: []inner{{A: 3, B: "b"}}, hidden: 1,
	}
	want := map[string]any{
		"a": int64(1), "B": "outside", "number": uint64(math.MaxUint64), "kept": nil,
		"names": map[string]any{"x": int64(1)}, "array": []byte{0, 0}, "addr": "192.0.2.1",
		"any": map[string]any{"a": int64(2), "B": ""}, "nested": []any{map[string]any{"a": int64(3), "B": "b"}},
	}
	for id, s := range byID() {
		encoded, err := s.Serialize(nil, &v)
		if err != nil {
			t.Errorf("%s: %v", id, err)
			continue
		}
		if got := one(t, s, encoded); !same(got, want, false) {
			t.Errorf("%s: it is read as %v", id, got)
		}
	}
}

// TestValuesAreNotChanged: what the model copies, it copies.
func TestValuesAreNotChanged(t *testing.T) {
	t.Parallel()
	v := map[string]any{"a": []any{1, uint8(2), serializer.Tag{Number: 9, Content: 1}}, "n": []byte(nil)}
	if _, err := byID()["cbor"].Serialize(nil, v); err != nil {
		t.Fatal(err)
	}
	list, _ := v["a"].([]any)
	if list[0] != 1 || list[1] != uint8(2) || v["n"].([]byte) != nil {
		t.Errorf("it became %#v", v)
	}
}

func TestReadsOtherForms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		id, hex string
		want    any
	}{
		{"json", text(" { \"a\" : [ 1 , 2.0 , -0 ] , \"b\" : { } }\n"), map[string]any{"a": []any{int64(1), 2.0, int64(0)}, "b": map[string]any{}}},
		{"json", text(`"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\"`), "é😀/\b\f\n\r\t\"\\"},
		{"json", text(`"\u0000AAH/"`), []byte{0, 1, 0xff}},
		{"json", text(`"\u0000"`), []byte{}},
		{"json", text(`1E2`), 100.0},
		{"json", text(`18446744073709551615`), uint64(math.MaxUint64)},
		{"cbor", "f7", nil},
		{"cbor", "fa3fc00000", 1.5},
		{"cbor", "bf6161019fff", nil},
		{"msgpack", "ca3fc00000", 1.5},
		{"msgpack", "d9016b", "k"},
		{"ubjson", text("NN[NU\x01N]N"), []any{int64(1)}},
		{"ubjson", text("[#U\x02TF"), []any{true, false}},
		{"ubjson", text("[$i#U\x02\xff\x01"), []any{int64(-1), int64(1)}},
		{"ubjson", text("[$Z#U\x02"), []any{nil, nil}},
		{"ubjson", text("{$T#U\x01U\x01a"), map[string]any{"a": true}},
		{"ubjson", text("{#i\x01U\x01aSU\x02hi"), map[string]any{"a": "hi"}},
		{"ubjson", text("[$[#U\x02TF]U\x01]"), []any{[]any{true, false}, []any{int64(1)}}},
		{"ubjson", text("[$S#U\x02U\x01aU\x01b"), []any{"a", "b"}},
		{"ubjson", text("[$C#U\x02ab"), []any{"a", "b"}},
		{"ubjson", text("d\x3f\xc0\x00\x00"), 1.5},
		{"ubjson", text("HU\x031.5"), 1.5},
		{"bjdata", text("[$U#U\x02\x01\x02"), []byte{1, 2}},
		{"bjdata", text("[$B#U\x02\x01\x02"), []byte{1, 2}},
		{"bjdata", text("h\x00\x3e"), 1.5},
		{"bjdata", text("h\x01\x80"), -5.960464477539063e-08},
		{"bjdata", text("h\x00\x7c"), math.Inf(1)},
		{"bjdata", text("[$u#[U\x02U\x02]\x01\x00\x02\x00\x03\x00\x04\x00"), []any{[]any{int64(1), int64(2)}, []any{int64(3), int64(4)}}},
		{"bjdata", text("[$I#[$U#U\x01\x02\x01\x00\x02\x00"), []any{int64(1), int64(2)}},
		{"bjdata", text("[$U#[U\x01U\x02]\x01\x02"), []any{[]any{int64(1), int64(2)}}},
	} {
		b, err := hex.DecodeString(test.hex)
		if err != nil {
			t.Fatal(err)
		}
		values, err := byID()[test.id].Unserialize(b)
		if test.want == nil && test.hex == "bf6161019fff" { // not closed
			if err == nil {
				t.Errorf("%s: %v", test.hex, values)
			}
			continue
		}
		if err != nil || !same(values[0], test.want, false) {
			t.Errorf("%s %s: %#v, %v; want %#v", test.id, test.hex, values, err, test.want)
		}
	}
}

func TestJSONText(t *testing.T) {
	t.Parallel()
	encoded, err := byID()["json"].Serialize(nil, map[string]any{
		"b": []any{1.0, 1e16, 1e-5, -0.5, 1e300, uint64(math.MaxUint64), []byte("hi"), nil, true}, "a": "é\u2028<\x01\"",
		"t": time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	})
	const want = `{"a":"é` + "\u2028" + `<\u0001\"","b":[1.0,1e+16,1e-05,-0.5,1e+300,18446744073709551615,"\u0000aGk=",null,true],"t":"2026-03-01T12:00:00Z"}`
	if err != nil || string(encoded) != want {
		t.Errorf("%s, %v\nwant %s", encoded, err, want)
	}
}

// TestShortFloats: every float of two bytes is written as it was, and none that
// needs more loses a bit.
func TestShortFloats(t *testing.T) {
	t.Parallel()
	short := must(serializer.NewCBOR(serializer.CBOROptions{ShortFloats: true}))
	for bits := range 1 << 16 {
		encoded := []byte{0xf9, byte(bits >> 8), byte(bits)}
		v := one(t, short, encoded)
		again, err := short.Serialize(nil, v)
		if f, ok := v.(float64); err != nil || !ok || !bytes.Equal(again, encoded) && !math.IsNaN(f) {
			t.Fatalf("%x is %v, and written as %x, %v", encoded, v, again, err)
		}
	}
	for _, v := range []float64{
		65505, 65520, 1e5, 5.9e-8, 2.98e-8, 0.1, 1.0009765625, 1.00048828125, 6.1e-05, math.MaxFloat32, 1e39,
		math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat64,
	} {
		encoded, err := short.Serialize(nil, v)
		if err != nil || one(t, short, encoded) != v {
			t.Errorf("%v is written as %x, %v", v, encoded, err)
		}
	}
}

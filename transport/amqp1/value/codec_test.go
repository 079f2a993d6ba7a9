package value

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
)

// codecTests are values and their encoding, which Qpid Proton 0.37 gave.
var codecTests = []struct {
	name string
	v    Value
	hex  string
}{
	{"null", Null{}, "40"},
	{"true", Bool(true), "41"},
	{"false", Bool(false), "42"},
	{"ubyte", UByte(255), "50ff"},
	{"ushort", UShort(258), "600102"},
	{"uint 0", UInt(0), "43"},
	{"uint 255", UInt(255), "52ff"},
	{"uint 256", UInt(256), "7000000100"},
	{"uint max", UInt(math.MaxUint32), "70ffffffff"},
	{"ulong 0", ULong(0), "44"},
	{"ulong 255", ULong(255), "53ff"},
	{"ulong max", ULong(math.MaxUint64), "80ffffffffffffffff"},
	{"byte", Byte(-128), "5180"},
	{"short", Short(-2), "61fffe"},
	{"int 127", Int(127), "547f"},
	{"int 128", Int(128), "7100000080"},
	{"int -128", Int(-128), "5480"},
	{"int -129", Int(-129), "71ffffff7f"},
	{"long 0", Long(0), "5500"},
	{"long -128", Long(-128), "5580"},
	{"long min", Long(math.MinInt64), "818000000000000000"},
	{"float", Float(-0.5), "72bf000000"},
	{"double", Double(math.Pi), "82400921fb54442d18"},
	{"decimal32", Decimal32{0xa, 0x1b, 0x2c, 0x3d}, "740a1b2c3d"},
	{"decimal64", Decimal64{0xa, 0x1b, 0x2c, 0x3d, 4, 5, 6, 7}, "840a1b2c3d04050607"},
	{"decimal128", Decimal128{1, 15: 2}, "9401000000000000000000000000000002"},
	{"char", Char('é'), "73000000e9"},
	{"char above 16 bits", Char('😀'), "730001f600"},
	{"timestamp", Timestamp(1311704463521), "830000013167adb8a1"},
	{"timestamp before 1970", Timestamp(-1), "83ffffffffffffffff"},
	{"uuid", UUID{0x12, 15: 0xfb}, "98120000000000000000000000000000fb"},
	{"binary", Binary{0, 255}, "a00200ff"},
	{"no binary", Binary{}, "a000"},
	{"binary 256", Binary(make([]byte, 256)), "b000000100" + strings.Repeat("00", 256)},
	{"string", String("é"), "a102c3a9"},
	{"string 255", String(strings.Repeat("x", 255)), "a1ff" + strings.Repeat("78", 255)},
	{"string 256", String(strings.Repeat("x", 256)), "b100000100" + strings.Repeat("78", 256)},
	{"symbol", Symbol("amqp:ok"), "a307616d71703a6f6b"},
	{"symbol 256", Symbol(strings.Repeat("x", 256)), "b300000100" + strings.Repeat("78", 256)},
	{"empty list", List{}, "45"},
	{"empty map", Map{}, "d10000000400000000"},
	{"list", List{Int(1), String("a")}, "d000000009000000025401a10161"},
	{"empty ones in a list", List{List{}, Map{}}, "d00000000e0000000245d10000000400000000"},
	{"map", Map{{Symbol("k1"), String("v")}, {Symbol("k2"), Int(100)}}, "d10000001100000004a3026b31a10176a3026b325464"},
	{"map with keys of many types", Map{{Int(1), Null{}}, {Long(1), Null{}}, {ULong(1), Null{}}}, "d10000000d00000006540140550140530140"},
	{"array of string", Array{Of: TypeString, Elements: []Value{String("a"), String("b")}}, "f00000000f00000002b100000001610000000162"},
	{"array of no string", Array{Of: TypeString, Elements: []Value{}}, "f00000000500000000b1"},
	{"array of int", Array{Of: TypeInt, Elements: []Value{}}, "f0000000050000000071"},
	{"array of null", Array{Of: TypeNull, Elements: []Value{Null{}, Null{}}}, "f0000000050000000240"},
	{"array of boolean", Array{Of: TypeBool, Elements: []Value{Bool(true), Bool(false)}}, "f00000000700000002560100"},
	{"array of ulong", Array{Of: TypeULong, Elements: []Value{ULong(0), ULong(300)}}, "f00000001500000002800000000000000000000000000000012c"},
	{"array of list", Array{Of: TypeList, Elements: []Value{List{Int(1)}, List{}}}, "f00000001700000002d0000000060000000154010000000400000000"},
	{"array of map", Array{Of: TypeMap, Elements: []Value{Map{{Int(1), Int(2)}}, Map{}}}, "f00000001900000002d10000000800000002540154020000000400000000"},
	{"array of array", Array{Of: TypeArray, Elements: []Value{Array{Of: TypeInt, Elements: []Value{Int(1)}}}}, "f00000001200000001f000000009000000017100000001"},
	{"array of described", Array{Of: TypeInt, Descriptors: []Value{Symbol("x")}, Elements: []Value{Int(1), Int(2)}}, "f0000000110000000200a30178710000000100000002"},
	{"array of no described", Array{Of: TypeInt, Descriptors: []Value{Symbol("x")}, Elements: []Value{}}, "f0000000090000000000a3017871"},
	{"described", Described{ULong(1), String("abbrev")}, "005301a106616262726576"},
	{"described twice", Described{Symbol("a"), Described{Symbol("b"), Null{}}}, "00a3016100a3016240"},
	{"descriptor described", Described{Described{ULong(1), ULong(2)}, Null{}}, "0000530153" + "0240"},
}

func TestCodecAgreesWithProton(t *testing.T) {
	t.Parallel()
	for _, test := range codecTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			encoded, err := Encode(test.v)
			if got := hex.EncodeToString(encoded); err != nil || got != test.hex {
				t.Errorf("encoded to %s, %v; want %s", got, err, test.hex)
			}
			v, err := Decode(unhex(t, test.hex))
			if err != nil || !reflect.DeepEqual(v, test.v) {
				t.Errorf("decoded to %#v, %v; want %#v", v, err, test.v)
			}
		})
	}
}

// TestEveryTypeIsTested looks that no type is missing in the table.
func TestEveryTypeIsTested(t *testing.T) {
	t.Parallel()
	seen := map[Type]bool{}
	for _, test := range codecTests {
		seen[test.v.Type()] = true
	}
	for want := TypeNull; want <= TypeDescribed; want++ {
		if !seen[want] {
			t.Errorf("no value of type %s", want)
		}
	}
	if text := (TypeDescribed + 1).String(); text != "no type" {
		t.Errorf("the type after the last is %q", text)
	}
}

func TestDecodeTakesEveryConstructor(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, hex string
		want      Value
	}{
		{"boolean in a byte", "5601", Bool(true)},
		{"boolean in a byte, false", "5600", Bool(false)},
		{"wide uint", "7000000000", UInt(0)},
		{"small uint 0", "5200", UInt(0)},
		{"wide ulong", "800000000000000001", ULong(1)},
		{"small ulong 0", "5300", ULong(0)},
		{"wide int", "71ffffffff", Int(-1)},
		{"wide long", "81ffffffffffffffff", Long(-1)},
		{"long binary", "b000000001ff", Binary{255}},
		{"long string", "b10000000161", String("a")},
		{"long symbol", "b30000000161", Symbol("a")},
		{"short list", "c0020140", List{Null{}}},
		{"long empty list", "d00000000400000000", List{}},
		{"short empty list", "c00100", List{}},
		{"short map", "c103024142", Map{{Bool(true), Bool(false)}}},
		{"array of small longs", "e0040255" + "01ff", Array{Of: TypeLong, Elements: []Value{Long(1), Long(-1)}}},
		{"array of true", "e0020341", Array{Of: TypeBool, Elements: []Value{Bool(true), Bool(true), Bool(true)}}},
		{"array of empty lists", "e0020245", Array{Of: TypeList, Elements: []Value{List{}, List{}}}},
		{"array of short strings", "e00602a1" + "0161" + "0162", Array{Of: TypeString, Elements: []Value{String("a"), String("b")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v, err := Decode(unhex(t, test.hex))
			if err != nil || !reflect.DeepEqual(v, test.want) {
				t.Errorf("decoded to %#v, %v; want %#v", v, err, test.want)
			}
		})
	}
}

func TestNaNKeepsItsBits(t *testing.T) {
	t.Parallel()
	for _, want := range []string{"727fc00001", "727f800001", "72ffc12345", "827ff8000000000001", "827ff0000000000001"} {
		v, err := Decode(unhex(t, want))
		if err != nil {
			t.Fatal(err)
		}
		if encoded, err := Encode(v); err != nil || hex.EncodeToString(encoded) != want {
			t.Errorf("%s became %x, %v", want, encoded, err)
		}
		if !Equal(v, v) {
			t.Errorf("%s does not equal itself", want)
		}
	}
}

func TestNilIsNull(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		v   Value
		hex string
	}{
		{nil, "40"},
		{List{nil}, "d0000000050000000140"},
		{Described{nil, nil}, "004040"},
		{Array{Elements: []Value{nil}}, "f0000000050000000140"},
	} {
		if encoded, err := Encode(test.v); err != nil || hex.EncodeToString(encoded) != test.hex {
			t.Errorf("%#v is %x, %v; want %s", test.v, encoded, err, test.hex)
		}
	}
}

func TestNextReturnsTheRest(t *testing.T) {
	t.Parallel()
	v, rest, err := Next([]byte{0x54, 0x01, 0x41, 0x42})
	if err != nil || v != Int(1) || hex.EncodeToString(rest) != "4142" {
		t.Errorf("got %v, %x, %v", v, rest, err)
	}
}

func TestMalformed(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, hex, want string }{
		{"nothing", "", "at byte 0: it is cut short"},
		{"no constructor", "3f", "at byte 0: there is no constructor 0x3f"},
		{"no constructor in between", "46", "there is no constructor 0x46"},
		{"no constructor, 16 bytes", "99" + strings.Repeat("00", 16), "there is no constructor 0x99"},
		{"fixed cut", "7000", "it is cut short"},
		{"size cut", "b00000", "it is cut short"},
		{"data cut", "a10361", "it is cut short"},
		{"trailing", "4040", "1 bytes follow it"},
		{"boolean", "5602", "neither 0 nor 1"},
		{"char out of range", "7300110000", "not a Unicode character"},
		{"char surrogate", "730000d800", "not a Unicode character"},
		{"char negative", "73ffffffff", "not a Unicode character"},
		{"string", "a101ff", "a string is not UTF-8"},
		{"symbol", "a302c3a9", "a symbol is not ASCII"},
		{"odd map", "c1020140", "a key without a value"},
		{"key twice", "c10704a10040a10040", "a key twice"},
		{"key twice in another form", "c1060443405200" + "40", "a key twice"},
		{"map within itself", "c1050241", "it is cut short"},
		{"more elements than bytes", "c00205" + "40", "more elements than bytes"},
		{"size too long", "c0030140" + "40", "the size is not that of the elements"},
		{"size too short for the count", "c000", "it is cut short"},
		{"descriptor alone", "005301", "it is cut short"},
		{"described nothing", "00", "it is cut short"},
		{"array without constructor", "e00100", "it is cut short"},
		{"array of no constructor", "e0020001", "there is no constructor 0x01"},
		{"array with bytes over", "e0030040" + "40", "the size is not that of the elements"},
		{"array cut", "e003025001", "more elements than bytes"},
		{"array cut within an element", "e00401a10561", "it is cut short"},
		{"array of a descriptor", "e0040000a100", "it is cut short"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			v, err := Decode(unhex(t, test.hex))
			if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("decoded to %#v, %v; want %q", v, err, test.want)
			}
		})
	}
}

type foreign struct{}

func (foreign) Type() Type { return TypeInt }

type typeless struct{}

func (typeless) Type() Type { return 200 }

func TestInvalid(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		v    Value
		want string
	}{
		{"string", String("\xff"), "a string is not UTF-8"},
		{"symbol", Symbol("é"), "a symbol is not ASCII"},
		{"char", Char(0xd800), "not a Unicode character"},
		{"char below 0", Char(-1), "not a Unicode character"},
		{"key twice", Map{{String("a"), nil}, {String("a"), nil}}, "a map has a key twice"},
		{"key twice, null", Map{{nil, nil}, {Null{}, nil}}, "a map has a key twice"},
		{"mixed array", Array{Of: TypeInt, Elements: []Value{Int(1), UInt(1)}}, "element 1 of an array of int is a uint"},
		{"array of described", Array{Of: TypeDescribed}, "give the type within"},
		{"described in an array", Array{Of: TypeInt, Elements: []Value{Described{Symbol("x"), Int(1)}}}, "is a described"},
		{"in a list", List{String("\xff")}, "a string is not UTF-8"},
		{"as a key", Map{{String("\xff"), nil}}, "a string is not UTF-8"},
		{"as a value", Map{{nil, String("\xff")}}, "a string is not UTF-8"},
		{"as a descriptor", Described{String("\xff"), nil}, "a string is not UTF-8"},
		{"as an array's descriptor", Array{Descriptors: []Value{String("\xff")}}, "a string is not UTF-8"},
		{"in an array", Array{Of: TypeString, Elements: []Value{String("\xff")}}, "a string is not UTF-8"},
		{"another's type", foreign{}, "no type of this package"},
		{"another's type without a type", typeless{}, "no type of this package"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dst := []byte("kept")
			got, err := Append(dst, test.v)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error is %v, want %q", err, test.want)
			}
			if string(got) != "kept" {
				t.Errorf("dst became %q", got)
			}
		})
	}
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

package amqpjson

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

func TestReadTakes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		document string
		want     value.Value
	}{
		{" \n\"a\" ", value.String("a")},
		{`{"type":"null"}`, value.Null{}},
		{`{"value":23,"type":"uint"}`, value.UInt(23)},
		{"{ \"type\" :\t\"list\" ,\r\n\"value\" : [ null , true ,[] ] }", nil},
		{"{ \"type\" :\t\"list\" ,\r\n\"value\" : [ null , true ] }", value.List{value.Null{}, value.Bool(true)}},
		{`{"value":["a",null],"type":"map","descriptor":"d"}`, value.Described{Descriptor: value.String("d"), Value: value.Map{{Key: value.String("a"), Value: value.Null{}}}}},
		{`{"t\u0079pe":"\u0069nt","value":1}`, value.Int(1)},
		{`{"type":"uuid","value":"12345678000010008000 0805F9B34FB"}`, nil},
		{`{"type":"uuid","value":"1234567800001000800000805F9B34FB"}`, value.UUID{0x12, 0x34, 0x56, 0x78, 0, 0, 0x10, 0, 0x80, 0, 0, 0x80, 0x5f, 0x9b, 0x34, 0xfb}},
		{`{"type":"binary","value":"0aBC"}`, value.Binary{0x0a, 0xbc}},
		{`{"type":"decimal","value":"0A1B2C3D"}`, value.Decimal32{0x0a, 0x1b, 0x2c, 0x3d}},
		{`{"type":"char","value":"\ud83d\ude00"}`, value.Char('😀')},
		{`{"type":"char","value":"\u0000"}`, value.Char(0)},
		{`{"type":"string","value":"\\ud800 \\\\\ud83d\ude00"}`, value.String(`\ud800 \\😀`)},
		{`{"type":"double","value":1}`, value.Double(1)},
		{`{"type":"double","value":1e2}`, value.Double(100)},
		{`{"type":"float","value":-1E-1}`, value.Float(-0.1)},
		{`{"type":"double","value":"Infinity"}`, value.Double(math.Inf(1))},
		{`{"type":"float","value":"-Infinity"}`, value.Float(math.Inf(-1))},
		{`{"type":"timestamp","value":-1}`, value.Timestamp(-1)},
		{`{"type":"array","value":[{"descriptor":"a","value":true},{"type":"boolean","value":false,"descriptor":{"type":"string","value":"a"}}]}`, value.Array{Of: value.TypeBool, Descriptors: []value.Value{value.String("a")}, Elements: []value.Value{value.Bool(true), value.Bool(false)}}},
	} {
		v, err := Read([]byte(test.document), value.Limits{})
		switch {
		case test.want == nil && !errors.Is(err, value.ErrInvalid):
			t.Errorf("%s: %#v, %v; want ErrInvalid", test.document, v, err)
		case test.want != nil && (err != nil || !reflect.DeepEqual(v, test.want)):
			t.Errorf("%s: %#v, %v; want %#v", test.document, v, err, test.want)
		}
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	list := func(element string) string { return `{"type":"list","value":[null,` + element + `]}` }
	for _, test := range []struct{ document, want string }{
		{``, "it is empty: want a JSON document"},
		{" \n", "it is empty: want a JSON document"},
		{"\"\xff\"", "it is not UTF-8"},
		{`{"type":`, "it is not valid JSON at byte 8 of 8"},
		{`"a" "b"`, "it is not valid JSON at byte 5 of 7"},
		{`5`, `only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`},
		{`-5`, `only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`},
		{`[]`, `only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`},
		{`{}`, "type is missing"},
		{`{"value":"a"}`, "type is missing"},
		{`{"type":"int"}`, "value is missing"},
		{`{"descriptor":"a"}`, "value is missing"},
		{`{"descriptor":"a","value":5}`, `value: invalid AMQP value: only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`},
		{`{"descriptor":"a","value":{"type":"int","value":5}}`, `value: invalid AMQP value: only null, booleans and strings may be abbreviated: want {"type": …, "value": …}`},
		{`{"type":"int","value":1,"canary":1}`, "it has a member other than descriptor, type and value"},
		{`{"type":"int","type":"int","value":1}`, "it has a member twice: type"},
		{`{"type":"int","value":1,"value":1}`, "it has a member twice: value"},
		{`{"type":5,"value":1}`, "type: invalid AMQP value: want a string"},
		{`{"type":"Int","value":1}`, "type: invalid AMQP value: there is no such type: want null, boolean, ubyte"},
		{`{"type":"decimal32","value":"00000000"}`, "there is no such type"},
		{`{"type":"null","value":0}`, "value: invalid AMQP value: want null"},
		{`{"type":"boolean","value":"true"}`, "value: invalid AMQP value: want true or false"},
		{`{"type":"ubyte","value":256}`, "want a whole number from 0 to 255"},
		{`{"type":"ushort","value":65536}`, "want a whole number from 0 to 65535"},
		{`{"type":"uint","value":4294967296}`, "want a whole number from 0 to 4294967295"},
		{`{"type":"ulong","value":18446744073709551616}`, "want a whole number from 0 to 18446744073709551615"},
		{`{"type":"ubyte","value":-1}`, "want a whole number from 0 to 255"},
		{`{"type":"byte","value":-129}`, "want a whole number from -128 to 127"},
		{`{"type":"short","value":32768}`, "want a whole number from -32768 to 32767"},
		{`{"type":"int","value":2147483648}`, "want a whole number from -2147483648 to 2147483647"},
		{`{"type":"long","value":-9223372036854775809}`, "want a whole number from -9223372036854775808 to 9223372036854775807"},
		{`{"type":"timestamp","value":"1"}`, "want a whole number from -9223372036854775808"},
		{`{"type":"int","value":1.0}`, "want a whole number"},
		{`{"type":"int","value":1e2}`, "want a whole number"},
		{`{"type":"int","value":"1"}`, "want a whole number"},
		{`{"type":"int","value":null}`, "want a whole number"},
		{`{"type":"float","value":1e39}`, "want a number that has 32 bits"},
		{`{"type":"double","value":1e309}`, "want a number that has 64 bits"},
		{`{"type":"double","value":"1"}`, `want a number, "NaN", "Infinity" or "-Infinity"`},
		{`{"type":"double","value":"nan"}`, `want a number, "NaN"`},
		{`{"type":"double","value":true}`, `want a number, "NaN"`},
		{`{"type":"double","value":"0x3ff0000000000000"}`, `want a number, "NaN"`},
		{`{"type":"float","value":"0x7ff8000000000001"}`, `want a number, "NaN"`},
		{`{"type":"decimal","value":"0a1b2c"}`, "want hex of 4, 8 or 16 bytes"},
		{`{"type":"decimal","value":1}`, "want a string"},
		{`{"type":"decimal","value":"0a1b2c3"}`, "want hex digits, two for each byte"},
		{`{"type":"char","value":"ab"}`, "want a string of one character"},
		{`{"type":"char","value":""}`, "want a string of one character"},
		{`{"type":"char","value":99}`, "want a string"},
		{`{"type":"char","value":"\ud800"}`, "a string has half of a surrogate pair"},
		{`{"type":"uuid","value":"12345678"}`, "want a UUID: 32 hex digits, with or without hyphens"},
		{`{"type":"uuid","value":"123456780-000-1000-8000-00805F9B34FB"}`, "want a UUID"},
		{`{"type":"uuid","value":"g2345678-0000-1000-8000-00805F9B34FB"}`, "want a UUID"},
		{`{"type":"uuid","value":{}}`, "want a string"},
		{`{"type":"binary","value":"0g"}`, "want hex digits, two for each byte"},
		{`{"type":"binary","value":"000"}`, "want hex digits, two for each byte"},
		{`{"type":"string","value":1}`, "want a string"},
		{`{"type":"string","value":"\udc00\ud800"}`, "a string has half of a surrogate pair"},
		{`{"type":"string","value":"\ud800x"}`, "a string has half of a surrogate pair"},
		{`"\ud800\n"`, "a string has half of a surrogate pair"},
		{`{"\ud800":1}`, "a string has half of a surrogate pair"},
		{`{"type":"symbol","value":"é"}`, "want a string in ASCII"},
		{`{"type":"symbol","value":[]}`, "want a string"},
		{`{"type":"list","value":{}}`, "value: invalid AMQP value: want a JSON array of values"},
		{`{"type":"map","value":"a"}`, "want a JSON array of values"},
		{`{"type":"array","value":null}`, "want a JSON array of values"},
		{`{"type":"map","value":["a"]}`, "value: invalid AMQP value: a map has 1 elements: want an even number"},
		{`{"type":"map","value":["a",null,"b",null,"a",null]}`, "value[4]: invalid AMQP value: a map has this key before"},
		{`{"type":"map","value":["a",null,{"type":"string","value":"\u0061"},null]}`, "value[2]: invalid AMQP value: a map has this key before"},
		{`{"type":"array","value":[{"type":"int","value":1},{"type":"uint","value":1}]}`, "value[1]: invalid AMQP value: the elements of an array differ in their types: int and uint"},
		{`{"type":"array","value":["a",null]}`, "value[1]: invalid AMQP value: the elements of an array differ in their types: string and null"},
		{`{"type":"array","value":[{"type":"decimal","value":"00000000"},{"type":"decimal","value":"0000000000000000"}]}`, "the elements of an array differ in their types: decimal32 and decimal64"},
		{`{"type":"array","value":["a",{"descriptor":"d","value":"a"}]}`, "value[1]: invalid AMQP value: the elements of an array differ in their descriptors"},
		{`{"type":"array","value":[{"descriptor":"d","value":"a"},{"descriptor":"e","value":"a"}]}`, "value[1]: invalid AMQP value: the elements of an array differ in their descriptors"},
		{`{"type":"array","value":[{"descriptor":"d","value":"a"},"a"]}`, "value[1]: invalid AMQP value: the elements of an array differ in their descriptors"},
		{`{"descriptor":{"descriptor":"a","value":"b"},"value":"c"}`, "descriptor: invalid AMQP value: a descriptor must not have a descriptor"},
		{`{"descriptor":5,"value":"c"}`, "descriptor: invalid AMQP value: only null, booleans and strings"},
		{list(`5`), "value[1]: invalid AMQP value: only null, booleans and strings"},
		{list(list(`{"descriptor":{"type":"x"},"value":null}`)), "value[1].value[1].descriptor.type: invalid AMQP value: there is no such type"},
		{list(list(list(`{"type":"int","value":true}`))), "value[1].value[1].value[1].value: invalid AMQP value: want a whole number"},
	} {
		v, err := Read([]byte(test.document), value.Limits{})
		if !errors.Is(err, value.ErrInvalid) || !strings.HasPrefix(strings.TrimPrefix(err.Error(), "invalid AMQP value: "), test.want) && !strings.Contains(err.Error(), ": "+test.want) {
			t.Errorf("%s: %#v, %v; want %q", test.document, v, err, test.want)
		}
	}
}

func TestReadLimits(t *testing.T) {
	t.Parallel()
	nest := func(depth int) string {
		return strings.Repeat(`{"type":"list","value":[`, depth) + strings.Repeat(`]}`, depth)
	}
	limits := value.Limits{MaxDepth: 3, MaxValues: 4, MaxBytes: 100}
	for _, test := range []struct {
		name, document string
		fits           bool
	}{
		{"depth 3", nest(3), true},
		{"depth 4", nest(4), false},
		{"depth 4 of descriptors", `{"type":"list","value":[{"descriptor":"a","type":"list","value":[{"descriptor":"b","value":"c"}]}]}`, false},
		{"4 values", `{"type":"list","value":[null,null,null]}`, true},
		{"5 values", `{"type":"list","value":[null,null,null,null]}`, false},
		{"4 values, described", `{"type":"list","value":[{"descriptor":"a","value":"b"}]}`, true},
		{"5 values, described", `{"type":"list","value":[null,{"descriptor":"a","value":"b"}]}`, false},
		{"100 bytes", `"` + strings.Repeat("a", 98) + `"`, true},
		{"101 bytes", `"` + strings.Repeat("a", 99) + `"`, false},
	} {
		v, err := Read([]byte(test.document), limits)
		if err == nil {
			var encoded []byte
			if encoded, err = limits.Append(nil, v); err == nil {
				_, err = limits.Decode(encoded)
			}
		}
		if (err == nil) != test.fits || err != nil && !errors.Is(err, value.ErrLimit) {
			t.Errorf("%s: %v, fits: %t", test.name, err, test.fits)
		}
	}
	if _, err := Read([]byte(nest(5000)), value.Limits{MaxDepth: 10000}); err != nil {
		t.Errorf("depth 5000: %v", err)
	}
	if _, err := Read([]byte(nest(65)), value.Limits{}); !errors.Is(err, value.ErrLimit) || len(err.Error()) > 500 {
		t.Errorf("depth 65: %v, want ErrLimit in few words", err)
	}
}

func TestAppend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		v           value.Value
		short, full string
	}{
		{nil, `null`, `{"type":"null","value":null}`},
		{value.Bool(true), `true`, `{"type":"boolean","value":true}`},
		{value.String("a\"\\\n\r\t\x01é<&>\u2028"), `"a\"\\\n\r\t\u0001é<&>` + "\u2028" + `"`, `{"type":"string","value":"a\"\\\n\r\t\u0001é<&>` + "\u2028" + `"}`},
		{value.Symbol("a"), `{"type":"symbol","value":"a"}`, `{"type":"symbol","value":"a"}`},
		{value.List{value.Null{}, value.Int(1)}, `{"type":"list","value":[null,{"type":"int","value":1}]}`, `{"type":"list","value":[{"type":"null","value":null},{"type":"int","value":1}]}`},
		{value.Described{Descriptor: value.ULong(1), Value: value.String("a")}, `{"descriptor":{"type":"ulong","value":1},"value":"a"}`, `{"descriptor":{"type":"ulong","value":1},"type":"string","value":"a"}`},
		{value.Described{}, `{"descriptor":null,"value":null}`, `{"descriptor":{"type":"null","value":null},"type":"null","value":null}`},
		{value.Array{Descriptors: []value.Value{nil}, Elements: []value.Value{nil}}, `{"type":"array","value":[{"descriptor":null,"value":null}]}`, `{"type":"array","value":[{"descriptor":{"type":"null","value":null},"type":"null","value":null}]}`},
		{value.Double(math.NaN()), `{"type":"double","value":"0x7ff8000000000001"}`, `{"type":"double","value":"0x7ff8000000000001"}`},
		{value.Float(math.Inf(-1)), `{"type":"float","value":"-Infinity"}`, `{"type":"float","value":"-Infinity"}`},
		{value.Double(math.Inf(1)), `{"type":"double","value":"Infinity"}`, `{"type":"double","value":"Infinity"}`},
		{value.Double(math.Copysign(0, -1)), `{"type":"double","value":-0.0}`, `{"type":"double","value":-0.0}`},
		{value.Double(math.Float64frombits(0x7ff8 << 48)), `{"type":"double","value":"NaN"}`, `{"type":"double","value":"NaN"}`},
		{value.Float(math.Float32frombits(0x7fc00001)), `{"type":"float","value":"0x7fc00001"}`, `{"type":"float","value":"0x7fc00001"}`},
	} {
		for full, want := range map[bool]string{false: test.short, true: test.full} {
			got, err := Append([]byte("> "), test.v, full)
			if err != nil || string(got) != "> "+want {
				t.Errorf("%#v: %s, %v; want %s", test.v, got, err, want)
			}
			if again, err := Read(got[2:], value.Limits{}); err != nil || !value.Equal(again, test.v) {
				t.Errorf("%s reads as %#v, %v; want %#v", got, again, err, test.v)
			}
		}
	}
}

func TestAppendRefusesWhatJSONHasNoPlaceFor(t *testing.T) {
	t.Parallel()
	described := value.Described{Descriptor: value.Symbol("a"), Value: value.Symbol("b")}
	for want, v := range map[string]value.Value{
		"a value with several descriptors has no JSON form":           value.Described{Descriptor: value.Symbol("a"), Value: described},
		"a descriptor with a descriptor has no JSON form":             value.Described{Descriptor: described, Value: value.Null{}},
		"value[1]: invalid AMQP value: a descriptor with a descrip":   value.List{nil, value.Described{Descriptor: described, Value: value.Null{}}},
		"an array with several descriptors has no JSON form":          value.Array{Descriptors: []value.Value{nil, nil}},
		"value[0]: invalid AMQP value: a descriptor with a descripto": value.Array{Descriptors: []value.Value{described}, Elements: []value.Value{nil}},
	} {
		got, err := Append([]byte("kept"), v, false)
		if !errors.Is(err, value.ErrInvalid) || !strings.Contains(err.Error(), want) || string(got) != "kept" {
			t.Errorf("%#v: %q, %v; want %q", v, got, err, want)
		}
	}
}

// FuzzRead: what is read can be written and reads the same; Append makes one
// form only.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		`{"descriptor":{"type":"symbol","value":"a"},"type":"list","value":[null,true,"\ud83d\ude00",{"type":"map","value":["k",{"type":"double","value":-1.5e3}]}]}`,
		`{"type":"array","value":[{"descriptor":"d","type":"uuid","value":"12345678-0000-1000-8000-00805F9B34FB"}]}`,
		`{"type":"decimal","value":"00000000"}`, `{"type":"float","value":"NaN"}`, `{"value":1,"type":"ulong"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		v, err := Read(document, value.Limits{})
		if err != nil {
			if !errors.Is(err, value.ErrInvalid) && !errors.Is(err, value.ErrLimit) {
				t.Fatal(err)
			}
			return
		}
		for _, full := range []bool{false, true} {
			again, err := Append(nil, v, full)
			if err != nil {
				t.Fatal(err)
			}
			v2, err := Read(again, value.Limits{MaxBytes: 1 << 30})
			if err != nil || !value.Equal(v, v2) {
				t.Fatalf("%s became %s, %v", document, again, err)
			}
		}
		if _, err := value.Encode(v); err != nil && !errors.Is(err, value.ErrLimit) {
			t.Fatalf("what was read does not encode: %v", err)
		}
	})
}

// FuzzParse: what can be written of any AMQP value reads as that value.
func FuzzParse(f *testing.F) {
	for _, v := range []value.Value{
		value.List{value.Float(1.5), value.Char('c'), value.Map{{Key: value.Int(1), Value: value.Decimal64{}}}},
		value.Array{Of: value.TypeInt, Descriptors: []value.Value{value.Symbol("x")}, Elements: []value.Value{value.Int(1)}},
		value.Described{Descriptor: value.ULong(1), Value: value.Timestamp(-1)},
	} {
		encoded, err := value.Encode(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		v, err := value.Decode(encoded)
		if err != nil {
			return
		}
		document, err := Append(nil, v, false)
		if err != nil {
			return // several descriptors
		}
		again, err := Read(document, value.Limits{MaxBytes: 1 << 30})
		if err != nil {
			t.Fatalf("%s does not read: %v", document, err)
		}
		if second, err := Append(nil, again, false); err != nil || string(second) != string(document) {
			t.Fatalf("%s became %s, %v", document, second, err)
		}
		if !strings.Contains(fmt.Sprintf("%#v", v), "Elements:[]value.Value{}") && !value.Equal(v, again) {
			t.Fatalf("%#v became %#v", v, again)
		}
	})
}

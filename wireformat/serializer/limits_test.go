package serializer_test

import (
	"encoding/hex"
	"errors"
	"math"
	"math/big"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// TestRefusesBadInput: each format refuses what is not whole, not valid, or more
// than the limits allow, and says what is wrong without repeating it.
func TestRefusesBadInput(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ id, name, hex, want string }{
		{"json", "empty", "", "it is empty"},
		{"json", "cut", text("[1,"), "not valid JSON"},
		{"json", "trailing", text("1 2"), "not valid JSON"},
		{"json", "a name twice", text(`{"a":1,"\u0061":2}`), "a key twice"},
		{"json", "not UTF-8", "22ff22", "not UTF-8"},
		{"json", "half a pair", text(`"\ud800"`), "surrogate"},
		{"json", "half a pair and another escape", text(`"\ud800\u0041"`), "surrogate"},
		{"json", "bytes that are not base64", text(`"\u0000!"`), "not base64"},
		{"json", "too great", text(`1e999`), "greater than a float"},
		{"json", "too deep", text(strings.Repeat("[", 65) + strings.Repeat("]", 65)), "deeper than 64"},
		{"json", "long integer", text(strings.Repeat("9", 5000)), "more than 8192 bits"},
		{"cbor", "trailing", "0101", "bytes after"},
		{"cbor", "cut", "62", "in the middle"},
		{"cbor", "cut head", "19", "in the middle"},
		{"cbor", "a break alone", "ff", "not well-formed"},
		{"cbor", "a break in an array", "81ff", "not well-formed"},
		{"cbor", "reserved head", "1c", "not well-formed"},
		{"cbor", "indefinite integer", "1f", "not well-formed"},
		{"cbor", "odd map", "bf01ff", ""},
		{"cbor", "text in bytes", "5f6161ff", ""},
		{"cbor", "a key twice", "a2616101616102", "a key twice"},
		{"cbor", "a number key twice", "a201010102", "a key twice"},
		{"cbor", "an array as a key", "a18001", "a key that is"},
		{"cbor", "not UTF-8", "61ff", "not UTF-8"},
		{"cbor", "no date", "c0616e", "a tagged value"},
		{"cbor", "no number", "c1f97e00", "no instant"},
		{"cbor", "endless time", "c1fb7ff0000000000000", "no instant"},
		{"cbor", "too deep", strings.Repeat("81", 65) + "01", "deeper than 64"},
		{"cbor", "too deep in tags", strings.Repeat("d8ff", 65) + "01", "deeper than 64"},
		{"cbor", "long integer", "c2590402" + strings.Repeat("ff", 1026), "more than 8192 bits"},
		{"cbor", "many", "bb7fffffffffffffff", "in the middle"},
		{"msgpack", "never used", "c1", "0xc1"},
		{"msgpack", "trailing", "0101", "bytes after"},
		{"msgpack", "cut", "a2", "in the middle"},
		{"msgpack", "cut extension", "c7", "in the middle"},
		{"msgpack", "cut data", "c9ffffffff01", "in the middle"},
		{"msgpack", "many", "dfffffffff", "in the middle"},
		{"msgpack", "a key twice", "82a16101a16102", "a key twice"},
		{"msgpack", "a number key twice", "8301010102a16101", "a key twice"},
		{"msgpack", "bytes as a key", "81c4010001", "a key of type"},
		{"msgpack", "not UTF-8", "a1ff", "not UTF-8"},
		{"msgpack", "time of another size", "d5ff0000", "not 4, 8 or 12"},
		{"msgpack", "more nanoseconds", "d7ffffffffff00000000", "nanoseconds"},
		{"msgpack", "too deep", strings.Repeat("91", 65) + "01", "deeper than 64"},
		{"ubjson", "no marker", text("x"), "no type marker"},
		{"ubjson", "only no-ops", text("NNN"), "in the middle"},
		{"ubjson", "trailing", text("TT"), "bytes after"},
		{"ubjson", "a name twice", text("{U\x01aTU\x01aT}"), "a key twice"},
		{"ubjson", "negative length", "53" + "69ff", "negative"},
		{"ubjson", "length that is text", text("SSU\x01a"), "no integer"},
		{"ubjson", "type without size", text("[$U]"), "no size"},
		{"ubjson", "no-ops as a type", text("[$N#U\x05"), "cannot have"},
		{"ubjson", "many nulls", text("[$Z#l\x7f\xff\xff\xff"), "more than"},
		{"ubjson", "many nulls in many", text("[$[#U\x02$Z#l\x00\x0f\x00\x00$Z#l\x00\x0f\x00\x00"), "more than"},
		{"ubjson", "many", text("[#l\x7f\xff\xff\xff"), "more than"},
		{"ubjson", "many bytes", text("[$U#l\x7f\xff\xff\xff"), "in the middle"},
		{"ubjson", "not ASCII", text("C\xff"), "not ASCII"},
		{"ubjson", "no number", text("HU\x031-2"), "not one"},
		{"ubjson", "unsigned of BJData", text("u\x00\x00"), "no type marker"},
		{"ubjson", "too deep", text(strings.Repeat("[", 65)), "deeper than 64"},
		{"ubjson", "not UTF-8", text("SU\x01\xff"), "not UTF-8"},
		{"bjdata", "no dimension", text("[$u#[]"), "deeper"},
		{"bjdata", "dimension 0", text("[$u#[U\x00U\x02]"), "size 0"},
		{"bjdata", "negative dimension", text("[$u#[i\xff]"), "no size"},
		{"bjdata", "many rows", text("[$u#[m\xff\xff\xff\x00m\xff\xff\xff\x00]"), "in the middle"},
		{"bjdata", "more values than an int of 32 bits counts", text("[$u#[m\x00\x00\x01\x00m\x00\x00\x01\x00]"), "in the middle"},
		{"bjdata", "nulls", text("[$Z#U\x05"), "cannot have"},
	} {
		t.Run(test.id+"/"+test.name, func(t *testing.T) {
			t.Parallel()
			s, b := byID()[test.id], unhex(t, test.hex)
			got, err := s.Unserialize(b)
			if !errors.Is(err, serializer.ErrUnserialize) || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, %v; want an error with %q", got, err, test.want)
			}
		})
	}
}

func text(s string) string { return hex.EncodeToString([]byte(s)) }

func TestRefusesValues(t *testing.T) {
	t.Parallel()
	loop := map[string]any{}
	loop["self"] = loop
	type pointer struct{ P *pointer }
	ring := &pointer{}
	ring.P = ring
	huge := new(big.Int).Lsh(big.NewInt(1), 8192)
	long := new(big.Int).Lsh(big.NewInt(1), 64)
	all := []string{"json", "cbor", "msgpack", "ubjson", "bjdata"}
	for _, test := range []struct {
		name, want string
		ids        []string
		v          any
	}{
		{"a map in itself", "deeper than 64", all, loop},
		{"a pointer to itself", "deeper than 64", all, ring},
		{"a function", "want data", all, func() {}},
		{"a channel inside", "want data", all, map[string]any{"c": make(chan int)}},
		{"not UTF-8", "not UTF-8", all, "\xff"},
		{"a name that is not UTF-8", "not UTF-8", all, map[string]any{"\xff": 1}},
		{"an integer of 8193 bits", "8192 bits", all, huge},
		{"an integer of 65 bits", "64 bits", []string{"msgpack"}, long},
		{"bytes as a key", "a key of type", all, map[any]any{[2]byte{}: 1}},
		{"a number as a key", "string keys", []string{"json", "ubjson", "bjdata"}, map[int]int{1: 2}},
		{"NaN as a key", "NaN", []string{"cbor", "msgpack"}, map[float64]int{math.NaN(): 2}},
		{"infinity", "no infinity", []string{"json", "ubjson"}, math.Inf(1)},
		{"NaN", "no NaN", []string{"json", "ubjson"}, []any{math.NaN()}},
		{"text that begins as bytes", "U+0000", []string{"json"}, "\x00a"},
		{"a tag", "no form", []string{"json", "msgpack", "ubjson"}, serializer.Tag{Number: 40, Content: int64(1)}},
		{"a simple value", "no form", []string{"json", "msgpack", "ubjson"}, serializer.Simple(1)},
		{"an extension", "no form", []string{"json", "cbor", "ubjson"}, serializer.Ext{Type: 1}},
		{"a simple value with a meaning", "simple value", []string{"cbor"}, serializer.Simple(21)},
		{"a time as an extension", "give a time", []string{"msgpack"}, serializer.Ext{Type: -1, Data: []byte{0, 0, 0, 0}}},
		{"a year of five digits", "RFC 3339", []string{"json", "cbor", "ubjson"}, time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		for _, id := range test.ids {
			dst := []byte("before")
			got, err := byID()[id].Serialize(dst, test.v)
			if !errors.Is(err, serializer.ErrSerialize) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %s: %v, want an error with %q", id, test.name, err, test.want)
			}
			if string(got) != "before" {
				t.Errorf("%s: %s: dst became %q", id, test.name, got)
			}
		}
	}
}

// TestLimits: each limit holds in both directions, and just within it all is well.
func TestLimits(t *testing.T) {
	t.Parallel()
	limits := serializer.Limits{MaxBytes: 12, MaxDepth: 2, MaxValues: 4}
	for id, s := range limited(limits) {
		for _, test := range []struct {
			name string
			v    any
			ok   bool
		}{
			{"as deep", []any{[]any{}}, true},
			{"deeper", []any{[]any{[]any{}}}, false},
			{"as many", []any{int64(1), int64(2), int64(3)}, true},
			{"more", []any{int64(1), int64(2), int64(3), int64(4)}, false},
			{"more in a map", map[string]any{"a": nil, "b": nil}, false},
			{"longer", strings.Repeat("x", 13), false},
		} {
			encoded, err := s.Serialize(nil, test.v)
			if (err == nil) != test.ok {
				t.Errorf("%s: serialize %s: %v", id, test.name, err)
			}
			if err != nil {
				if encoded, err = byID()[id].Serialize(nil, test.v); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := s.Unserialize(encoded); (err == nil) != test.ok {
				t.Errorf("%s: unserialize %s: %v", id, test.name, err)
			}
		}
	}
}

func limited(l serializer.Limits) map[string]serializer.Serializer {
	return map[string]serializer.Serializer{
		"json":    must(serializer.NewJSON(l)),
		"cbor":    must(serializer.NewCBOR(serializer.CBOROptions{Limits: l})),
		"msgpack": must(serializer.NewMsgPack(l)),
		"ubjson":  must(serializer.NewUBJSON(serializer.UBJSONOptions{Limits: l})),
		"bjdata":  must(serializer.NewUBJSON(serializer.UBJSONOptions{Limits: l, BJData: true})),
	}
}

func TestOptionsNameEachFault(t *testing.T) {
	t.Parallel()
	bad := serializer.Limits{MaxBytes: -1, MaxDepth: 1025, MaxValues: -1}
	_, json := serializer.NewJSON(bad)
	_, msgpack := serializer.NewMsgPack(bad)
	_, cbor := serializer.NewCBOR(serializer.CBOROptions{Limits: bad})
	_, ubjson := serializer.NewUBJSON(serializer.UBJSONOptions{Limits: bad})
	for _, err := range []error{json, msgpack, cbor, ubjson} {
		for _, field := range []string{"MaxBytes", "MaxDepth", "MaxValues"} {
			if err == nil || !strings.Contains(err.Error(), field) {
				t.Errorf("error is %v, want %s", err, field)
			}
		}
	}
}

// TestBombsTakeNoMemory: a few bytes that announce much.
func TestBombsTakeNoMemory(t *testing.T) {
	for _, bomb := range []struct{ id, hex string }{
		{"cbor", "9affffffff"}, {"cbor", "9bffffffffffffffff"}, {"cbor", "7b7fffffffffffffff"}, {"cbor", "bb00000000ffffffff"},
		{"msgpack", "ddffffffff"}, {"msgpack", "dfffffffff"}, {"msgpack", "c6ffffffff"}, {"msgpack", "c9ffffffff05"}, {"msgpack", "dbffffffff"},
		{"ubjson", text("[$Z#l\x7f\xff\xff\xff")}, {"ubjson", text("SL\x7f\xff\xff\xff\xff\xff\xff\xff")}, {"ubjson", text("{#l\x7f\xff\xff\xff")},
		{"bjdata", text("[$M#[$u#U\x03\xff\xff\xff\xff\xff\xff")},
		{"msgpack", strings.Repeat("dcffff", 24000)}, {"cbor", strings.Repeat("9b00000000000fffff", 24000)},
		{"json", text(strings.Repeat("[", 1<<20))}, {"ubjson", text(strings.Repeat("[", 1<<20))},
	} {
		s, b := byID()[bomb.id], unhex(t, bomb.hex)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := s.Unserialize(b)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; err == nil || took > 1<<20 {
			t.Errorf("%s %.20s: %v, and %d bytes of memory", bomb.id, bomb.hex, err, took)
		}
	}
}

package serializer_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"math/big"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/vectors"
	"github.com/outrider-go/outrider/wireformat/serializer"
)

// load reads a file of test vectors, with its numbers as they are written.
func load(t *testing.T, name string, into any) {
	t.Helper()
	var text json.RawMessage
	vectors.Load(t, name, &text)
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// same compares two values of the model: floats and integers by value where loose
// says so.
func same(a, b any, loose bool) bool {
	if loose {
		x, xok := number(a)
		y, yok := number(b)
		if xok && yok {
			return x.Cmp(y) == 0
		}
	}
	switch a := a.(type) {
	case float64:
		b, ok := b.(float64)
		return ok && (math.Float64bits(a) == math.Float64bits(b) || math.IsNaN(a) && math.IsNaN(b))
	case *big.Int:
		b, ok := b.(*big.Int)
		return ok && a.Cmp(b) == 0
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !same(a[i], b[i], loose) {
				return false
			}
		}
		return true
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && sameMap(a, b, loose)
	case map[any]any:
		b, ok := b.(map[any]any)
		return ok && sameMap(a, b, loose)
	case serializer.Tag:
		b, ok := b.(serializer.Tag)
		return ok && a.Number == b.Number && same(a.Content, b.Content, loose)
	}
	return reflect.DeepEqual(a, b)
}

func sameMap[K comparable](a, b map[K]any, loose bool) bool {
	if len(a) != len(b) {
		return false
	}
	for key, v := range a {
		other, ok := b[key]
		if !ok || !same(v, other, loose) {
			return false
		}
	}
	return true
}

func number(v any) (*big.Float, bool) {
	exact := func() *big.Float { return new(big.Float).SetPrec(10000) }
	switch v := v.(type) {
	case int64:
		return exact().SetInt64(v), true
	case uint64:
		return exact().SetUint64(v), true
	case *big.Int:
		return exact().SetInt(v), true
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, false
		}
		return exact().SetFloat64(v), true
	}
	return nil, false
}

// plain turns what encoding/json has read into the model.
func plain(t *testing.T, v any) any {
	t.Helper()
	switch v := v.(type) {
	case json.Number:
		return one(t, must(serializer.NewJSON(serializer.Limits{})), []byte(v))
	case []any:
		for i := range v {
			v[i] = plain(t, v[i])
		}
	case map[string]any:
		if text, ok := v["$bytes"].(string); ok && len(v) == 1 {
			return unhex(t, text)
		}
		for name := range v {
			v[name] = plain(t, v[name])
		}
	}
	return v
}

func must(s serializer.Serializer, err error) serializer.Serializer {
	if err != nil {
		panic(err)
	}
	return s
}

func one(t *testing.T, s serializer.Serializer, b []byte) any {
	t.Helper()
	values, err := s.Unserialize(b)
	if err != nil || len(values) != 1 {
		t.Fatalf("Unserialize(%x): %v, %v", b, values, err)
	}
	return values[0]
}

// TestCBORAppendixA: RFC 8949 Appendix A. Two of its examples are read and
// written in another form: undefined becomes nil, and times are written as text.
func TestCBORAppendixA(t *testing.T) {
	t.Parallel()
	var file struct {
		Vectors []struct {
			Hex        string
			Roundtrip  bool
			Decoded    any
			Diagnostic string
		}
	}
	load(t, "cbor/appendix_a.json", &file)
	cbor := must(serializer.NewCBOR(serializer.CBOROptions{ShortFloats: true}))
	otherForm := map[string]string{
		"f7":                   "f6",
		"c11a514b67b0":         "c074323031332d30332d32315432303a30343a30305a",
		"c1fb41d452d9ec200000": "c076323031332d30332d32315432303a30343a30302e355a",
	}
	for _, v := range file.Vectors {
		encoded := unhex(t, v.Hex)
		if v.Hex == "f818" { // simple(24) has a shorter form and is not well-formed
			if got, err := cbor.Unserialize(encoded); err == nil {
				t.Errorf("%s: %v", v.Hex, got)
			}
			continue
		}
		got := one(t, cbor, encoded)
		if v.Diagnostic == "" && !same(got, plain(t, v.Decoded), true) {
			t.Errorf("%s is %#v, want %v", v.Hex, got, v.Decoded)
		}
		want := v.Hex
		if other, ok := otherForm[v.Hex]; ok {
			want = other
		}
		again, err := cbor.Serialize(nil, got)
		if err != nil {
			t.Errorf("%s: %v", v.Hex, err)
		} else if v.Roundtrip && hex.EncodeToString(again) != want {
			t.Errorf("%s (%v) is written as %x", v.Hex, got, again)
		}
		if !same(one(t, cbor, again), got, false) {
			t.Errorf("%s changes when it is written and read", v.Hex)
		}
	}
}

// TestMsgPackSuite: every encoding of a value is read as the value, and what is
// written is one of the suite's encodings.
func TestMsgPackSuite(t *testing.T) {
	t.Parallel()
	var file struct {
		Suite map[string][]map[string]any
	}
	load(t, "msgpack/msgpack-test-suite.json", &file)
	msgpack := must(serializer.NewMsgPack(serializer.Limits{}))
	for name, cases := range file.Suite {
		for _, c := range cases {
			want := msgpackValue(t, c)
			var written []byte
			for _, text := range c["msgpack"].([]any) {
				encoded := unhex(t, text.(string))
				got := one(t, msgpack, encoded)
				if !same(got, want, true) {
					t.Errorf("%s: %v is %#v, want %#v", name, text, got, want)
				}
				again, err := msgpack.Serialize(nil, got)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if bytes.Equal(again, encoded) {
					written = again
				}
			}
			if written == nil {
				t.Errorf("%s: %v is written as none of %v", name, want, c["msgpack"])
			}
		}
	}
}

func msgpackValue(t *testing.T, c map[string]any) any {
	t.Helper()
	if text, ok := c["binary"].(string); ok {
		return unhex(t, text)
	}
	if text, ok := c["bignum"].(string); ok {
		return plain(t, json.Number(text))
	}
	if pair, ok := c["timestamp"].([]any); ok {
		return time.Unix(plain(t, pair[0]).(int64), plain(t, pair[1]).(int64))
	}
	if pair, ok := c["ext"].([]any); ok {
		return serializer.Ext{Type: int8(plain(t, pair[0]).(int64)), Data: unhex(t, pair[1].(string))}
	}
	for kind, v := range c {
		if kind != "msgpack" {
			return plain(t, v)
		}
	}
	return nil
}

// TestHostile: what announces more than it has is refused before anything is
// made of it.
func TestHostile(t *testing.T) {
	t.Parallel()
	for id, s := range byID() {
		if id != "cbor" && id != "msgpack" {
			continue
		}
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			var file struct {
				Vectors []struct {
					Name, Hex string
					Repeat    int
				}
			}
			load(t, id+"/hostile.json", &file)
			for _, v := range file.Vectors {
				if got, err := s.Unserialize(bytes.Repeat(unhex(t, v.Hex), max(v.Repeat, 1))); err == nil {
					t.Errorf("%s: %v", v.Name, got)
				}
			}
		})
	}
}

// byID has each serializer that is not batched.
func byID() map[string]serializer.Serializer {
	all := map[string]serializer.Serializer{"bjdata": must(serializer.NewUBJSON(serializer.UBJSONOptions{BJData: true}))}
	for _, s := range serializer.Builtin() {
		if !s.Info().Batched {
			all[s.Info().ID] = s
		}
	}
	return all
}

// TestAutobahnValues: what autobahn has written is read, and written likewise. It
// keeps the order in which a dict was made, where we sort.
func TestAutobahnValues(t *testing.T) {
	t.Parallel()
	var file struct {
		Values     []map[string]any
		MediaTypes map[string]string `json:"media_types"`
		RawSocket  map[string]int    `json:"rawsocket_ids"`
		Protocols  []string          `json:"websocket_subprotocols"`
	}
	load(t, "wamp/serializers-autobahn.json", &file)
	for _, c := range file.Values {
		want := []any{plain(t, c["value"])}
		for id, s := range byID() {
			text, ok := c[id].(string)
			if !ok {
				continue
			}
			encoded := unhex(t, text)
			if got := one(t, s, encoded); !same(got, want, false) {
				t.Errorf("%s: %s is %#v, want %#v", id, text, got, want)
			}
			if again, err := s.Serialize(nil, want); err != nil || !bytes.Equal(again, encoded) {
				t.Errorf("%s: %#v is written as %x, %v; want %s", id, want, again, err, text)
			}
		}
	}
	registry, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range file.MediaTypes {
		if s, err := registry.ByMediaType(want); id != "flatbuffers" && (err != nil || s.Info().ID != id || s.Info().MediaType() != want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	for id, number := range file.RawSocket {
		if s, err := registry.ByRawSocket(number); id != "flatbuffers" && (err != nil || s.Info().ID != id) {
			t.Errorf("%d: %v", number, err)
		}
	}
	for _, name := range file.Protocols {
		if s, err := registry.BySubprotocol(name); !strings.Contains(name, "flatbuffers") && (err != nil || "wamp.2."+s.Info().ID != name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAutobahnBatches(t *testing.T) {
	t.Parallel()
	var file map[string]any
	load(t, "wamp/serializers-autobahn.json", &file)
	want := []any{[]any{int64(1), "a"}, []any{int64(2)}}
	for id, text := range file["batched_[1,'a']_then_[2]"].(map[string]any) {
		s := must(serializer.NewBatched(byID()[id], serializer.BatchedOptions{Terminator: serializer.TerminatorAutobahn}))
		encoded := unhex(t, text.(string))
		if got, err := s.Unserialize(encoded); err != nil || !same(got, want, false) {
			t.Errorf("%s: %v, %v", id, got, err)
		}
		var again []byte
		for _, v := range want {
			var err error
			if again, err = s.Serialize(again, v); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(again, encoded) {
			t.Errorf("%s is written as %x, want %x", id, again, encoded)
		}
	}
}

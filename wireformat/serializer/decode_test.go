package serializer_test

import (
	"errors"
	"math/big"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

type base struct {
	ID string `json:"id"`
}

type record struct {
	base
	*Pointed
	Small  int8              `json:"small"`
	Count  uint32            `json:"count"`
	Ratio  float32           `json:"ratio"`
	Big    *big.Int          `json:"big"`
	At     time.Time         `json:"at"`
	Addr   netip.Addr        `json:"addr"`
	Bytes  []byte            `json:"bytes"`
	Four   [4]byte           `json:"four"`
	Pair   [2]string         `json:"pair"`
	List   []base            `json:"list"`
	Names  map[string]uint8  `json:"names"`
	Any    any               `json:"any"`
	None   *int              `json:"none"`
	Left   string            `json:"-"`
	Nested map[string][]bool `json:"nested"`
}

// TestDecodeIsTheOtherWay: what Serialize takes, Decode gives, in each format.
func TestDecodeIsTheOtherWay(t *testing.T) {
	t.Parallel()
	want := record{
		base: base{"r1"}, Pointed: &Pointed{true}, Small: -128, Count: 1 << 31, Ratio: 0.5, Big: big.NewInt(1 << 40),
		At: time.Date(2026, 3, 1, 12, 0, 0, 5, time.UTC), Addr: netip.MustParseAddr("192.0.2.1"), Bytes: []byte{1, 2}, Four: [4]byte{1, 2, 3, 4},
		Pair: [2]string{"a", "b"}, List: []base{{"x"}, {"y"}}, Names: map[string]uint8{"k": 255}, Any: []any{int64(1), nil},
		Nested: map[string][]bool{"n": {true, false}},
	}
	for id, s := range byID() {
		encoded, err := s.Serialize(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		got := record{Left: ""}
		if err := serializer.Decode(s, encoded, &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v\nwant %+v", id, got, err, want)
		}
	}
}

func TestDecodeSaysWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	json := byID()["json"]
	for _, test := range []struct {
		text, want string
		into       any
	}{
		{`{"small":128}`, "it.small: int64 does not fit a int8", new(record)},
		{`{"count":-1}`, "it.count: int64 does not fit", new(record)},
		{`{"small":1.0}`, "it.small: float64 does not fit", new(record)},
		{`{"ratio":9007199254740993}`, "it.ratio", new(record)},
		{`{"list":[{"id":1}]}`, "it.list[0].id: int64 does not fit a string", new(record)},
		{`{"pair":["a"]}`, "it.pair: it has 1 elements, want 2", new(record)},
		{`{"four":"\u0000AQ=="}`, "it.four: it has 1 bytes, want 4", new(record)},
		{`{"at":"canary"}`, "it.at: the text is no time.Time", new(record)},
		{`{"at":{}}`, "it.at", new(record)},
		{`{"big":"1"}`, "it.big: string is no integer", new(record)},
		{`{"names":{"canary":256}}`, "a value of it.names", new(record)},
		{`{"names":[]}`, "it.names", new(record)},
		{`[1]`, "does not fit", new(record)},
		{`"a"`, "want a pointer", record{}},
		{`1`, "want a pointer", (*int)(nil)},
		{`{`, "not valid JSON", new(record)},
	} {
		err := serializer.Decode(json, []byte(test.text), test.into)
		if !errors.Is(err, serializer.ErrUnserialize) || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v, want %q", test.text, err, test.want)
		}
	}
	batch := must(serializer.NewBatched(json, serializer.BatchedOptions{}))
	var n int
	if err := serializer.Decode(batch, []byte("1\x1e2\x1e"), &n); err == nil || !strings.Contains(err.Error(), "several values") {
		t.Errorf("two values: %v", err)
	}
	keys := map[int8]string{}
	if err := serializer.Decode(byID()["cbor"], []byte{0xa1, 0x20, 0x61, 'x'}, &keys); err != nil || keys[-1] != "x" {
		t.Errorf("keys that are numbers: %v, %v", keys, err)
	}
}

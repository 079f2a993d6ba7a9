package interop

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// TestMsgPack: @msgpack/msgpack reads what we write, and we read what it writes of
// that.
func TestMsgPack(t *testing.T) {
	t.Parallel()
	other := startPeer(t)
	s, err := serializer.NewMsgPack(serializer.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 70_000)
	many := make([]any, 70_000)
	for _, test := range []struct {
		value any
		shown string // how the peer reads it; empty for what is too long to say
	}{
		{nil, `null`},
		{true, `true`},
		{int64(0), `0`},
		{int64(-33), `-33`},
		{int64(math.MaxUint32), `4294967295`},
		{int64(1) << 40, `{"$int":"1099511627776"}`},
		{int64(math.MinInt64), `{"$int":"-9223372036854775808"}`},
		{uint64(math.MaxUint64), `{"$int":"18446744073709551615"}`},
		{1.5, `1.5`},
		{1e300, `1e+300`},
		{"", `""`},
		{"héllo ✓ 😀", `"héllo ✓ 😀"`},
		{long, ``},
		{[]byte{}, `{"$bytes":""}`},
		{[]byte{0, 255}, `{"$bytes":"00ff"}`},
		{[]byte(long), ``},
		{many, ``},
		{time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), `{"$time":"2026-11-30T12:00:00.000Z"}`},
		{time.Date(1960, 1, 2, 3, 4, 5, 250_000_000, time.UTC), `{"$time":"1960-01-02T03:04:05.250Z"}`},
		{time.Date(2500, 1, 2, 3, 4, 5, 250_000_000, time.UTC), `{"$time":"2500-01-02T03:04:05.250Z"}`},
		{serializer.Ext{Type: 5, Data: []byte{1, 2, 3}}, `{"$ext":5,"$bytes":"010203"}`},
		{
			map[string]any{"a": []any{int64(1), nil, map[string]any{"b": []byte{1}}}, "é": -0.25},
			`{"a":[1,null,{"b":{"$bytes":"01"}}],"é":-0.25}`,
		},
	} {
		encoded, err := s.Serialize(nil, test.value)
		if err != nil {
			t.Fatal(err)
		}
		var answer struct {
			Shown json.RawMessage
			Hex   string
		}
		if err := other.ask(t, "msgpack again", map[string]any{"hex": hex.EncodeToString(encoded)}, &answer); err != nil {
			t.Errorf("the peer cannot read %.100v: %v", test.value, err)
			continue
		}
		if test.shown != "" && string(answer.Shown) != test.shown {
			t.Errorf("the peer reads %.100v as %.100s, want %s", test.value, answer.Shown, test.shown)
		}
		theirs, err := hex.DecodeString(answer.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := s.Unserialize(theirs); err != nil || !reflect.DeepEqual(got, []any{test.value}) {
			t.Errorf("%.100v comes back as %.100v, %v", test.value, got, err)
		}
	}
}

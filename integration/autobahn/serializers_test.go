package autobahn

import (
	"encoding/hex"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// values are of the model that both sides have.
func values() []any {
	many := make([]any, 1000)
	for i := range many {
		many[i] = map[string]any{"i": int64(i - 500)}
	}
	return []any{
		nil, true, false, int64(0), int64(-1), int64(127), int64(128), int64(255), int64(256), int64(-128), int64(-129),
		int64(32767), int64(32768), int64(65535), int64(65536), int64(math.MaxInt32), int64(math.MaxUint32), int64(1) << 53,
		int64(math.MaxInt64), int64(math.MinInt64), 0.0, math.Copysign(0, -1), 1.0, 0.1, -2.5e10, 1e16, 123456789012345680.0, 1e-5, 1e300, 100000.0,
		"", "a", "é", "héllo ✓ 😀", "\n\"\\/<>&\u2028\x01", strings.Repeat("x", 70000),
		[]byte{}, []byte{0, 1, 0xff}, []any{}, map[string]any{}, many,
		map[string]any{"k": []any{nil, "x", map[string]any{"b": []byte{1}}}, "é": 1.5},
	}
}

// TestSerializers: autobahn reads what we write, and we read what autobahn writes,
// in each serializer.
func TestSerializers(t *testing.T) {
	t.Parallel()
	peer := start(t, "serializers.py")
	exact, err := serializer.NewJSON(serializer.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range serializer.Builtin() {
		info := s.Info()
		if info.Batched {
			s = batched(t, s)
		}
		for _, v := range values() {
			list := []any{v}
			encoded, err := s.Serialize(nil, list)
			if err != nil {
				t.Fatalf("%s: %v", info.ID, err)
			}
			var answer struct {
				Values any
				Hex    string
				Error  string
			}
			id, _, _ := strings.Cut(info.ID, ".")
			peer.ask(t, map[string]any{"ser": id, "batched": info.Batched, "hex": hex.EncodeToString(encoded)}, &answer)
			if answer.Error != "" {
				t.Errorf("%s: autobahn cannot read %.100v: %s", info.ID, v, answer.Error)
				continue
			}
			theirs, err := hex.DecodeString(answer.Hex)
			if err != nil {
				t.Fatal(err)
			}
			got, err := s.Unserialize(theirs)
			if err != nil || !reflect.DeepEqual(got, []any{list}) {
				t.Errorf("%s: %.100v comes back as %.100v, %v", info.ID, v, got, err)
			}
			want, err := exact.Serialize(nil, []any{marked(list)})
			if err != nil {
				t.Fatal(err)
			}
			seen, err := exact.Unserialize(want)
			if err != nil || !sameNumbers(answer.Values, seen[0]) {
				t.Errorf("%s: autobahn reads %.100v as %.100v", info.ID, v, answer.Values)
			}
		}
	}
}

// batched is a batched serializer with the terminator that autobahn takes.
func batched(t *testing.T, s serializer.Serializer) serializer.Serializer {
	t.Helper()
	for _, plain := range serializer.Builtin() {
		if plain.Info().ID+".batched" == s.Info().ID {
			made, err := serializer.NewBatched(plain, serializer.BatchedOptions{Terminator: serializer.TerminatorAutobahn})
			if err != nil {
				t.Fatal(err)
			}
			return made
		}
	}
	return s
}

// marked is a value with its bytes as the script prints them.
func marked(v any) any {
	switch v := v.(type) {
	case []byte:
		return map[string]any{"$bytes": hex.EncodeToString(v)}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = marked(v[i])
		}
		return list
	case map[string]any:
		pairs := map[string]any{}
		for name := range v {
			pairs[name] = marked(v[name])
		}
		return pairs
	}
	return v
}

// sameNumbers compares what encoding/json has read, where all numbers are floats,
// with the model.
func sameNumbers(a, b any) bool {
	switch b := b.(type) {
	case int64:
		f, ok := a.(float64)
		return ok && f == float64(b)
	case []any:
		list, ok := a.([]any)
		if !ok || len(list) != len(b) {
			return false
		}
		for i := range b {
			if !sameNumbers(list[i], b[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		pairs, ok := a.(map[string]any)
		if !ok || len(pairs) != len(b) {
			return false
		}
		for name := range b {
			if !sameNumbers(pairs[name], b[name]) {
				return false
			}
		}
		return true
	}
	return a == b
}

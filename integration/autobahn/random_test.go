package autobahn

import (
	"encoding/hex"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// TestRandomSerializers sends values that nobody thought of to autobahn, in each
// serializer, and reads what it makes of them.
func TestRandomSerializers(t *testing.T) {
	t.Parallel()
	peer := start(t, "serializers.py")
	for _, s := range serializer.Builtin() {
		info := s.Info()
		if info.Batched {
			s = batched(t, s)
		}
		id, _, _ := strings.Cut(info.ID, ".")
		random := rand.New(rand.NewPCG(1, 2))
		for range 400 {
			list := []any{anyValue(random, id, 4)}
			encoded, err := s.Serialize(nil, list)
			if err != nil {
				t.Fatalf("%s: %#v: %v", info.ID, list, err)
			}
			var answer struct{ Hex, Error string }
			peer.ask(t, map[string]any{"ser": id, "batched": info.Batched, "hex": hex.EncodeToString(encoded)}, &answer)
			theirs, err := hex.DecodeString(answer.Hex)
			if err != nil || answer.Error != "" {
				t.Fatalf("%s: autobahn says %v %s of %#v in %x", info.ID, err, answer.Error, list, encoded)
			}
			if got, err := s.Unserialize(theirs); err != nil || !reflect.DeepEqual(got, []any{list}) {
				t.Errorf("%s: %#v comes back as %#v, %v", info.ID, list, got, err)
			}
		}
	}
}

// anyValue is a value of the model that a serializer of autobahn's has a form for.
func anyValue(random *rand.Rand, id string, depth int) any {
	kinds := 8
	if depth > 0 {
		kinds = 10
	}
	switch random.IntN(kinds) {
	case 0:
		return [...]any{nil, true, false}[random.IntN(3)]
	case 1, 2:
		return int64(random.Uint64()) >> random.IntN(64)
	case 3:
		return uint64(math.MaxInt64) + 1 + random.Uint64()>>1
	case 4:
		return anyFloat(random, id)
	case 5:
		return anyText(random)
	case 6:
		return anyBytes(random)
	case 7:
		if id == "msgpack" { // has none
			return nil
		}
		b := new(big.Int).Lsh(big.NewInt(1), uint(64+random.IntN(200)))
		return b.Add(b, new(big.Int).SetUint64(random.Uint64()))
	case 8:
		list := make([]any, random.IntN(20))
		for i := range list {
			list[i] = anyValue(random, id, depth-1)
		}
		return list
	}
	pairs := map[string]any{}
	for range random.IntN(20) {
		pairs[anyText(random)] = anyValue(random, id, depth-1)
	}
	return pairs
}

func anyFloat(random *rand.Rand, id string) float64 {
	f := math.Float64frombits(random.Uint64())
	if id == "ubjson" {
		// python-ubjson has text for what float32 cannot say, and loses digits in it.
		f = float64(math.Float32frombits(random.Uint32()))
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return 0.5
	}
	return f
}

// anyText does not begin with U+0000, by which JSON tells bytes.
func anyText(random *rand.Rand) string {
	var text strings.Builder
	text.WriteByte('x')
	for range random.IntN(1 << random.IntN(10)) {
		r := rune(random.IntN(1 << (7 + random.IntN(14))))
		if r >= 0xd800 && r < 0xe000 || r > 0x10ffff {
			r = 0
		}
		text.WriteRune(r)
	}
	return text.String()
}

func anyBytes(random *rand.Rand) []byte {
	b := make([]byte, random.IntN(1<<random.IntN(10)))
	for i := range b {
		b[i] = byte(random.Uint32())
	}
	return b
}

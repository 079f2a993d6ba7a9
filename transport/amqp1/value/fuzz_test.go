package value

import (
	"bytes"
	"errors"
	"testing"
)

// FuzzDecode: what is decoded encodes to the same value, in one form only, and
// all else is an error of a known kind.
func FuzzDecode(f *testing.F) {
	for _, test := range codecTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, rest, err := Next(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrLimit) {
				t.Fatalf("error of no known kind: %v", err)
			}
			return
		}
		if !bytes.HasSuffix(data, rest) {
			t.Fatal("the rest is not the end of the data")
		}
		encoded, err := Limits{MaxBytes: 1 << 30}.Append(nil, v)
		if err != nil {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
		again, err := Limits{MaxBytes: 1 << 30}.Decode(encoded)
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if !Equal(v, again) {
			t.Fatalf("%#v became %#v", v, again)
		}
	})
}

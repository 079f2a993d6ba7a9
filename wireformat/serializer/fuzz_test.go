package serializer_test

import (
	"bytes"
	"testing"

	"github.com/outrider-go/outrider/wireformat/serializer"
)

// fuzz reads anything. What is read is written, and then read as the same.
func fuzz(f *testing.F, s serializer.Serializer, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	if encoded, err := s.Serialize(nil, []any{nil, 1, -1.5, "é", []byte{1}, map[string]any{"a": []any{}, "b": uint64(1 << 63)}}); err == nil {
		f.Add(encoded)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		whole := bytes.Clone(b)
		values, err := s.Unserialize(b)
		if !bytes.Equal(whole, b) {
			t.Fatal("it changes its input")
		}
		if err != nil {
			return
		}
		for i := range b {
			b[i] = ^b[i] // nothing of it may be kept
		}
		var written []byte
		for _, v := range values {
			if written, err = s.Serialize(written, v); err != nil {
				t.Fatalf("%#v is read and cannot be written: %v", v, err)
			}
		}
		again, err := s.Unserialize(written)
		if err != nil || !same(any(again), any(values), false) {
			t.Fatalf("%#v is written as %q and read as %#v, %v", values, written, again, err)
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzz(f, byID()["json"], `{"a":["\u0000AA==",1e3,18446744073709551616,"\ud83d\ude00"]}`, `"\ud800"`)
}

func FuzzCBOR(f *testing.F) {
	fuzz(f, byID()["cbor"], "\xc1\x1a\x51\x4b\x67\xb0", "\xbf\x61a\x9f\x01\xff\xff", "\xa1\x01\xd8\x20\x61a", "\xf8\xff", "\xc2\x49\x01\x00\x00\x00\x00\x00\x00\x00\x00")
}

func FuzzMsgPack(f *testing.F) {
	fuzz(f, byID()["msgpack"], "\xd6\xff\x00\x00\x00\x01", "\xc7\x0c\xff\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff", "\x81\x01\xc7\x00\x05", "\xdc\xff\xff")
}

func FuzzUBJSON(f *testing.F) {
	fuzz(f, byID()["ubjson"], "[$Z#U\x05", "{$i#U\x01U\x01a\x05", "[$[#U\x01[]", "HU\x031e3", "d\xff\xac\x3f\xdd", "D\x7f\xf0\x00\x00\x00\x00\x00\x00")
}

func FuzzBJData(f *testing.F) {
	fuzz(f, byID()["bjdata"], "[$u#[U\x01U\x02]\x01\x00\x02\x00", "h\x00\x3c", "[$B#U\x01\x05")
}

func FuzzBatched(f *testing.F) {
	fuzz(f, must(serializer.NewBatched(byID()["json"], serializer.BatchedOptions{})), "1\x18\"a\"\x1e")
}

func FuzzBatchedBinary(f *testing.F) {
	fuzz(f, must(serializer.NewBatched(byID()["cbor"], serializer.BatchedOptions{})), "\x00\x00\x00\x01\x05\x00\x00\x00\x01\x06")
}

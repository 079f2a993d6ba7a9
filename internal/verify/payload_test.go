package verify_test

import (
	"testing"

	"github.com/outrider-go/outrider/internal/verify"
)

func FuzzReadPayload(f *testing.F) {
	for _, seed := range [][]byte{nil, []byte("a"), []byte("a 3\n"), []byte("a 1000000000000\n"), []byte("a -1\n"), verify.Payload("a", 50)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if name, intact := verify.ReadPayload(data); intact && name == "" && len(data) == 0 {
			t.Error("nothing is a letter")
		}
	})
}

func TestPayloadShowsEachChange(t *testing.T) {
	t.Parallel()
	payload := verify.Payload("letter-1", 300)
	if name, intact := verify.ReadPayload(payload); name != "letter-1" || !intact || len(payload) != 300 {
		t.Fatalf("got %q, %v, %d bytes", name, intact, len(payload))
	}
	for i := range payload {
		payload[i] ^= 4
		if _, intact := verify.ReadPayload(payload); intact {
			t.Errorf("byte %d: a change is not seen", i)
		}
		payload[i] ^= 4
	}
	if _, intact := verify.ReadPayload(payload[:299]); intact {
		t.Error("a missing byte is not seen")
	}
}

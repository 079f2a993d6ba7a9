package sealqueue

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// FuzzText: whatever is in the place of a URI, it is refused or read, and what was
// read is written the same.
func FuzzText(f *testing.F) {
	store, inner := newStore(f)
	f.Add(keptMessage(f, store, inner, nil).URI.Reveal())
	for _, seed := range []string{"", marker, marker + "AA", anyMarker + "2:AA", "https://example.com", marker + encoding.EncodeToString(make([]byte, 48))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := &paper{keys: store.keys}
		e, err := p.decodeText(text)
		if err == nil {
			again := marker + encoding.EncodeToString(slices.Concat(e.key[:], e.nonce, e.box))
			if clean := strings.NewReplacer("\n", "", "\r", "").Replace(text); again != clean {
				t.Fatalf("%q became %q", text, again)
			}
		} else if !errors.Is(err, ErrDamaged) && !errors.Is(err, errVersion) {
			t.Fatalf("%q: %v", text, err)
		}
		m := queue.Message{Lane: lane("a"), URI: transport.NewSecret(text), Payload: []byte(text)}
		if err := p.openMessage(t.Context(), &m); err == nil {
			t.Fatalf("%q was opened", text)
		}
	})
}

// FuzzHeader: whatever a header says, the body is taken apart within its bounds.
func FuzzHeader(f *testing.F) {
	fixed := make([]byte, headerFixed)
	for _, tail := range [][]byte{nil, {0}, {1, 2, 3, 'u'}, {2, 0, 0, 1, 1}, binary.AppendUvarint([]byte{1}, 1<<63), {0xff, 0xff, 3}, append([]byte{1}, bytes.Repeat([]byte{0x80}, 12)...)} {
		f.Add(slices.Concat(fixed, tail), []byte("payload, name and value"))
	}
	f.Fuzz(func(t *testing.T, plain, body []byte) {
		h, err := decodeHeader(plain)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatal(err)
			}
			return
		}
		payload, metadata, err := h.split(body)
		if err != nil {
			return
		}
		if !bytes.HasPrefix(body, payload) || len(payload)+int(h.metadata) != len(body) || len(metadata) > h.entries {
			t.Fatalf("%q became %q and %v", body, payload, metadata)
		}
	})
}

// FuzzResponse: whatever is in the place of a response, it is refused.
func FuzzResponse(f *testing.F) {
	store, _ := newStore(f)
	p := store.takePaper()
	a := queue.Attempt{Response: []byte("answer")}
	sealed := store.sealAttempt(f.Context(), p, &queue.Outcome{Attempt: &a}, "acme", true).Response[len(responseMarker):]
	f.Add(sealed[:len(sealed)-1])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, blob []byte) {
		if response, err := p.openResponse(t.Context(), "acme", transport.ID{}, &a, blob); err == nil && !bytes.Equal(blob, sealed) {
			t.Fatalf("opened as %q", response)
		}
	})
}

package amqp1

import (
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// FuzzOutcome: whatever a peer sends for a state, it is read without a panic, and as
// accepted only where it is that state.
func FuzzOutcome(f *testing.F) {
	for _, state := range []any{
		amqppeer.Accepted, nil, "text",
		amqppeer.Described{Descriptor: uint64(amqppeer.StateRejected), Value: []any{amqppeer.Described{
			Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol("amqp:not-found"), "no"}}}},
		amqppeer.Described{Descriptor: uint64(amqppeer.StateModified), Value: []any{true, false, amqppeer.Map{amqppeer.Symbol("k"), uint8(1), uint64(2), "v"}}},
	} {
		f.Add(amqppeer.Append(nil, state))
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		list := fields{rest: encoded, left: 1}
		outcome := readOutcome(&list)
		if code, _, ok := descriptor(encoded); outcome.State == Accepted && (!ok || code != amqppeer.StateAccepted) {
			t.Errorf("%x is read as accepted", encoded)
		}
	})
}

// Where int has 32 bits, such lengths are below zero.
func TestLengthsOfFourBytesArePositive(t *testing.T) {
	t.Parallel()
	if list, ok := openList([]byte{0xd0, 0, 0, 0, 5, 0xff, 0xff, 0xff, 0xff, 0x40}); ok {
		t.Errorf("a list that counts more fields than bytes opens, with %d", list.left)
	}
	if size, ok := valueSize([]byte{0xb0, 0xff, 0xff, 0xff, 0xff, 1}); ok {
		t.Errorf("a value has %d bytes, and 6 are there", size)
	}
	if all := readSymbols([]byte{0, 0, 0, 1, 0xb3, 0xff, 0xff, 0xff, 0xff, 'a'}, 4); all != nil {
		t.Errorf("symbols that are cut short read as %q", all)
	}
}

// FuzzParseFrame: whatever a peer sends, its fields are read without a panic, and
// never beyond the frame.
func FuzzParseFrame(f *testing.F) {
	for _, seed := range [][]byte{
		{0, 0, 0, 8, 2, 0, 0, 0},
		{0, 0, 0, 12, 2, 0, 0, 0, 0, 0x53, 0x18, 0x45},
		{0, 0, 0, 20, 2, 0, 0, 1, 0, 0x53, 0x15, 0xc0, 7, 4, 0x41, 0x43, 0x52, 9, 0x41, 0x40},
		{0, 0, 0, 22, 2, 0, 0, 1, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x13, 0xc0, 2, 1, 0x43},
		{0, 0, 0, 24, 2, 0, 0, 1, 0, 0x53, 0x10, 0xd0, 0, 0, 0, 8, 0, 0, 0, 1, 0xa1, 2, 'h', 'i'},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < frameHeader {
			return
		}
		frame, err := parseFrame(b)
		if err != nil {
			return
		}
		for _, read := range []func(*fields){
			func(f *fields) { f.next() },
			func(f *fields) { f.uint() },
			func(f *fields) { f.ushort() },
			func(f *fields) { f.ubyte() },
			func(f *fields) { f.bool() },
			func(f *fields) { _ = f.text() },
			func(f *fields) { f.symbols() },
		} {
			left := frame.fields
			for range left.left {
				read(&left)
			}
			if len(left.rest) > len(frame.fields.rest) {
				t.Fatal("there is more left than there was")
			}
		}
	})
}

package amqp1

import "testing"

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

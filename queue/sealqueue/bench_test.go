package sealqueue

import "testing"

// BenchmarkMessage is what a message of 1 KiB costs on its way in and out, without
// the store inside.
func BenchmarkMessage(b *testing.B) {
	store, inner := newStore(b)
	m := newMessage(store, lane("a"))
	m.Payload, m.Metadata = make([]byte, 1024), nil
	enqueue(b, store, m)
	kept := inner.kept[0]
	key, err := store.keys.Active(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	p := store.takePaper()
	defer store.givePaper(p)
	b.Run("Seal", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(1024)
		for b.Loop() {
			message := m
			p.sealMessage(&message, key)
		}
	})
	b.Run("Open", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(1024)
		for b.Loop() {
			message := kept
			if err := p.openMessage(b.Context(), &message); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestAllocations: one buffer each way, and the text and the secret of the URI.
func TestAllocations(t *testing.T) {
	store, inner := newStore(t)
	m := newMessage(store, lane("a"))
	m.Payload, m.Metadata = make([]byte, 1024), nil
	enqueue(t, store, m)
	kept := inner.kept[0]
	key, err := store.keys.Active(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	p := &paper{keys: store.keys}
	if n := testing.AllocsPerRun(100, func() { message := m; p.sealMessage(&message, key) }); n > 3 {
		t.Errorf("to seal takes %v allocations, want at most 3", n)
	}
	if n := testing.AllocsPerRun(100, func() { message := kept; _ = p.openMessage(t.Context(), &message) }); n > 3 {
		t.Errorf("to open takes %v allocations, want at most 3", n)
	}
}

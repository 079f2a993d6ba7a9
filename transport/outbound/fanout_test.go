package outbound_test

import (
	"fmt"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/wireformat"
)

// sharing is a marked format whose frames are good for other messages.
type sharing struct{ marked }

func (*sharing) Shares(wireformat.Message) bool { return true }

// TestFanOutCostsOneEncodingForEachFormat: n endpoints and k formats cost k
// encodings, in whatever order they come.
func TestFanOutCostsOneEncodingForEachFormat(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		made := []*sharing{{marked{name: "a"}}, {marked{name: "b"}}, {marked{name: "c"}}}
		own := &marked{name: "own"} // each message has its own frame
		all := append(wireformat.Builtin(), own)
		for _, format := range made {
			all = append(all, format)
		}
		registry, err := wireformat.NewRegistry(all...)
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, &driver{}, outbound.Options{Formats: registry})
		const endpoints = 90
		var batch []outbound.Message
		want := map[string]int{}
		for i := range endpoints {
			name := []string{"a", "b", "c"}[i%3]
			for _, format := range []string{name, "own"} {
				batch = append(batch, outbound.Message{
					Endpoint: endpoint(t, fmt.Sprintf("test://host%d/", i)), WireFormat: format,
					Payload: []byte("hello"), Metadata: transport.Metadata{"mine": "1"},
				})
				want[format+":hello"]++
			}
		}
		if _, err := f.SendBatch(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, format := range made {
			if format.encoded != 1 {
				t.Errorf("%s encoded %d times, want once", format.name, format.encoded)
			}
		}
		if own.encoded != endpoints {
			t.Errorf("a format whose frames are not shared encoded %d times, want %d", own.encoded, endpoints)
		}
		ids := map[transport.ID]bool{}
		for _, a := range f.driver.seen() {
			want[string(a.message.Payload)]--
			if a.message.Metadata["mine"] != "1" || a.message.Metadata["format"] == "" || a.message.Metadata["stamp"] == "" {
				t.Errorf("metadata is %v", a.message.Metadata)
			}
			ids[a.message.ID] = true
		}
		for payload, left := range want {
			if left != 0 {
				t.Errorf("%d of %s are missing", left, payload)
			}
		}
		if len(ids) != 2*endpoints {
			t.Error("messages share an id")
		}
	})
}

// TestWhatDiffersIsNotShared: each of these changes what a format may write.
func TestWhatDiffersIsNotShared(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*outbound.Message){
		"payload":      func(m *outbound.Message) { m.Payload = []byte("hellO") },
		"text":         func(m *outbound.Message) { m.Text = true },
		"content type": func(m *outbound.Message) { m.ContentType = "text/plain" },
		"metadata":     func(m *outbound.Message) { m.Metadata = transport.Metadata{"mine": "2"} },
		"recipients":   func(m *outbound.Message) { m.Target.Recipients = []string{"other"} },
		"routing":      func(m *outbound.Message) { m.Target.Routing = []string{"other"} },
		"sender":       func(m *outbound.Message) { m.Target.Sender = "other" },
		"profile": func(m *outbound.Message) {
			tenant, err := profile.New("other", profile.Options{})
			if err != nil {
				t.Error(err)
			}
			m.Profile = tenant
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				format := &sharing{marked{name: "a"}}
				registry, err := wireformat.NewRegistry(append(wireformat.Builtin(), format)...)
				if err != nil {
					t.Fatal(err)
				}
				f := start(t, &driver{}, outbound.Options{Formats: registry})
				batch := make([]outbound.Message, 3)
				for i := range batch {
					batch[i] = outbound.Message{
						Endpoint: endpoint(t, fmt.Sprintf("test://host%d/", i)), WireFormat: "a",
						Payload: []byte("hello"), Target: wireformat.Target{Recipients: []string{"one"}, Routing: []string{"two"}, Sender: "three"},
					}
				}
				change(&batch[1])
				if _, err := f.SendBatch(t.Context(), batch); err != nil {
					t.Fatal(err)
				}
				if format.encoded != 2 {
					t.Errorf("encoded %d times, want 2", format.encoded)
				}
			})
		})
	}
}

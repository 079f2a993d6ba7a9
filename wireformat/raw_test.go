package wireformat_test

import (
	"errors"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

func TestRawContentType(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		m    wireformat.Message
		want string
	}{
		{"given", wireformat.Message{ContentType: "image/png", Payload: []byte("{}"), Text: true}, "image/png"},
		{"given, with parameters", wireformat.Message{ContentType: "text/plain; charset=us-ascii", Text: true}, "text/plain; charset=us-ascii"},
		{"object as text", wireformat.Message{Text: true, Payload: []byte(`{"a":1}`)}, "application/json"},
		{"number as text", wireformat.Message{Text: true, Payload: []byte(`17`)}, "application/json"},
		{"text", wireformat.Message{Text: true, Payload: []byte("hello")}, "text/plain; charset=utf-8"},
		{"no text", wireformat.Message{Text: true}, "text/plain; charset=utf-8"},
		{"object as bytes", wireformat.Message{Payload: []byte(`{"a":1}`)}, "application/octet-stream"},
		{"no bytes", wireformat.Message{}, "application/octet-stream"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			frame, err := new(wireformat.Raw).Encode(t.Context(), profile.Default(), test.m, wireformat.Target{})
			if err != nil {
				t.Fatal(err)
			}
			if frame.ContentType != test.want || frame.Text != test.m.Text {
				t.Errorf("content type %q, text %v; want %q, %v", frame.ContentType, frame.Text, test.want, test.m.Text)
			}
		})
	}
}

func TestRawParsesEverything(t *testing.T) {
	t.Parallel()
	header := map[string]string{"x-a": "1"}
	m, receipt, err := new(wireformat.Raw).Parse(t.Context(), profile.Default(),
		wireformat.Frame{ContentType: "image/png", Text: true, Header: header, Body: []byte{0xff}})
	if err != nil {
		t.Fatal(err)
	}
	if m.ContentType != "image/png" || !m.Text || string(m.Payload) != "\xff" || m.Metadata["x-a"] != "1" {
		t.Errorf("message is %+v", m)
	}
	if receipt != (wireformat.Receipt{Format: "raw"}) {
		t.Errorf("receipt is %+v", receipt)
	}
}

func TestRawRefusesTextThatIsNotUTF8(t *testing.T) {
	t.Parallel()
	m := wireformat.Message{Text: true, ContentType: "text/plain", Payload: []byte{0xff}}
	_, err := new(wireformat.Raw).Encode(t.Context(), profile.Default(), m, wireformat.Target{})
	if !errors.Is(err, wireformat.ErrEncode) {
		t.Errorf("error is %v, want ErrEncode", err)
	}
}

func TestRawAllocatesNothing(t *testing.T) {
	m := wireformat.Message{ContentType: "text/plain", Text: true, Payload: make([]byte, 4096), Metadata: transport.Metadata{"a": "b"}}
	raw, ctx, p := &wireformat.Raw{}, t.Context(), profile.Default()
	allocations := testing.AllocsPerRun(100, func() {
		if _, err := raw.Encode(ctx, p, m, wireformat.Target{}); err != nil {
			t.Error(err)
		}
	})
	if allocations != 0 {
		t.Errorf("Encode allocates %v times", allocations)
	}
}

package serializer_test

import (
	"testing"

	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

// TestFormatConformance: JSON goes in and comes out, in the form that our JSON has.
func TestFormatConformance(t *testing.T) {
	t.Parallel()
	const c = wireformattest.Canary
	otherType := wireformattest.Text("another content type", `{"a":"`+c+`"}`)
	otherType.Message.ContentType = "text/html"
	otherForm := wireformattest.Bytes("its own content type, and something else", []byte(`{"a":"`+c+`"}`))
	for id, s := range byID() {
		if id == "json" {
			continue
		}
		otherForm.Message.ContentType = s.Info().MediaType()
		t.Run(id, func(t *testing.T) {
			t.Parallel()
			wireformattest.Run(t, func(t *testing.T) wireformat.Format {
				f, err := serializer.NewFormat(s)
				if err != nil {
					t.Fatal(err)
				}
				return f
			}, wireformattest.Features{
				Samples: []wireformattest.Sample{
					wireformattest.Text("object", `{"canary":"`+c+`","n":[1,2.5,-30000000.0,true,null,18446744073709551615]}`),
					wireformattest.Text("bytes", `{"b":"\u0000AAH/"}`),
					wireformattest.Text("array", `["é",{}]`),
					wireformattest.Text("number", `1`),
				},
				Refused: []wireformattest.Sample{
					otherType, otherForm,
					wireformattest.Text("nothing", ""),
					wireformattest.Text("text", c),
					wireformattest.Text("a name twice", `{"`+c+`":1,"`+c+`":2}`),
				},
			})
		})
	}
	for _, s := range serializer.Builtin() {
		if f, err := serializer.NewFormat(s); (err != nil) != s.Info().Batched {
			t.Errorf("%s: %v, %v", s.Info().ID, f, err)
		}
	}
}

func TestFormatSendsItsOwnAsItIs(t *testing.T) {
	t.Parallel()
	f, err := serializer.NewFormat(byID()["msgpack"])
	if err != nil {
		t.Fatal(err)
	}
	m := wireformat.Message{ContentType: "application/vnd.msgpack; x=y", Payload: []byte{0xd9, 1, 'a'}} // not the shortest form
	frame, err := f.Encode(t.Context(), nil, m, wireformat.Target{})
	if err != nil || string(frame.Body) != string(m.Payload) || frame.ContentType != "application/x-msgpack" || frame.Text {
		t.Errorf("%+v, %v", frame, err)
	}
	parsed, _, err := f.Parse(t.Context(), nil, frame)
	if err != nil || string(parsed.Payload) != `"a"` || parsed.ContentType != "application/json" {
		t.Errorf("%+v, %v", parsed, err)
	}
}

func TestFormatsRegisterBesideTheOthers(t *testing.T) {
	t.Parallel()
	registry, err := wireformat.NewRegistry(append(wireformat.Builtin(), serializer.Formats()...)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cbor", "msgpack", "ubjson"} {
		if f, err := registry.ByName(name); err != nil || f.Name() != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if f, err := registry.ForFrame(wireformat.Frame{ContentType: "application/vnd.msgpack"}); err != nil || f.Name() != "msgpack" {
		t.Errorf("by media type: %v", err)
	}
}

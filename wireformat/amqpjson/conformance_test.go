package amqpjson

import (
	"errors"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	const c = wireformattest.Canary
	html := wireformattest.Text("another content type", `null`)
	html.Message.ContentType = "text/html"
	ld := wireformattest.Text("another JSON", `null`)
	ld.Message.ContentType = "application/ld+json; charset=utf-8"
	wireformattest.Run(t, func(*testing.T) wireformat.Format { return &Format{} }, wireformattest.Features{
		Samples: []wireformattest.Sample{
			wireformattest.Text("text", `"`+c+`"`),
			wireformattest.Text("null", `null`),
			wireformattest.Text("map", `{"type":"map","value":["`+c+`",{"type":"uint","value":1}]}`),
			wireformattest.Text("described", `{"descriptor":{"type":"symbol","value":"a:b"},"type":"list","value":[true,{"type":"decimal","value":"00000001"}]}`),
			wireformattest.Bytes("given as bytes", []byte(`{"type":"binary","value":"`+strings.Repeat("00", 1<<18)+`"}`)),
			ld,
		},
		Refused: []wireformattest.Sample{
			html,
			wireformattest.Text("nothing", ""),
			wireformattest.Text("text", c),
			wireformattest.Text("an unknown type", `{"type":"`+c+`","value":1}`),
			wireformattest.Text("an unknown member", `{"`+c+`":1}`),
			wireformattest.Text("a map with a key twice", `{"type":"map","value":["`+c+`",null,"`+c+`",null]}`),
			wireformattest.Text("a mixed array", `{"type":"array","value":["`+c+`",null]}`),
			wireformattest.Text("a long fault", `{"type":"symbol","value":"é`+strings.Repeat(c, 1000)+`"}`),
			wireformattest.Bytes("not UTF-8", []byte(`"`+c+"\xff\"")),
		},
	})
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{Limits: value.Limits{MaxDepth: -1, MaxValues: -1}}); err == nil || !strings.Contains(err.Error(), "MaxDepth") || !strings.Contains(err.Error(), "MaxValues") {
		t.Errorf("error is %v, want both fields", err)
	}
	f, err := New(Options{Limits: value.Limits{MaxValues: 2}})
	if err != nil {
		t.Fatal(err)
	}
	long := []byte(`{"type":"list","value":[null,null]}`)
	if _, err := f.Encode(t.Context(), profile.Default(), wireformat.Message{Payload: long}, wireformat.Target{}); !errors.Is(err, wireformat.ErrEncode) || !errors.Is(err, value.ErrLimit) {
		t.Errorf("Encode: %v, want ErrEncode and ErrLimit", err)
	}
	if _, _, err := f.Parse(t.Context(), profile.Default(), wireformat.Frame{Body: []byte("\xc0\x03\x02\x40\x40")}); !errors.Is(err, wireformat.ErrParse) || !errors.Is(err, value.ErrLimit) {
		t.Errorf("Parse: %v, want ErrParse and ErrLimit", err)
	}
	several := []byte{0x00, 0x41, 0x00, 0x41, 0x40}
	if _, _, err := f.Parse(t.Context(), profile.Default(), wireformat.Frame{Body: several}); !errors.Is(err, wireformat.ErrParse) {
		t.Errorf("Parse of several descriptors: %v, want ErrParse", err)
	}
}

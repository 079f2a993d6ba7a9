package wireformat_test

import (
	"strings"
	"testing"

	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/wireformattest"
)

func TestRawConformance(t *testing.T) {
	t.Parallel()
	wireformattest.Run(t, func(*testing.T) wireformat.Format { return &wireformat.Raw{} }, wireformattest.Features{
		Samples: wireformattest.AnySamples(),
		Refused: []wireformattest.Sample{wireformattest.Text("not UTF-8", wireformattest.Canary+"\xff")},
	})
}

func TestJSONConformance(t *testing.T) {
	t.Parallel()
	const c = wireformattest.Canary
	otherType := wireformattest.Text("another content type", `{}`)
	otherType.Message.ContentType = "text/html"
	wireformattest.Run(t, func(*testing.T) wireformat.Format { return &wireformat.JSON{} }, wireformattest.Features{
		Samples: append(wireformattest.JSONSamples(), wireformattest.Bytes("given as bytes", []byte(`{"a":1}`))),
		Refused: []wireformattest.Sample{
			otherType,
			wireformattest.Text("nothing", ""),
			wireformattest.Text("text", c),
			wireformattest.Text("a string", `"`+c+`"`),
			wireformattest.Text("an array", `["`+c+`"]`),
			wireformattest.Text("a name twice", `{"`+c+`":1,"`+c+`":2}`),
			wireformattest.Text("two objects", `{"`+c+`":1}{}`),
			wireformattest.Text("too deep", strings.Repeat(`{"`+c+`":`, 65)+"1"+strings.Repeat("}", 65)),
			wireformattest.Text("a thread that is text", `{"~thread":"`+c+`"}`),
			wireformattest.Bytes("not UTF-8", []byte(`{"`+c+`":"`+"\xff"+`"}`)),
		},
	})
}

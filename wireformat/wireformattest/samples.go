package wireformattest

import (
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Canary is text that no error may repeat.
const Canary = "canary-of-the-payload"

// JSONSamples returns objects that any format of JSON carries.
func JSONSamples() []Sample {
	return []Sample{
		Text("object", `{"canary":"`+Canary+`","n":[1,2.5,-3e7,true,null]}`),
		Text("empty object", `{}`),
		Text("escapes", `{"é\u00e9\ud83d\ude00":"\"\\\/\b\f\n\r\t"}`),
		Text("blanks", " \t\r\n{ \"a\" : [ ] }\n"),
		Text("long", `{"a":"`+strings.Repeat("a", 1<<18)+`"}`),
	}
}

// AnySamples returns [JSONSamples], other text, and bytes: what a format carries
// that does not care.
func AnySamples() []Sample {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	return append(JSONSamples(),
		Text("text", "héllo ✓ "+Canary),
		Text("empty text", ""),
		Bytes("bytes", all),
		Bytes("no bytes", nil),
	)
}

// Text returns a sample of text.
func Text(name, payload string) Sample {
	s := Bytes(name, []byte(payload))
	s.Message.Text = true
	return s
}

// Bytes returns a sample of bytes.
func Bytes(name string, payload []byte) Sample {
	return Sample{Name: name, Message: wireformat.Message{
		ID:       transport.NewID(time.UnixMilli(1_700_000_000_000)),
		Payload:  payload,
		Metadata: transport.Metadata{"x-sample": name},
	}}
}

// clone copies all that a format could change.
func (s Sample) clone() Sample {
	s.Message.Payload = append([]byte(nil), s.Message.Payload...)
	s.Message.Metadata = s.Message.Metadata.Clone()
	s.Target.Recipients = append([]string(nil), s.Target.Recipients...)
	s.Target.Routing = append([]string(nil), s.Target.Routing...)
	return s
}

package wireformat

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"unicode/utf8"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

const rawName = "raw"

// Raw sends the payload as it is, and is used where nobody chose a format. The
// content type is the message's; where it has none, it is application/json for
// text that is JSON, text/plain for other text, and application/octet-stream for
// bytes. Text must be UTF-8. It parses every frame. The zero value is ready.
type Raw struct{}

// Name returns "raw".
func (*Raw) Name() string { return rawName }

// MediaTypes returns application/octet-stream. Raw parses all others too, when
// it is chosen by name.
func (*Raw) MediaTypes() []string { return []string{typeBinary} }

// Encode returns the payload itself as the frame's body, without a copy. It
// refuses text that is not UTF-8, which a WebSocket peer would close on.
func (*Raw) Encode(_ context.Context, _ *profile.Profile, m Message, _ Target) (Frame, error) {
	if m.Text && !utf8.Valid(m.Payload) {
		return Frame{}, &Error{ErrEncode, rawName, errors.New("the text is not UTF-8: send it as bytes")}
	}
	contentType := m.ContentType
	switch {
	case contentType != "":
	case !m.Text:
		contentType = typeBinary
	case json.Valid(m.Payload):
		contentType = typeJSON
	default:
		contentType = typeText
	}
	return Frame{ContentType: contentType, Text: m.Text, Body: m.Payload}, nil
}

// Parse returns the frame's body itself as the payload, and a copy of its header
// as the metadata. It never fails.
func (*Raw) Parse(_ context.Context, _ *profile.Profile, f Frame) (Message, Receipt, error) {
	return Message{
		ContentType: f.ContentType,
		Text:        f.Text,
		Payload:     f.Body,
		Metadata:    transport.Metadata(maps.Clone(f.Header)),
	}, Receipt{Format: rawName}, nil
}

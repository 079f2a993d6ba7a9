package serializer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Format is a wire format that sends JSON in another serialization: callers hand
// in JSON, and CBOR, MessagePack or UBJSON goes on the wire. Bytes are in JSON what
// they are in WAMP, a string of U+0000 and base64. A payload whose content type is
// the format's own is checked and sent as it is. Make one with [NewFormat].
type Format struct {
	info       Info
	serializer Serializer
	json       Serializer
}

// NewFormat returns the wire format of a serializer. Its name is the serializer's
// id.
func NewFormat(s Serializer) (*Format, error) {
	info := s.Info()
	if info.Batched || len(info.MediaTypes) == 0 {
		return nil, fmt.Errorf("serializer %s cannot be a wire format: it is batched, or has no media type", info.ID)
	}
	json, err := NewJSON(Limits{})
	if err != nil {
		return nil, err
	}
	return &Format{info, s, json}, nil
}

// Formats returns the wire formats of the built-in serializers, but JSON, which
// package wireformat has: cbor, msgpack and ubjson.
func Formats() []wireformat.Format {
	var all []wireformat.Format
	for _, s := range Builtin() {
		if info := s.Info(); info.Batched || info.ID == JSONID {
			continue
		}
		if f, err := NewFormat(s); err == nil { // it is neither batched nor without a media type
			all = append(all, f)
		}
	}
	return all
}

// Name returns the serializer's id.
func (f *Format) Name() string { return f.info.ID }

// MediaTypes returns the serializer's.
func (f *Format) MediaTypes() []string { return slices.Clone(f.info.MediaTypes) }

// Shares implements [wireformat.Sharer].
func (*Format) Shares(wireformat.Message) bool { return true }

// Encode turns the payload from JSON into the serializer's form.
func (f *Format) Encode(_ context.Context, _ *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	body, err := f.body(m)
	if err != nil {
		return wireformat.Frame{}, &wireformat.Error{Kind: wireformat.ErrEncode, Format: f.info.ID, Err: err}
	}
	return wireformat.Frame{ContentType: f.info.MediaType(), Text: !f.info.Binary, Body: body}, nil
}

func (f *Format) body(m wireformat.Message) ([]byte, error) {
	contentType := bare(m.ContentType)
	if slices.Contains(f.info.MediaTypes, contentType) {
		_, err := f.serializer.Unserialize(m.Payload)
		return m.Payload, err
	}
	if contentType != "" && contentType != "application/json" && !strings.HasSuffix(contentType, "+json") {
		return nil, errors.New("the message's content type is neither JSON nor the format's own: leave it empty, or choose the format raw")
	}
	values, err := f.json.Unserialize(m.Payload)
	if err != nil {
		return nil, err
	}
	return f.serializer.Serialize(nil, values[0])
}

// Parse turns a frame's body into JSON. What JSON cannot express is an error.
func (f *Format) Parse(_ context.Context, _ *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	values, err := f.serializer.Unserialize(frame.Body)
	var payload []byte
	if err == nil {
		payload, err = f.json.Serialize(nil, values[0])
	}
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, &wireformat.Error{Kind: wireformat.ErrParse, Format: f.info.ID, Err: err}
	}
	m := wireformat.Message{ContentType: "application/json", Text: true, Payload: payload, Metadata: transport.Metadata(maps.Clone(frame.Header))}
	return m, wireformat.Receipt{Format: f.info.ID}, nil
}

package amqpjson

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/wireformat"
)

const (
	name     = "amqpjson"
	typeJSON = "application/json"
)

// Format is the wire format: JSON for the caller, an encoded AMQP value on the
// wire, with [value.MediaType] as its content type. The zero value is ready.
type Format struct{ options Options }

// Options of [Format].
type Options struct {
	// Full says that Parse writes nulls, booleans and strings as objects too, as
	// with SimplifiedJSONFormat off. Default: they are abbreviated.
	Full bool
	// Limits are for the encoded value, and its MaxBytes also for JSON that is
	// encoded. Default: those of [value.Limits].
	Limits value.Limits
}

// New returns a format with options. The error names each field that is out of
// its range.
func New(options Options) (*Format, error) {
	if err := options.Limits.Validate(); err != nil {
		return nil, fmt.Errorf("wire format %s: %w", name, err)
	}
	return &Format{options}, nil
}

// Name returns "amqpjson".
func (*Format) Name() string { return name }

// MediaTypes returns [value.MediaType].
func (*Format) MediaTypes() []string { return []string{value.MediaType} }

// Shares implements [wireformat.Sharer].
func (*Format) Shares(wireformat.Message) bool { return true }

// Encode encodes the value that the payload describes. A content type of the
// message's own must be JSON.
func (f *Format) Encode(_ context.Context, _ *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	if m.ContentType != "" && !isJSONType(m.ContentType) {
		return wireformat.Frame{}, failed(wireformat.ErrEncode, errors.New("the message's content type is not JSON: leave it empty, or choose the format raw"))
	}
	v, err := Read(m.Payload, f.options.Limits)
	if err != nil {
		return wireformat.Frame{}, failed(wireformat.ErrEncode, err)
	}
	body, err := f.options.Limits.Append(nil, v)
	if err != nil {
		return wireformat.Frame{}, failed(wireformat.ErrEncode, err)
	}
	return wireformat.Frame{ContentType: value.MediaType, Body: body}, nil
}

// Parse returns the JSON of the encoded value, as text and without blanks, and a
// copy of the frame's header as the metadata.
func (f *Format) Parse(_ context.Context, _ *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	v, err := f.options.Limits.Decode(frame.Body)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, failed(wireformat.ErrParse, err)
	}
	payload, err := Append(nil, v, f.options.Full)
	if err != nil {
		return wireformat.Message{}, wireformat.Receipt{}, failed(wireformat.ErrParse, err)
	}
	return wireformat.Message{
		ContentType: typeJSON,
		Text:        true,
		Payload:     payload,
		Metadata:    transport.Metadata(maps.Clone(frame.Header)),
	}, wireformat.Receipt{Format: name}, nil
}

// RecipientKeys returns an empty list: a value in the clear is for nobody's keys.
func (*Format) RecipientKeys(wireformat.Frame) ([]string, error) { return []string{}, nil }

func failed(kind, err error) error { return &wireformat.Error{Kind: kind, Format: name, Err: err} }

func isJSONType(contentType string) bool {
	mediaType, _, err := mime.ParseMediaType(contentType)
	return err == nil && (mediaType == typeJSON || strings.HasSuffix(mediaType, "+json"))
}

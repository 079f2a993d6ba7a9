package wireformat

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

const jsonName = "json"

// Limits of [JSON] where its options do not say otherwise.
const (
	DefaultMaxJSONBytes = 16 << 20
	DefaultMaxJSONDepth = 64
)

// JSON sends a payload that is a JSON object: ACA-Py's JsonWireFormat. It changes
// no byte; it checks that the payload is one object in UTF-8 and nothing after
// it, that no object in it has a name twice, of which two readers would read two
// different messages, and that size and nesting keep within limits. It checks
// the same on both ways, so it parses all that it encodes.
//
// The receipt has the thread from ~thread.thid, else from @id, the parent thread
// from ~thread.pthid, and the return route from ~transport.return_route; a return
// route that is none of the three known ones reads as none.
//
// The zero value is ready and has the default limits.
type JSON struct{ options JSONOptions }

// JSONOptions are the limits of [JSON].
type JSONOptions struct {
	// MaxBytes is the longest payload. Default: 16 MiB.
	MaxBytes int
	// MaxDepth is how deep objects and arrays may nest, from 1 to 10000.
	// Default: 64.
	MaxDepth int
}

// NewJSON returns the format with limits other than the default ones. The error
// names each field that is out of its range.
func NewJSON(options JSONOptions) (*JSON, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("wire format json: %w", err)
	}
	return &JSON{options}, nil
}

// maxDepth is encoding/json's own limit.
const maxDepth = 10000

func (o JSONOptions) validate() error {
	var faults []error
	if o.MaxBytes < 0 {
		faults = append(faults, errors.New("MaxBytes is negative"))
	}
	if o.MaxDepth < 0 || o.MaxDepth > maxDepth {
		faults = append(faults, fmt.Errorf("MaxDepth is %d: want 1 to %d, or 0 for the default", o.MaxDepth, maxDepth))
	}
	return errors.Join(faults...)
}

// Name returns "json".
func (*JSON) Name() string { return jsonName }

// MediaTypes returns application/json.
func (*JSON) MediaTypes() []string { return []string{typeJSON} }

// Shares implements [Sharer].
func (*JSON) Shares(Message) bool { return true }

// Encode returns the payload itself as a text frame, once it is checked. A
// content type of the message's own is kept when it is JSON, and refused when it
// is not; without one it is application/json.
func (j *JSON) Encode(_ context.Context, _ *profile.Profile, m Message, _ Target) (Frame, error) {
	if m.ContentType != "" && !isJSONType(m.ContentType) {
		return Frame{}, &Error{ErrEncode, jsonName, errors.New("the message's content type is not JSON: leave it empty, or choose the format raw")}
	}
	if _, err := j.read(m.Payload); err != nil {
		return Frame{}, &Error{ErrEncode, jsonName, err}
	}
	return Frame{ContentType: cmp.Or(m.ContentType, typeJSON), Text: true, Body: m.Payload}, nil
}

// Parse returns the frame's body itself as the payload, once it is checked, and
// a copy of its header as the metadata.
func (j *JSON) Parse(_ context.Context, _ *profile.Profile, f Frame) (Message, Receipt, error) {
	receipt, err := j.read(f.Body)
	if err != nil {
		return Message{}, Receipt{}, &Error{ErrParse, jsonName, err}
	}
	m := Message{ContentType: typeJSON, Text: true, Payload: f.Body, Metadata: transport.Metadata(maps.Clone(f.Header))}
	if isJSONType(f.ContentType) {
		m.ContentType = f.ContentType
	}
	return m, receipt, nil
}

// RecipientKeys returns an empty list: JSON in the clear is for nobody's keys.
func (*JSON) RecipientKeys(Frame) ([]string, error) { return []string{}, nil }

// read checks a payload and takes the decorators from it. Errors never repeat
// the payload.
func (j *JSON) read(payload []byte) (Receipt, error) {
	if limit := cmp.Or(j.options.MaxBytes, DefaultMaxJSONBytes); len(payload) > limit {
		return Receipt{}, fmt.Errorf("it has %d bytes: at most %d are allowed", len(payload), limit)
	}
	if err := strictjson.CheckObject(payload); err != nil {
		return Receipt{}, err
	}
	var found decorators
	err := strictjson.Members(payload, cmp.Or(j.options.MaxDepth, DefaultMaxJSONDepth), found.keep)
	if err != nil {
		return Receipt{}, err
	}
	return found.receipt()
}

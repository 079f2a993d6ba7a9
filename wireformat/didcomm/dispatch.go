package didcomm

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/outrider-go/outrider/internal/strictjson"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// Format is v1 or v2, by what a message is: ACA-Py's PackWireFormat. Make it with
// [New] or [NewACAPy].
type Format struct {
	name    string
	lenient bool
	v1      *V1
	v2      *V2
}

// New returns the format "didcomm".
func New(options Options) *Format { return newFormat(NameAny, options, false) }

// NewACAPy returns the format "didcomm/acapy", as lenient as ACA-Py: without a
// sender or recipients it sends in the clear, and what it cannot decrypt it reads
// as JSON. Who can do without it should.
func NewACAPy(options Options) *Format { return newFormat(NameACAPy, options, true) }

func newFormat(name string, options Options, lenient bool) *Format {
	return &Format{name, lenient, &V1{name: name}, newV2(name, options, false)}
}

// Name returns the format's name.
func (f *Format) Name() string { return f.name }

// MediaTypes returns application/jwe; those of v1 and v2 are of the formats that
// say which. The lenient format has none: it is chosen by name.
func (f *Format) MediaTypes() []string {
	if f.lenient {
		return nil
	}
	return []string{typeJWE}
}

// version of a message or an envelope.
type version int

const (
	unknown version = iota
	one
	two
)

// Shares implements [wireformat.Sharer].
func (*Format) Shares(wireformat.Message) bool { return true }

// Encode uses v1 for a message with @type or @id, and v2 for one with type or id.
func (f *Format) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	to = targetOf(p, to)
	if f.lenient && (to.Sender == "" || len(to.Recipients) == 0) {
		frame, err := (&wireformat.JSON{}).Encode(ctx, p, m, to)
		if err != nil {
			return wireformat.Frame{}, formatError(wireformat.ErrEncode, f.name, wireformat.Cause(err))
		}
		return frame, nil
	}
	kind, err := messageVersion(m.Payload)
	if err != nil {
		return wireformat.Frame{}, formatError(wireformat.ErrEncode, f.name, err)
	}
	if kind == two {
		return f.v2.Encode(ctx, p, m, to)
	}
	return f.v1.Encode(ctx, p, m, to)
}

// messageVersion tells by the members of a message in the clear.
func messageVersion(text []byte) (version, error) {
	members, err := parseOuter(text)
	if err != nil {
		return unknown, err
	}
	switch isOne, isTwo := members.Has("@type") || members.Has("@id"), members.Has("type") || members.Has("id"); {
	case isOne && isTwo:
		return unknown, errors.New("the message has members of DIDComm v1 (@type, @id) and of v2 (type, id): choose the format didcomm/v1 or didcomm/v2")
	case isOne:
		return one, nil
	case isTwo:
		return two, nil
	}
	return unknown, errors.New("the message is neither of DIDComm v1 (@type, @id) nor of v2 (type, id)")
}

// envelopeVersion tells by the typ of an envelope's protected header.
func envelopeVersion(body []byte) (version, error) {
	outer, err := parseOuter(body)
	if err != nil {
		return unknown, err
	}
	protected, err := outer.Text("protected")
	if err != nil || protected == "" {
		return unknown, errors.New("it is no envelope: protected is missing, or no text")
	}
	text, err := fromBase64(protected)
	if err != nil {
		return unknown, errors.New("protected is not base64url")
	}
	header, err := strictjson.ParseObject(text, maxDepth)
	if err != nil {
		return unknown, fmt.Errorf("the protected header: %w", err)
	}
	switch typ, err := header.Text("typ"); {
	case err != nil:
		return unknown, fmt.Errorf("the protected header: %w", err)
	case typ == v1Typ:
		return one, nil
	case isMediaType(typ, TypeEncrypted), typ == "" && outer.Has("recipients"):
		return two, nil
	}
	return unknown, errors.New("typ of the protected header is neither of DIDComm v1 nor of v2")
}

// Parse uses v1 or v2, by the envelope.
func (f *Format) Parse(ctx context.Context, p *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	kind, err := envelopeVersion(frame.Body)
	var m wireformat.Message
	var receipt wireformat.Receipt
	switch {
	case err != nil:
		err = formatError(wireformat.ErrParse, f.name, err)
	case kind == two:
		m, receipt, err = f.v2.Parse(ctx, p, frame)
	default:
		m, receipt, err = f.v1.Parse(ctx, p, frame)
	}
	if err == nil || !f.lenient {
		return m, receipt, err
	}
	m, receipt, plainErr := (&wireformat.JSON{}).Parse(ctx, p, frame)
	if plainErr != nil {
		return wireformat.Message{}, wireformat.Receipt{}, err
	}
	receipt.Format = f.name
	return m, receipt, nil
}

// RecipientKeys returns the keys that a frame is for, in the words of its version.
func (f *Format) RecipientKeys(frame wireformat.Frame) ([]string, error) {
	kind, err := envelopeVersion(frame.Body)
	if err != nil {
		return nil, formatError(wireformat.ErrRecipientKeys, f.name, err)
	}
	if kind == two {
		return f.v2.RecipientKeys(frame)
	}
	return f.v1.RecipientKeys(frame)
}

// Sniff reports an envelope of either version. The lenient format is never chosen
// by what a frame looks like.
func (f *Format) Sniff(frame wireformat.Frame) bool {
	if f.lenient || !bytes.Contains(frame.Body, []byte(`"protected"`)) || !bytes.Contains(frame.Body, []byte(`"ciphertext"`)) {
		return false
	}
	_, err := envelopeVersion(frame.Body)
	return err == nil
}

package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Defaults of [Options].
const (
	DefaultName       = "webhook"
	DefaultSecretName = "webhook"
	DefaultKeySetting = "webhook.keys"
)

// Options describe the wire format.
type Options struct {
	// Name is what messages call it. Default: "webhook".
	Name string
	// Inner makes the body. Default: wireformat.JSON.
	Inner wireformat.Format
	// SecretName is the profile's secret that holds the signing secrets. Default:
	// "webhook".
	SecretName string
	// KeySetting is the profile's setting that names Ed25519 keys of its security
	// module. Default: "webhook.keys".
	KeySetting string
	// Tolerance is how far the time of a message that is parsed may be from now.
	// Default: 5 minutes.
	Tolerance time.Duration
}

// Format is the wire format: what Inner makes, signed. It has no media type of its
// own; it knows its frames by the signature's header.
type Format struct{ options Options }

// New returns the format.
func New(options Options) (*Format, error) {
	options.Name = cmp.Or(options.Name, DefaultName)
	options.SecretName = cmp.Or(options.SecretName, DefaultSecretName)
	options.KeySetting = cmp.Or(options.KeySetting, DefaultKeySetting)
	options.Tolerance = cmp.Or(options.Tolerance, DefaultTolerance)
	if options.Inner == nil {
		options.Inner = &wireformat.JSON{}
	}
	var err error
	if options.Tolerance < 0 {
		err = errors.New("wire format webhook: Tolerance is negative")
	}
	if _, stamps := wireformat.As[wireformat.Stamper](options.Inner); stamps {
		err = errors.Join(err, fmt.Errorf("wire format webhook: Inner is %s, which changes each attempt itself: sign what it wraps", options.Inner.Name()))
	}
	if err != nil {
		return nil, err
	}
	return &Format{options}, nil
}

// Name returns the name of Options.
func (f *Format) Name() string { return f.options.Name }

// MediaTypes returns none: the content type is the payload's.
func (f *Format) MediaTypes() []string { return nil }

// Encode has Inner make the body, and sees to it that each attempt can be signed.
func (f *Format) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	for name := range m.Metadata {
		if lower := strings.ToLower(name); lower == HeaderID || lower == HeaderTimestamp || lower == HeaderSignature {
			return wireformat.Frame{}, f.fail(wireformat.ErrEncode, fmt.Errorf("metadata %q is set by the format: remove it", name))
		}
	}
	if _, err := f.keys(ctx, p); err != nil {
		return wireformat.Frame{}, f.fail(wireformat.ErrEncode, err)
	}
	frame, err := f.options.Inner.Encode(ctx, p, m, to)
	if err != nil {
		return wireformat.Frame{}, f.fail(wireformat.ErrEncode, wireformat.Cause(err))
	}
	header := map[string]string{HeaderID: m.ID.String()}
	maps.Copy(header, frame.Header)
	frame.Header = header
	return frame, nil
}

// Stamp adds the time of the attempt and the signatures.
func (f *Format) Stamp(ctx context.Context, p *profile.Profile, frame *wireformat.Frame, a wireformat.Attempt) error {
	keys, err := f.keys(ctx, p)
	if err != nil {
		return f.fail(wireformat.ErrEncode, err)
	}
	content, err := signedContent(a.ID.String(), a.At, frame.Body)
	if err != nil {
		return f.fail(wireformat.ErrEncode, err)
	}
	signatures, err := keys.sign(ctx, content)
	if err != nil {
		return f.fail(wireformat.ErrEncode, err)
	}
	frame.Header[HeaderID] = a.ID.String()
	frame.Header[HeaderTimestamp] = strconv.FormatInt(a.At.Unix(), 10)
	frame.Header[HeaderSignature] = signatures
	return nil
}

// Parse verifies a frame with the profile's own secrets and keys, and has Inner
// read it.
func (f *Format) Parse(ctx context.Context, p *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	fail := func(err error) (wireformat.Message, wireformat.Receipt, error) {
		return wireformat.Message{}, wireformat.Receipt{}, f.fail(wireformat.ErrParse, err)
	}
	keys, err := f.keys(ctx, p)
	if err != nil {
		return fail(err)
	}
	id := headerValue(frame.Header, HeaderID)
	verifier := Verifier{secrets: keys.all(), tolerance: f.options.Tolerance}
	if err := verifier.Verify(id, headerValue(frame.Header, HeaderTimestamp), headerValue(frame.Header, HeaderSignature), frame.Body); err != nil {
		return fail(err)
	}
	m, receipt, err := f.options.Inner.Parse(ctx, p, frame)
	if err != nil {
		return fail(wireformat.Cause(err))
	}
	receipt.Format, receipt.Signed, receipt.Authenticated, receipt.MessageID = f.options.Name, true, true, id
	if parsed, err := transport.ParseID(id); err == nil {
		m.ID = parsed
	}
	return m, receipt, nil
}

// Sniff reports a frame with a signature.
func (f *Format) Sniff(frame wireformat.Frame) bool {
	return headerValue(frame.Header, HeaderSignature) != "" && headerValue(frame.Header, HeaderID) != ""
}

func (f *Format) fail(kind, err error) error {
	return &wireformat.Error{Kind: kind, Format: f.options.Name, Err: err}
}

// headerValue finds a header, whose name may have any case.
func headerValue(header map[string]string, lower string) string {
	if value, ok := header[lower]; ok {
		return value
	}
	for name, value := range header {
		if strings.EqualFold(name, lower) {
			return value
		}
	}
	return ""
}

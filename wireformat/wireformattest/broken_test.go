package wireformattest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// fake is the raw format, with a hook around each method.
type fake struct {
	wireformat.Raw
	name       string
	mediaTypes func() []string
	encode     func(*wireformat.Message, *wireformat.Frame) error
	parse      func(*wireformat.Frame, *wireformat.Message, *wireformat.Receipt) error
	sniff      func(wireformat.Frame) bool
	stamp      func(*wireformat.Frame) error
	keys       func(wireformat.Frame) error
	shares     bool
}

func (f *fake) Name() string {
	if f.name != "" {
		return f.name
	}
	return f.Raw.Name()
}

func (f *fake) MediaTypes() []string {
	if f.mediaTypes != nil {
		return f.mediaTypes()
	}
	return f.Raw.MediaTypes()
}

func (f *fake) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	frame, err := f.Raw.Encode(ctx, p, m, to)
	if f.encode != nil && err == nil {
		err = f.encode(&m, &frame)
	}
	return frame, err
}

func (f *fake) Parse(ctx context.Context, p *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	m, receipt, err := f.Raw.Parse(ctx, p, frame)
	if f.parse != nil && err == nil {
		err = f.parse(&frame, &m, &receipt)
	}
	return m, receipt, err
}

func (f *fake) Shares(wireformat.Message) bool { return f.shares }

func (f *fake) Sniff(frame wireformat.Frame) bool { return f.sniff == nil || f.sniff(frame) }

func (f *fake) Stamp(_ context.Context, _ *profile.Profile, frame *wireformat.Frame, _ wireformat.Attempt) error {
	if f.stamp != nil {
		return f.stamp(frame)
	}
	frame.Header = map[string]string{"x-stamped": "1"}
	return nil
}

func (f *fake) RecipientKeys(frame wireformat.Frame) ([]string, error) {
	if f.keys != nil {
		return nil, f.keys(frame)
	}
	return nil, nil
}

// TestBrokenFormatsFail plants one fault at a time and asks for it to be found.
func TestBrokenFormatsFail(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	var kept atomic.Pointer[[]byte]
	types := []string{"application/octet-stream"}
	for _, test := range []struct {
		check string
		fault string
		f     *fake
	}{
		{"name and media types", "changing media types", &fake{mediaTypes: func() []string {
			return []string{fmt.Sprintf("a/b%d", calls.Add(1))}
		}}},
		{"name and media types", "shared media types", &fake{mediaTypes: func() []string { return types }}},
		{"registers", "bad name", &fake{name: "Bad Name"}},
		{"registers", "bad media types", &fake{mediaTypes: func() []string { return []string{"json"} }}},
		{"round trip", "encode fails", &fake{encode: func(*wireformat.Message, *wireformat.Frame) error {
			return errors.New("no")
		}}},
		{"round trip", "no content type", &fake{encode: func(_ *wireformat.Message, f *wireformat.Frame) error {
			f.ContentType = ""
			return nil
		}}},
		{"round trip", "loses a byte", &fake{encode: func(_ *wireformat.Message, f *wireformat.Frame) error {
			f.Body = f.Body[:len(f.Body)/2]
			return nil
		}}},
		{"round trip", "wrong receipt", &fake{name: "other"}},
		{"same input, same frame", "counts its calls", &fake{encode: func(_ *wireformat.Message, f *wireformat.Frame) error {
			f.Header = map[string]string{"x-call": fmt.Sprint(calls.Add(1))}
			return nil
		}}},
		{"many goroutines", "parse loses all", &fake{parse: func(_ *wireformat.Frame, m *wireformat.Message, _ *wireformat.Receipt) error {
			m.Payload = []byte("other")
			return nil
		}}},
		{"changes nothing it is given", "changes metadata", &fake{encode: func(m *wireformat.Message, _ *wireformat.Frame) error {
			m.Metadata["x-changed"] = "1"
			return nil
		}}},
		{"changes nothing it is given", "changes the payload", &fake{encode: func(m *wireformat.Message, _ *wireformat.Frame) error {
			clear(m.Payload)
			return nil
		}}},
		{"changes nothing it is given", "changes the frame", &fake{parse: func(f *wireformat.Frame, _ *wireformat.Message, _ *wireformat.Receipt) error {
			if len(f.Body) > 0 {
				f.Body[0] ^= 0xff
			}
			return nil
		}}},
		{"keeps nothing it is given", "header is metadata", &fake{encode: func(m *wireformat.Message, f *wireformat.Frame) error {
			f.Header = m.Metadata
			return nil
		}}},
		{"keeps nothing it is given", "metadata is header", &fake{parse: func(f *wireformat.Frame, m *wireformat.Message, _ *wireformat.Receipt) error {
			m.Metadata = f.Header
			return nil
		}}},
		{"keeps nothing it is given", "keeps the first payload", &fake{encode: func(m *wireformat.Message, f *wireformat.Frame) error {
			kept.CompareAndSwap(nil, &m.Payload)
			if earlier := *kept.Load(); len(earlier) == len(m.Payload) {
				f.Body = earlier
			}
			return nil
		}}},
		{"refused messages", "takes what it must refuse", &fake{}},
		{"refused messages", "error without its kind", &fake{encode: func(*wireformat.Message, *wireformat.Frame) error {
			return errors.New("no")
		}}},
		{"hostile frames", "repeats the payload", &fake{parse: func(f *wireformat.Frame, _ *wireformat.Message, _ *wireformat.Receipt) error {
			return &wireformat.Error{Kind: wireformat.ErrParse, Format: "raw", Err: fmt.Errorf("bad: %.100s", f.Body)}
		}}},
		{"hostile frames", "repeats a long payload", &fake{parse: func(f *wireformat.Frame, _ *wireformat.Message, _ *wireformat.Receipt) error {
			return &wireformat.Error{Kind: wireformat.ErrParse, Format: "raw", Err: errors.New(strings.Repeat("a", len(f.Body)))}
		}}},
		{"hostile frames", "names another format", &fake{parse: func(*wireformat.Frame, *wireformat.Message, *wireformat.Receipt) error {
			return &wireformat.Error{Kind: wireformat.ErrParse, Format: "other", Err: errors.New("no")}
		}}},
		{"frames cut short", "error of the wrong kind", &fake{parse: func(*wireformat.Frame, *wireformat.Message, *wireformat.Receipt) error {
			return &wireformat.Error{Kind: wireformat.ErrEncode, Format: "raw", Err: errors.New("no")}
		}}},
		{"recipient keys", "fails on its own frames", &fake{keys: func(wireformat.Frame) error { return errors.New("no") }}},
		{"recipient keys", "fails without the kind", &fake{keys: func(f wireformat.Frame) error {
			if len(f.ContentType) == 0 {
				return errors.New("no")
			}
			return nil
		}}},
		{"sniffs", "does not know itself", &fake{sniff: func(wireformat.Frame) bool { return false }}},
		{"stamps", "changes the body in place", &fake{stamp: func(f *wireformat.Frame) error {
			clear(f.Body)
			return nil
		}}},
		{"shares", "writes the message's id", &fake{shares: true, encode: func(m *wireformat.Message, f *wireformat.Frame) error {
			f.Header = map[string]string{"x-id": m.ID.String()}
			return nil
		}}},
		{"stamps", "fails", &fake{stamp: func(*wireformat.Frame) error { return errors.New("no") }}},
	} {
		t.Run(test.check+"/"+test.fault, func(t *testing.T) {
			t.Parallel()
			features := Features{Samples: AnySamples(), Refused: []Sample{Text("refused", Canary)}}.withDefaults()
			if err := runCheck(t, test.check, test.f, features); err == nil {
				t.Error("the suite did not find the fault")
			}
		})
	}
}

// TestSoundFormatPasses: without a fault planted, the fake passes every check.
func TestSoundFormatPasses(t *testing.T) {
	t.Parallel()
	Run(t, func(*testing.T) wireformat.Format { return &fake{} }, Features{Samples: AnySamples()})
}

func runCheck(t *testing.T, name string, f wireformat.Format, features Features) error {
	t.Helper()
	for _, c := range checks {
		if c.name == name {
			return c.run(t.Context(), f, features)
		}
	}
	t.Fatalf("there is no check %q", name)
	return nil
}

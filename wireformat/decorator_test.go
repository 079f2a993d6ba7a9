package wireformat_test

import (
	"context"
	"slices"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// tagging adds a letter to each body it encodes.
type tagging struct {
	wireformat.Format
	tag string
}

func (d tagging) Unwrap() wireformat.Format { return d.Format }

func (d tagging) Encode(ctx context.Context, p *profile.Profile, m wireformat.Message, to wireformat.Target) (wireformat.Frame, error) {
	frame, err := d.Format.Encode(ctx, p, m, to)
	frame.Body = append(slices.Clip(frame.Body), d.tag...)
	return frame, err
}

func (d tagging) Sniff(f wireformat.Frame) bool { return string(f.Body) == d.tag }

func tag(text string) wireformat.Decorator {
	return func(f wireformat.Format) wireformat.Format { return tagging{f, text} }
}

func TestDecorateAppliesTheFirstOutermost(t *testing.T) {
	t.Parallel()
	f := wireformat.Decorate(&wireformat.Raw{}, tag("a"), tag("b"))
	frame, err := f.Encode(t.Context(), profile.Default(), wireformat.Message{Payload: []byte("p")}, wireformat.Target{})
	if err != nil || string(frame.Body) != "pba" {
		t.Errorf("body is %q, %v; want pba", frame.Body, err)
	}
}

func TestAsFindsTheOutermost(t *testing.T) {
	t.Parallel()
	f := wireformat.Decorate(&wireformat.JSON{}, tag("a"), tag("b"))
	keys, ok := wireformat.As[wireformat.Recipienter](f)
	if !ok {
		t.Fatal("the wrapped format's ability is lost")
	}
	if found, err := keys.RecipientKeys(wireformat.Frame{}); err != nil || found == nil || len(found) != 0 {
		t.Errorf("recipient keys are %v, %v; want an empty list", found, err)
	}
	sniffer, ok := wireformat.As[wireformat.Sniffer](f)
	if !ok || !sniffer.Sniff(wireformat.Frame{Body: []byte("a")}) {
		t.Error("the outermost sniffer is not the one found")
	}
	if found, ok := wireformat.As[wireformat.Stamper](f); ok {
		t.Errorf("there is no stamper, and %v was found", found)
	}
	if found, ok := wireformat.As[wireformat.Sniffer](nil); ok {
		t.Errorf("nothing was asked, and %v was found", found)
	}
}

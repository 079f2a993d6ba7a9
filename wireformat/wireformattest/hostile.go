package wireformattest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/wireformat"
)

// longestCut is the longest frame, in bytes, that is cut at every offset: each
// cut is a whole parse.
const longestCut = 8 << 10

// hostileBodies are what a peer may send to do harm or by mistake.
func hostileBodies() [][]byte {
	return [][]byte{
		nil,
		{0},
		{0xff, 0xfe, 0xfd},
		[]byte(Canary),
		[]byte(`{"a":"` + Canary),
		[]byte(`{"a":"` + Canary + `"}{"a":1}`),
		[]byte(`{"` + Canary + `":1,"` + Canary + `":2}`),
		[]byte(`{"@type":["` + Canary + `"],"@id":{},"~thread":"` + Canary + `","~transport":[]}`),
		[]byte(`{"protected":"` + Canary + `","recipients":{},"iv":1,"ciphertext":null,"tag":""}`),
		bytes.Repeat([]byte("["), 100_000),
		[]byte(strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)),
		bytes.Repeat([]byte{0xdd}, 100_000),                    // msgpack: an array in an array
		{0xdd, 0xff, 0xff, 0xff, 0xff},                         // msgpack: 4 G elements
		{0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, // CBOR: 2^63 elements
		bytes.Repeat([]byte("a"), 10<<20),
		[]byte(`{"a":"` + strings.Repeat("a", 10<<20) + `"}`),
	}
}

// survivesHostileFrames asks for a value or an error; a panic fails the test by
// itself.
func survivesHostileFrames(ctx context.Context, f wireformat.Format, features Features) error {
	for _, body := range hostileBodies() {
		for _, frame := range []wireformat.Frame{
			{ContentType: strings.Join(f.MediaTypes()[:min(1, len(f.MediaTypes()))], ""), Body: body},
			{Text: true, Body: body},
		} {
			if err := parseAnything(ctx, f, features, frame); err != nil {
				return err
			}
		}
	}
	return nil
}

func survivesCutFrames(ctx context.Context, f wireformat.Format, features Features) error {
	for _, s := range features.Samples {
		whole, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		if len(whole.Body) > longestCut {
			continue
		}
		for end := range len(whole.Body) {
			cut := whole
			cut.Body = whole.Body[:end:end]
			if err := parseAnything(ctx, f, features, cut); err != nil {
				return fmt.Errorf("sample %q cut at byte %d: %w", s.Name, end, err)
			}
		}
	}
	return nil
}

func parseAnything(ctx context.Context, f wireformat.Format, features Features, frame wireformat.Frame) error {
	_, _, err := f.Parse(ctx, features.Profile, frame)
	if err == nil {
		return nil
	}
	return wellFormed(err, wireformat.ErrParse, f.Name())
}

func refuses(ctx context.Context, f wireformat.Format, features Features) error {
	for _, s := range features.Refused {
		_, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
		if err == nil {
			return fmt.Errorf("sample %q: Encode took what it must refuse", s.Name)
		}
		if err := wellFormed(err, wireformat.ErrEncode, f.Name()); err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
	}
	return nil
}

// wellFormed returns what is wrong with an error of a format.
func wellFormed(err, kind error, name string) error {
	var facts *wireformat.Error
	switch text := err.Error(); {
	case !errors.Is(err, kind):
		return fmt.Errorf("the error is not of the kind %q: %w", kind.Error(), err)
	case !errors.As(err, &facts):
		return fmt.Errorf("the error is no *wireformat.Error: %w", err)
	case facts.Format != name:
		return fmt.Errorf("the error names the format %q, want %q", facts.Format, name)
	case strings.Contains(text, Canary):
		return errors.New("the error repeats the payload")
	case len(text) > 1000:
		return fmt.Errorf("the error has %d bytes: it must not repeat the payload", len(text))
	}
	return nil
}

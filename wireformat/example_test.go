package wireformat_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/wireformat"
)

// lengthPrefixed is a wire format of one's own: the payload's length in four
// bytes, then the payload.
type lengthPrefixed struct{}

func (lengthPrefixed) Name() string         { return "length-prefixed" }
func (lengthPrefixed) MediaTypes() []string { return []string{"application/vnd.example.framed"} }

func (f lengthPrefixed) Encode(_ context.Context, _ *profile.Profile, m wireformat.Message, _ wireformat.Target) (wireformat.Frame, error) {
	body := binary.BigEndian.AppendUint32(nil, uint32(len(m.Payload)))
	return wireformat.Frame{ContentType: f.MediaTypes()[0], Body: append(body, m.Payload...)}, nil
}

func (f lengthPrefixed) Parse(_ context.Context, _ *profile.Profile, frame wireformat.Frame) (wireformat.Message, wireformat.Receipt, error) {
	if len(frame.Body) < 4 || int(binary.BigEndian.Uint32(frame.Body)) != len(frame.Body)-4 {
		return wireformat.Message{}, wireformat.Receipt{},
			&wireformat.Error{Kind: wireformat.ErrParse, Format: f.Name(), Err: errors.New("the length is not the body's")}
	}
	return wireformat.Message{Payload: frame.Body[4:]}, wireformat.Receipt{Format: f.Name()}, nil
}

// A format of one's own is registered beside the built-in ones, and found by its
// name to encode with, and by its media type to parse with.
func Example() {
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), lengthPrefixed{})...)
	if err != nil {
		log.Fatal(err)
	}
	ctx, tenant := context.Background(), profile.Default()

	f, err := formats.ByName("length-prefixed")
	if err != nil {
		log.Fatal(err)
	}
	frame, err := f.Encode(ctx, tenant, wireformat.Message{Payload: []byte("hello")}, wireformat.Target{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %q\n", frame.ContentType, frame.Body)

	f, err = formats.ForFrame(frame)
	if err != nil {
		log.Fatal(err)
	}
	message, receipt, err := f.Parse(ctx, tenant, frame)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s %q\n", receipt.Format, message.Payload)

	_, err = formats.ByName("cbor")
	fmt.Println(err)

	// Output:
	// application/vnd.example.framed "\x00\x00\x00\x05hello"
	// length-prefixed "hello"
	// unknown wire format "cbor": there are json, length-prefixed, raw
}

package wireformattest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

func namesItself(_ context.Context, f wireformat.Format, _ Features) error {
	name, types := f.Name(), f.MediaTypes()
	kept := slices.Clone(types)
	for i := range types {
		types[i] = "changed/by-caller"
	}
	switch again := f.MediaTypes(); {
	case f.Name() != name:
		return errors.New("the name changes from call to call")
	case !slices.Equal(again, kept):
		return errors.New("the media types change from call to call, or are the format's own slice: return a new one")
	}
	return nil
}

func registers(_ context.Context, f wireformat.Format, _ Features) error {
	registry, err := wireformat.NewRegistry(f)
	if err != nil {
		return err
	}
	if _, err := registry.ByName(f.Name()); err != nil {
		return err
	}
	for _, mediaType := range f.MediaTypes() {
		if _, err := registry.ByMediaType(mediaType + "; charset=utf-8"); err != nil {
			return err
		}
	}
	return nil
}

func roundTrip(ctx context.Context, f wireformat.Format, features Features) error {
	for _, s := range features.Samples {
		if err := trip(ctx, f, features, s.clone()); err != nil {
			return err
		}
	}
	return nil
}

// trip encodes and parses one sample.
func trip(ctx context.Context, f wireformat.Format, features Features, s Sample) error {
	frame, err := f.Encode(ctx, features.Profile, s.Message, s.Target)
	if err != nil {
		return fmt.Errorf("sample %q: Encode: %w", s.Name, err)
	}
	if frame.ContentType == "" {
		return fmt.Errorf("sample %q: Encode: the frame has no content type", s.Name)
	}
	if frame, err = stampedNow(ctx, f, features, s, frame); err != nil {
		return err
	}
	parsed, receipt, err := f.Parse(ctx, features.Profile, frame)
	switch {
	case err != nil:
		return fmt.Errorf("sample %q: Parse: %w", s.Name, err)
	case !bytes.Equal(parsed.Payload, s.Message.Payload):
		return fmt.Errorf("sample %q: %d bytes were encoded and %d other bytes parsed", s.Name, len(s.Message.Payload), len(parsed.Payload))
	case receipt.Format != f.Name():
		return fmt.Errorf("sample %q: the receipt names the format %q, want %q", s.Name, receipt.Format, f.Name())
	}
	return nil
}

func deterministic(ctx context.Context, f wireformat.Format, features Features) error {
	if features.Varies {
		return nil
	}
	for _, s := range features.Samples {
		first, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		for range 3 {
			again, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
			if err != nil {
				return fmt.Errorf("sample %q: %w", s.Name, err)
			}
			if !sameFrame(first, again) {
				return fmt.Errorf("sample %q gives another frame each time", s.Name)
			}
		}
	}
	return nil
}

func sameFrame(a, b wireformat.Frame) bool {
	return a.ContentType == b.ContentType && a.Text == b.Text &&
		bytes.Equal(a.Body, b.Body) && maps.Equal(a.Header, b.Header)
}

// concurrent is for the race detector too.
func concurrent(ctx context.Context, f wireformat.Format, features Features) error {
	const goroutines = 8
	errs := make([]error, goroutines)
	var group sync.WaitGroup
	for i := range goroutines {
		group.Go(func() {
			for j := range features.Samples {
				s := features.Samples[(i+j)%len(features.Samples)]
				errs[i] = errors.Join(errs[i], trip(ctx, f, features, s.clone()))
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

func changesNothing(ctx context.Context, f wireformat.Format, features Features) error {
	for _, s := range features.Samples {
		given, kept := s.clone(), s.clone()
		frame, err := f.Encode(ctx, features.Profile, given.Message, given.Target)
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		if !reflect.DeepEqual(given, kept) {
			return fmt.Errorf("sample %q: Encode changed the message or the target", s.Name)
		}
		if frame, err = stampedNow(ctx, f, features, s, frame); err != nil {
			return err
		}
		received := cloneFrame(frame)
		if _, _, err := f.Parse(ctx, features.Profile, received); err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		if !sameFrame(received, frame) {
			return fmt.Errorf("sample %q: Parse changed the frame", s.Name)
		}
	}
	return nil
}

// keepsNothing changes what a format was given, after the call, and looks
// whether the frame's header or a later call shows it. The frame's body may be
// the payload itself.
func keepsNothing(ctx context.Context, f wireformat.Format, features Features) error {
	for _, s := range features.Samples {
		given := s.clone()
		frame, err := f.Encode(ctx, features.Profile, given.Message, given.Target)
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		header := maps.Clone(frame.Header)
		scribble(given.Message.Payload, given.Message.Metadata)
		if !maps.Equal(header, frame.Header) {
			return fmt.Errorf("sample %q: the frame's header is the message's metadata: copy it", s.Name)
		}
		if err := trip(ctx, f, features, s.clone()); err != nil {
			return fmt.Errorf("a later call sees what an earlier one was given: %w", err)
		}
		if err := keepsNoFrame(ctx, f, features, s); err != nil {
			return err
		}
	}
	return nil
}

func keepsNoFrame(ctx context.Context, f wireformat.Format, features Features, s Sample) error {
	frame, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
	if err != nil {
		return fmt.Errorf("sample %q: %w", s.Name, err)
	}
	if frame, err = stampedNow(ctx, f, features, s, frame); err != nil {
		return err
	}
	if frame.Header == nil {
		frame.Header = map[string]string{}
	}
	frame.Header["x-before"] = "1"
	m, _, err := f.Parse(ctx, features.Profile, frame)
	if err != nil {
		return fmt.Errorf("sample %q with one more header: %w", s.Name, err)
	}
	metadata := m.Metadata.Clone()
	scribble(nil, frame.Header)
	if !maps.Equal(metadata, m.Metadata) {
		return fmt.Errorf("sample %q: the parsed metadata is the frame's header: copy it", s.Name)
	}
	return nil
}

func scribble(payload []byte, header map[string]string) {
	for i := range payload {
		payload[i] = 0xff
	}
	for name := range header {
		header[name] = "changed by caller"
	}
	if header != nil {
		header["x-added"] = "by caller"
	}
}

func cloneFrame(f wireformat.Frame) wireformat.Frame {
	f.Body, f.Header = slices.Clone(f.Body), maps.Clone(f.Header)
	return f
}

// eachFrame checks the frame of each sample.
func eachFrame(ctx context.Context, f wireformat.Format, features Features, check func(wireformat.Frame) error) error {
	for _, s := range features.Samples {
		frame, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
		if err == nil {
			frame, err = stampedNow(ctx, f, features, s, frame)
		}
		if err == nil {
			err = check(frame)
		}
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
	}
	return nil
}

func readsRecipientKeys(ctx context.Context, f wireformat.Format, features Features) error {
	keys, ok := wireformat.As[wireformat.Recipienter](f)
	if !ok {
		return nil
	}
	err := eachFrame(ctx, f, features, func(frame wireformat.Frame) error {
		_, err := keys.RecipientKeys(frame)
		return err
	})
	if err != nil {
		return err
	}
	for _, body := range hostileBodies() {
		if _, err := keys.RecipientKeys(wireformat.Frame{Body: body}); err != nil {
			if err := wellFormed(err, wireformat.ErrRecipientKeys, f.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func sniffs(ctx context.Context, f wireformat.Format, features Features) error {
	sniffer, ok := wireformat.As[wireformat.Sniffer](f)
	if !ok {
		return nil
	}
	err := eachFrame(ctx, f, features, func(frame wireformat.Frame) error {
		if frame.ContentType = ""; !sniffer.Sniff(frame) {
			return errors.New("Sniff does not recognise the format's own frame")
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, body := range hostileBodies() {
		sniffer.Sniff(wireformat.Frame{Body: body}) // may say what it likes, but return
	}
	return nil
}

// stampedNow returns the frame as an attempt of this moment sends it.
func stampedNow(ctx context.Context, f wireformat.Format, features Features, s Sample, frame wireformat.Frame) (wireformat.Frame, error) {
	stamper, ok := wireformat.As[wireformat.Stamper](f)
	if !ok {
		return frame, nil
	}
	frame.Header = maps.Clone(frame.Header)
	if frame.Header == nil {
		frame.Header = map[string]string{}
	}
	if err := stamper.Stamp(ctx, features.Profile, &frame, wireformat.Attempt{ID: s.Message.ID, Number: 1, At: time.Now()}); err != nil {
		return frame, fmt.Errorf("sample %q: Stamp: %w", s.Name, err)
	}
	return frame, nil
}

func stamps(ctx context.Context, f wireformat.Format, features Features) error {
	stamper, ok := wireformat.As[wireformat.Stamper](f)
	if !ok {
		return nil
	}
	for _, s := range features.Samples {
		frame, err := f.Encode(ctx, features.Profile, s.clone().Message, s.Target)
		if err != nil {
			return fmt.Errorf("sample %q: %w", s.Name, err)
		}
		stored := cloneFrame(frame)
		for number := 1; number <= 2; number++ {
			attempt := wireformat.Attempt{ID: s.Message.ID, Number: number, At: s.Message.ID.Time()}
			stamped := frame
			if stamped.Header = maps.Clone(frame.Header); stamped.Header == nil {
				stamped.Header = map[string]string{}
			}
			if err := stamper.Stamp(ctx, features.Profile, &stamped, attempt); err != nil {
				return fmt.Errorf("sample %q: Stamp of attempt %d: %w", s.Name, number, err)
			}
			if !bytes.Equal(stored.Body, frame.Body) {
				return fmt.Errorf("sample %q: Stamp changed the body in place, which every attempt shares", s.Name)
			}
		}
	}
	return nil
}

// shares checks that what a format says it encodes for others is good for them.
func shares(ctx context.Context, f wireformat.Format, features Features) error {
	sharer, ok := f.(wireformat.Sharer)
	if !ok {
		return nil
	}
	for _, s := range features.Samples {
		if !sharer.Shares(s.clone().Message) {
			continue
		}
		var read [2]wireformat.Message
		for i := range read {
			own := s.clone()
			own.Message.ID = transport.NewID(time.Unix(int64(1+i), 0))
			frame, err := f.Encode(ctx, features.Profile, own.Message, own.Target)
			if err == nil {
				read[i], _, err = f.Parse(ctx, features.Profile, frame)
			}
			if err != nil {
				return fmt.Errorf("sample %q: %w", s.Name, err)
			}
		}
		if !reflect.DeepEqual(read[0], read[1]) {
			return fmt.Errorf("sample %q: the message's id changes what is read, and Shares reports that it does not", s.Name)
		}
	}
	return nil
}

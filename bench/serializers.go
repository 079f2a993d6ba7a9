package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"
	"github.com/tinylib/msgp/msgp"

	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// bare is what a serializer is made of, as most would call it: without limits,
// without a check for names that come twice, and in any order where the library
// has none.
type bare struct {
	id     string
	encode func(v any) ([]byte, error)
	decode func(b []byte) (any, error)
	// What was promised of ours, as a part of its rate.
	encodes, decodes float64
}

func bareSerializers() []bare {
	return []bare{
		{serializer.JSONID, json.Marshal, func(b []byte) (v any, err error) {
			err = json.Unmarshal(b, &v)
			return v, err
		}, 1, 0.9},
		{serializer.CBORID, cbor.Marshal, func(b []byte) (v any, err error) {
			err = cbor.Unmarshal(b, &v)
			return v, err
		}, 0.8, 0.5},
		{serializer.MsgPackID, func(v any) ([]byte, error) { return msgp.AppendIntf(nil, v) }, func(b []byte) (any, error) {
			v, _, err := msgp.ReadIntfBytes(b)
			return v, err
		}, 0.35, 0.6},
	}
}

// order is a value like those that people publish, of some 700 bytes.
func order() any {
	items := make([]any, 8)
	for i := range items {
		items[i] = map[string]any{"sku": fmt.Sprintf("item-%d", i), "count": int64(i + 1), "price": 9.95 * float64(i), "gift": i%2 == 0}
	}
	return []any{int64(16), int64(239714735), map[string]any{"acknowledge": true}, "com.example.orders.placed", []any{
		map[string]any{"id": "01a229fa-51af-7a7c-80d7-413d1d6a6d36", "customer": "Zoë Müller", "items": items, "note": nil, "total": 281.5},
	}}
}

// benchSerializers compares each serializer with the library it is made of.
func benchSerializers(ctx context.Context, s settings, _ *sinkProcess) ([]figure, error) {
	ours, err := serializer.NewRegistry(serializer.Builtin()...)
	if err != nil {
		return nil, err
	}
	var figures []figure
	for _, library := range bareSerializers() {
		own, err := ours.ByID(library.id)
		if err != nil {
			return nil, err
		}
		both, err := compareSerializers(ctx, s, own, library)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", library.id, err)
		}
		figures = append(figures, both...)
	}
	fanOut, err := countEncodings(ours)
	return append(figures, fanOut), err
}

func compareSerializers(ctx context.Context, s settings, own serializer.Serializer, library bare) ([]figure, error) {
	value := order()
	encoded, err := own.Serialize(nil, value)
	if err != nil {
		return nil, err
	}
	encode := func() error { _, err := own.Serialize(nil, value); return err }
	decode := func() error { _, err := own.Unserialize(encoded); return err }
	encodes, encodesTwice, err := alternate(ctx, s, encode, func() error { _, err := library.encode(value); return err })
	if err != nil {
		return nil, err
	}
	decodes, decodesTwice, err := alternate(ctx, s, decode, func() error { _, err := library.decode(encoded); return err })
	if err != nil {
		return nil, err
	}
	return []figure{
		atLeastRatio(library.id+" written per second, of the bare library", encodes, library.encodes, encodesTwice),
		atLeastRatio(library.id+" read per second, of the bare library", decodes, library.decodes, decodesTwice),
	}, nil
}

// alternate measures two functions in slices that alternate. It returns the paired
// ratios of their rates, and how far the second is from itself.
func alternate(ctx context.Context, s settings, ours, theirs func() error) (ratios []float64, sameTwice float64, err error) {
	const calls = 400
	rate := func(f func() error) float64 {
		began := time.Now()
		for range calls {
			if e := f(); e != nil {
				err = e
			}
		}
		return calls / time.Since(began).Seconds()
	}
	rate(ours) // to warm up
	var own, first, second []float64
	for range s.rounds {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		first = append(first, rate(theirs))
		own = append(own, rate(ours))
		second = append(second, rate(theirs))
	}
	return paired(own, first), median(paired(second, first)), err
}

// countedMessage counts how often it is encoded.
type countedMessage struct {
	wamp.Event
	lists int
}

// List implements [wamp.Message].
func (m *countedMessage) List() []any {
	m.lists++
	return m.Event.List()
}

// countEncodings sends an event to 300 peers with three serializers.
func countEncodings(ours *serializer.Registry) (figure, error) {
	m := &countedMessage{Event: wamp.Event{Subscription: 1, Publication: 2, Payload: wamp.Payload{Args: []any{order()}}}}
	cached := wamp.Cache(m)
	var all []*wamp.Serializer
	for _, library := range bareSerializers() {
		wire, err := ours.ByID(library.id)
		if err != nil {
			return figure{}, err
		}
		s, err := wamp.NewSerializer(wire, wamp.SerializerOptions{})
		if err != nil {
			return figure{}, err
		}
		all = append(all, s)
	}
	for i := range 300 {
		if _, _, err := cached.Serialize(all[i%len(all)]); err != nil {
			return figure{}, err
		}
	}
	return atMost("encodings of an event for 300 peers with 3 serializers", float64(m.lists), "", float64(len(all))), nil
}

package verbatim_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"testing"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
)

func TestMessageIsExactlyItsBytes(t *testing.T) {
	t.Parallel()
	for _, body := range everyType {
		want := encodeMessage(t, full(body))
		got, err := verbatim.Message(want).MarshalBinary()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("a body of %s: go-amqp made %x, %v; want %x", body.Type(), got, err, want)
		}
	}
}

func TestMessageRefusesWhatItCannotSend(t *testing.T) {
	t.Parallel()
	encoded := []byte{0x00, 0x53, 0x77, 0x40}
	for name, change := range map[string]func(m *amqp.Message){
		"header":      func(m *amqp.Message) { m.Header = &amqp.MessageHeader{} },
		"annotations": func(m *amqp.Message) { m.Annotations = amqp.Annotations{} },
		"properties":  func(m *amqp.Message) { m.Properties = &amqp.MessageProperties{} },
		"data":        func(m *amqp.Message) { m.Data = [][]byte{{1}} },
		"no bytes":    func(m *amqp.Message) { *m = *verbatim.Message(nil) },
	} {
		m := verbatim.Message(encoded)
		change(m)
		if _, err := m.MarshalBinary(); !errors.Is(err, verbatim.ErrMessage) {
			t.Errorf("%s: %v, want ErrMessage", name, err)
		}
	}
}

// TestValueGoesAnywhere looks at each place of a message that takes an any.
func TestValueGoesAnywhere(t *testing.T) {
	t.Parallel()
	for _, v := range everyType {
		raw, err := verbatim.Value(v)
		if err != nil {
			t.Fatal(err)
		}
		encoded, err := (&amqp.Message{
			Annotations:           amqp.Annotations{"a": raw},
			DeliveryAnnotations:   amqp.Annotations{"d": []any{raw}},
			ApplicationProperties: map[string]any{"p": raw},
			Footer:                amqp.Annotations{"f": map[string]any{"m": raw}},
			Sequence:              [][]any{{raw, raw}},
		}).MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		got, err := message.Decode(encoded, value.Limits{})
		want := &message.Message{
			DeliveryAnnotations:   value.Map{{Key: value.Symbol("d"), Value: value.List{v}}},
			MessageAnnotations:    value.Map{{Key: value.Symbol("a"), Value: v}},
			ApplicationProperties: value.Map{{Key: value.String("p"), Value: v}},
			Sequences:             []value.List{{v, v}},
			Footer:                value.Map{{Key: value.Symbol("f"), Value: value.Map{{Key: value.String("m"), Value: v}}}},
		}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", v.Type(), got, err, want)
		}
	}
}

// TestValueGolden pins the bytes, for who reads the test after an upgrade.
func TestValueGolden(t *testing.T) {
	t.Parallel()
	raw, err := verbatim.Value(value.Described{Descriptor: value.Symbol("x"), Value: value.Char('c')})
	if err != nil {
		t.Fatal(err)
	}
	m := &amqp.Message{Value: []any{raw, int32(1)}, Properties: &amqp.MessageProperties{MessageID: verbatim.Encoded([]byte{0x53, 0x05})}}
	encoded, err := m.MarshalBinary()
	const want = "005373d00000000600000001" + "5305" + "005377d00000000f00000002" + "00a301787300000063" + "5401"
	if err != nil || hex.EncodeToString(encoded) != want {
		t.Errorf("got  %x, %v\nwant %s", encoded, err, want)
	}
	if _, err := verbatim.Value(value.String("\xff")); !errors.Is(err, value.ErrInvalid) {
		t.Errorf("an invalid value: %v, want ErrInvalid", err)
	}
}

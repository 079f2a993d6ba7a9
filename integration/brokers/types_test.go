//go:build unix

package brokers

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/wireformat"
	"github.com/outrider-go/outrider/wireformat/amqpjson"
)

// composite is a document of every kind, with nothing abbreviated in full.
type composite struct {
	JSON, Full json.RawMessage
	AMQP       string
}

func composites(t *testing.T) []composite {
	t.Helper()
	text, err := os.ReadFile("../../wireformat/amqpjson/testdata/proton.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []composite
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// manner is how a peer wants messages.
type manner struct {
	format uint32
	// wrap and unwrap put the value into a body that the peer can carry.
	wrap, unwrap func(value.Value) value.Value
	// loses says whether the peer is known not to give a value back as it was.
	loses func(value.Value) bool
}

// testComposites takes each document through the wire format and a queue of the
// peer, and back.
func testComposites(t *testing.T, q *node, as manner) {
	t.Helper()
	full, err := amqpjson.New(amqpjson.Options{Full: true})
	if err != nil {
		t.Fatal(err)
	}
	passed := 0
	for _, c := range composites(t) {
		frame, err := full.Encode(t.Context(), profile.Default(), wireformat.Message{Payload: c.JSON}, wireformat.Target{})
		if err != nil || hex.EncodeToString(frame.Body) != c.AMQP {
			t.Fatalf("%s: %x, %v; want %s", c.JSON, frame.Body, err, c.AMQP)
		}
		body, err := value.Decode(frame.Body)
		if err != nil {
			t.Fatal(err)
		}
		if as.loses != nil && as.loses(body) {
			continue
		}
		if as.wrap != nil {
			body = as.wrap(body)
		}
		sent := &message.Message{Properties: &message.Properties{MessageID: value.ULong(1)}, Value: body}
		received := passMessage(t, q, sent, as.format)
		if received == nil {
			t.Fatalf("%s did not come back", c.JSON)
		}
		if as.unwrap != nil {
			received.Value = as.unwrap(received.Value)
		}
		encoded, err := value.Encode(received.Value)
		if err != nil {
			t.Fatal(err)
		}
		m, _, err := full.Parse(t.Context(), profile.Default(), wireformat.Frame{ContentType: value.MediaType, Body: encoded})
		if err != nil || !sameJSON(t, m.Payload, c.Full) {
			t.Errorf("%s came back as %s, %v; want %s", c.JSON, m.Payload, err, c.Full)
		}
		passed++
	}
	if t.Logf("%d documents came back", passed); passed == 0 {
		t.Error("nothing was tried")
	}
}

func passMessage(t *testing.T, q *node, m *message.Message, format uint32) *message.Message {
	t.Helper()
	encoded, err := message.Encode(m, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	payload := q.pass(encoded, format)
	if payload == nil {
		return nil
	}
	received, err := message.Decode(payload, value.Limits{})
	if err != nil {
		t.Fatalf("%x: %v", payload, err)
	}
	return received
}

// everywhere is a message with values of every type in each place there is.
func everywhere() *message.Message {
	scalars := value.List{
		value.Bool(true), value.UByte(1), value.UShort(2), value.UInt(300), value.ULong(1 << 40),
		value.Byte(-1), value.Short(-2), value.Int(-300), value.Long(-1 << 40), value.Float(1.5), value.Double(2.5),
		value.Decimal32{1, 2, 3, 4}, value.Decimal64{5}, value.Decimal128{15: 6}, value.Char('é'),
		value.Timestamp(1311704463521), value.UUID{7}, value.Binary{0, 255}, value.String("é"), value.Symbol("amqp:ok"),
	}
	properties := value.Map{}
	for _, v := range scalars {
		properties = append(properties, value.Pair{Key: value.String(v.Type().String()), Value: v})
	}
	text, sequence := "text", uint32(5)
	return &message.Message{
		Header:             &message.Header{Durable: true},
		MessageAnnotations: value.Map{{Key: value.Symbol("x-opt-all"), Value: append(scalars, value.Map{{Key: value.Symbol("k"), Value: value.List{}}})}, {Key: value.Symbol("x-opt-b"), Value: value.Int(1)}},
		Properties: &message.Properties{
			MessageID: value.UUID{1}, To: &text, Subject: &text, ReplyTo: &text, CorrelationID: value.Binary("c"),
			ContentType: &text, GroupID: &text, GroupSequence: &sequence,
		},
		ApplicationProperties: properties,
		Value:                 value.Described{Descriptor: value.Symbol("outrider:all"), Value: scalars},
	}
}

// testEverywhere wants all of a message back but what the peer may change: the
// header, and the order of maps.
func testEverywhere(t *testing.T, q *node) {
	t.Helper()
	sent := everywhere()
	received := passMessage(t, q, sent, 0)
	if received == nil {
		t.FailNow()
	}
	for name, pair := range map[string][2]value.Map{
		"message annotations":    {sent.MessageAnnotations, received.MessageAnnotations},
		"application properties": {sent.ApplicationProperties, received.ApplicationProperties},
	} {
		for _, want := range pair[0] {
			if v, ok := pair[1].Get(want.Key); !ok || !value.Equal(v, want.Value) {
				t.Errorf("%s: %v became %#v", name, want.Key, v)
			}
		}
	}
	if !reflect.DeepEqual(received.Properties, sent.Properties) {
		t.Errorf("properties became %+v", received.Properties)
	}
	if !value.Equal(received.Value, sent.Value) {
		t.Errorf("the body became %#v", received.Value)
	}
}

// testVerbatim wants exactly the bytes back, in one transfer and in several.
func testVerbatim(t *testing.T, q *node, format uint32) {
	t.Helper()
	m := everywhere()
	for _, size := range []int{0, 200_000} {
		m.Value = value.List{m.Value, value.Binary(make([]byte, size))}
		m.MessageAnnotations = append(m.MessageAnnotations, value.Pair{Key: value.ULong(uint64(size)), Value: value.Char('u')})
		m.Footer = value.Map{{Key: value.Symbol("f"), Value: value.Decimal64{1}}}
		encoded, err := message.Encode(m, value.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if got := q.pass(encoded, format); !bytes.Equal(got, encoded) {
			t.Errorf("%d bytes became %d others", len(encoded), len(got))
		}
	}
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Error(err)
		return false
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Error(err)
		return false
	}
	return reflect.DeepEqual(x, y)
}

// contains says whether something is true of a value or of any within it.
func contains(v value.Value, is func(value.Value) bool) bool {
	if is(v) {
		return true
	}
	within := func(v value.Value) bool { return contains(v, is) }
	switch v := v.(type) {
	case value.Array:
		return slices.ContainsFunc(v.Elements, within)
	case value.Described:
		return within(v.Descriptor) || within(v.Value)
	case value.List:
		return slices.ContainsFunc(v, within)
	case value.Map:
		return slices.ContainsFunc(v, func(pair value.Pair) bool { return within(pair.Key) || within(pair.Value) })
	}
	return false
}

func inList(v value.Value) value.Value { return value.List{v} }

func outOfList(v value.Value) value.Value {
	if list, ok := v.(value.List); ok && len(list) == 1 {
		return list[0]
	}
	return v
}

func inDescribed(v value.Value) value.Value {
	return value.Described{Descriptor: value.Symbol("outrider:body"), Value: inList(v)}
}

func outOfDescribed(v value.Value) value.Value {
	if described, ok := v.(value.Described); ok {
		return outOfList(described.Value)
	}
	return v
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

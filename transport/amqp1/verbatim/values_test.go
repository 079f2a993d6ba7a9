package verbatim_test

import (
	"testing"

	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// everyType are values of each type, and of what go-amqp cannot carry.
var everyType = []value.Value{
	value.Null{}, value.Bool(true),
	value.UByte(1), value.UShort(2), value.UInt(300), value.ULong(1 << 40),
	value.Byte(-1), value.Short(-2), value.Int(-300), value.Long(-1 << 40),
	value.Float(1.5), value.Double(2.5),
	value.Decimal32{1, 2, 3, 4}, value.Decimal64{5}, value.Decimal128{15: 6},
	value.Char('é'), value.Timestamp(1311704463521), value.UUID{7},
	value.Binary{0, 255}, value.String("é"), value.Symbol("amqp:ok"),
	value.List{value.Int(1), value.Char('c'), value.List{}},
	value.Map{{Key: value.Symbol("z"), Value: value.Decimal32{}}, {Key: value.Int(1), Value: value.Null{}}, {Key: value.String("a"), Value: value.Map{}}},
	value.Array{Of: value.TypeUByte, Elements: []value.Value{value.UByte(1), value.UByte(2)}},
	value.Array{Of: value.TypeDecimal64, Elements: []value.Value{value.Decimal64{1}}},
	value.Array{Of: value.TypeList, Elements: []value.Value{value.List{value.Int(1)}, value.List{}}},
	value.Array{Of: value.TypeArray, Elements: []value.Value{value.Array{Of: value.TypeInt, Elements: []value.Value{value.Int(1)}}}},
	value.Array{Of: value.TypeInt, Descriptors: []value.Value{value.Symbol("a:b")}, Elements: []value.Value{value.Int(1)}},
	value.Described{Descriptor: value.Symbol("a:b"), Value: value.List{value.Char('x')}},
	// Descriptors that go-amqp takes for its own.
	value.Described{Descriptor: value.ULong(0x24), Value: value.List{}},
	value.Described{Descriptor: value.ULong(0x14), Value: value.String("no transfer")},
	value.Described{Descriptor: value.ULong(0x75), Value: value.Binary("no data")},
}

// full is a message with each of its sections, and with values that go-amqp
// cannot carry in each.
func full(body value.Value) *message.Message {
	text, priority, ttl := "text", uint8(9), uint32(1000)
	return &message.Message{
		Header:              &message.Header{Durable: true, Priority: &priority, TTL: &ttl, DeliveryCount: 3},
		DeliveryAnnotations: value.Map{{Key: value.Symbol("d"), Value: value.Char('d')}},
		MessageAnnotations: value.Map{
			{Key: value.ULong(7), Value: value.Decimal128{1}},
			{Key: value.Symbol("z"), Value: value.List(everyType)},
			{Key: value.Symbol("a"), Value: value.Int(1)},
		},
		Properties: &message.Properties{
			MessageID: value.UUID{1}, UserID: value.Binary("user"), To: &text, Subject: &text, ReplyTo: &text,
			CorrelationID: value.ULong(5), ContentType: &text, GroupID: &text,
		},
		ApplicationProperties: value.Map{
			{Key: value.String("symbol"), Value: value.Symbol("s")},
			{Key: value.String("decimal"), Value: value.Decimal64{1}},
			{Key: value.String("char"), Value: value.Char('c')},
		},
		Value:  body,
		Footer: value.Map{{Key: value.Symbol("f"), Value: value.Decimal32{9}}},
	}
}

func encodeMessage(t testing.TB, m *message.Message) []byte {
	t.Helper()
	encoded, err := message.Encode(m, value.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

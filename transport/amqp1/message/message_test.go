package message

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// messageTests are messages and their encoding, put together by hand from part 3
// of the specification.
var messageTests = []struct {
	name string
	m    Message
	hex  string
}{
	{"nothing", Message{}, ""},
	{"data", Message{Data: [][]byte{{1, 2}}}, "005375a0020102"},
	{"two data", Message{Data: [][]byte{{1}, {}}}, "005375a00101" + "005375a000"},
	{"value", Message{Value: value.Null{}}, "00537740"},
	{"value of chars", Message{Value: value.List{value.Char('c')}}, "005377d00000000900000001" + "7300000063"},
	{"sequences", Message{Sequences: []value.List{{value.Int(1)}, {}}}, "005376d00000000600000001" + "5401" + "00537645"},
	{"header", Message{Header: &Header{Durable: true}}, "005370d00000000500000001" + "41"},
	{
		"whole header", Message{Header: &Header{Priority: new(uint8(0)), TTL: new(uint32(300)), FirstAcquirer: true, DeliveryCount: 2}},
		"005370d00000000f00000005" + "42" + "5000" + "700000012c" + "41" + "5202",
	},
	{"no properties", Message{Properties: &Properties{}}, "00537345"},
	{
		"properties", Message{Properties: &Properties{MessageID: value.ULong(5), UserID: value.Binary{}, To: new("q")}},
		"005373d00000000b00000003" + "5305" + "a000" + "a10171",
	},
	{
		"all properties", Message{Properties: &Properties{
			MessageID: value.String("m"), UserID: value.Binary("u"), To: new("t"), Subject: new("s"), ReplyTo: new(""),
			CorrelationID: value.Binary("c"), ContentType: new("a/b"), ContentEncoding: new("gzip"),
			AbsoluteExpiryTime: new(time.UnixMilli(1).UTC()), CreationTime: new(time.UnixMilli(-1).UTC()),
			GroupID: new("g"), GroupSequence: new(uint32(1)), ReplyToGroupID: new("r"),
		}},
		"005373d00000003a0000000d" + "a1016d" + "a00175" + "a10174" + "a10173" + "a100" + "a00163" + "a303612f62" + "a304677a6970" +
			"830000000000000001" + "83ffffffffffffffff" + "a10167" + "5201" + "a10172",
	},
	{
		"annotations", Message{
			DeliveryAnnotations:   value.Map{{Key: value.Symbol("d"), Value: value.Int(1)}},
			MessageAnnotations:    value.Map{{Key: value.ULong(1), Value: value.Decimal32{1}}},
			ApplicationProperties: value.Map{{Key: value.String("z"), Value: value.Null{}}, {Key: value.String("a"), Value: value.Symbol("s")}},
			Data:                  [][]byte{{}},
			Footer:                value.Map{},
		},
		"005371d10000000900000002" + "a30164" + "5401" + "005372d10000000b00000002" + "5301" + "7401000000" +
			"005374d10000000e00000004" + "a1017a" + "40" + "a10161" + "a30173" + "005375a000" + "005378d10000000400000000",
	},
}

func TestCodec(t *testing.T) {
	t.Parallel()
	for _, test := range messageTests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			encoded, err := Encode(&test.m, value.Limits{})
			if got := hex.EncodeToString(encoded); err != nil || got != test.hex {
				t.Errorf("encoded to\n%s, %v; want\n%s", got, err, test.hex)
			}
			m, err := Decode(unhex(t, test.hex), value.Limits{})
			if err != nil || !reflect.DeepEqual(m, &test.m) {
				t.Errorf("decoded to %+v, %v; want %+v", m, err, test.m)
			}
		})
	}
}

func TestDecodeTakesWhatPeersSend(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, hex string
		want      Message
	}{
		{"symbolic descriptors", "00a310616d71703a6865616465723a6c697374" + "45" + "00a310616d71703a646174613a62696e617279" + "a00101", Message{Header: &Header{}, Data: [][]byte{{1}}}},
		{"long descriptors", "00800000000000000077" + "41", Message{Value: value.Bool(true)}},
		{"null sections", "00537040" + "00537240" + "00537340" + "00537740" + "00537840", Message{Value: value.Null{}}},
		{"nulls at the end", "005370c0060542404040" + "40", Message{Header: &Header{}}},
		{"content type as a string", "005373c01007404040404040a107612f622f632f64", Message{Properties: &Properties{ContentType: new("a/b/c/d")}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, err := Decode(unhex(t, test.hex), value.Limits{})
			if err != nil || !reflect.DeepEqual(m, &test.want) {
				t.Errorf("decoded to %+v, %v; want %+v", m, err, test.want)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, hex, want string }{
		{"no section", "40", "a section is a null"},
		{"unknown section", "00536f45", "there is no such section"},
		{"unknown symbol", "00a3016145", "there is no such section"},
		{"descriptor of another type", "004140", "there is no such section"},
		{"cut", "005375a00201", "it is cut short"},
		{"header twice", "00537045" + "00537045", "section header follows section header"},
		{"order", "005375a000" + "00537045", "section header follows section data"},
		{"two values", "00537740" + "00537740", "section amqp-value follows section amqp-value"},
		{"two kinds of body", "005375a000" + "00537645", "section amqp-sequence follows section data"},
		{"header of another type", "005370c10100", "section header: malformed AMQP value: it is a map, want a list"},
		{"header too long", "005370c00706424040404040", "it has 6 fields, of which there are 5"},
		{"durable", "005370c0030153" + "01", "durable: malformed AMQP value: it is a ulong, want a boolean"},
		{"ttl", "005370c0050342405301", "ttl: malformed AMQP value: it is a ulong, want a uint"},
		{"data of another type", "005375a100", "section data: malformed AMQP value: it is a string, want a binary"},
		{"no data", "00537540", "section data: malformed AMQP value: it is a null, want a binary"},
		{"sequence of another type", "005376a100", "it is a string, want a list"},
		{"annotations of another type", "00537245", "section message-annotations: malformed AMQP value: it is a list, want a map"},
		{"message id", "005373c0020141", "message-id: malformed AMQP value: it is a boolean"},
		{"subject", "005373c00704404040a30161", "subject: malformed AMQP value: it is a symbol, want a string"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m, err := Decode(unhex(t, test.hex), value.Limits{})
			if !errors.Is(err, value.ErrMalformed) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("decoded to %+v, %v; want %q", m, err, test.want)
			}
		})
	}
	if _, err := Decode(unhex(t, "005377d00000000800000004"+"40404040"), value.Limits{MaxValues: 3}); !errors.Is(err, value.ErrLimit) {
		t.Errorf("too many values: %v, want ErrLimit", err)
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		m    Message
		want string
	}{
		{"two bodies", Message{Data: [][]byte{{}}, Value: value.Null{}}, "a body has two of data, sequences and value"},
		{"message id", Message{Properties: &Properties{MessageID: value.Symbol("a")}}, "message-id is a symbol"},
		{"correlation id", Message{Properties: &Properties{CorrelationID: value.Long(1)}}, "correlation-id is a long"},
		{"content type", Message{Properties: &Properties{ContentType: new("é")}}, "section properties: invalid AMQP value: a symbol is not ASCII"},
		{"annotation", Message{MessageAnnotations: value.Map{{Key: nil, Value: value.String("\xff")}}}, "section message-annotations: invalid"},
		{"body", Message{Value: value.String("\xff")}, "section amqp-value: invalid"},
	} {
		encoded, err := Encode(&test.m, value.Limits{})
		if encoded != nil || !errors.Is(err, value.ErrInvalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %x, %v; want %q", test.name, encoded, err, test.want)
		}
	}
}

// FuzzDecode: what is decoded encodes, and decodes to the same message.
func FuzzDecode(f *testing.F) {
	for _, test := range messageTests {
		f.Add(unhex(f, test.hex))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := Decode(data, value.Limits{})
		if err != nil {
			if !errors.Is(err, value.ErrMalformed) && !errors.Is(err, value.ErrLimit) {
				t.Fatal(err)
			}
			return
		}
		limits := value.Limits{MaxBytes: 1 << 30}
		encoded, err := Encode(m, limits)
		if err != nil {
			t.Fatalf("what was decoded does not encode: %v", err)
		}
		again, err := Decode(encoded, limits)
		if err != nil {
			t.Fatalf("what was encoded does not decode: %v", err)
		}
		if twice, err := Encode(again, limits); err != nil || string(twice) != string(encoded) {
			t.Fatalf("%+v became %+v, %v", m, again, err)
		}
	})
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

package verbatim

import (
	"bytes"
	"errors"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// ErrMessage says that a message of [Message] was changed, or is empty.
var ErrMessage = errors.New("cannot send an encoded message")

// Value returns what go-amqp encodes as v where it takes an any: as
// amqp.Message.Value, in its maps and lists, as an id. A key of
// amqp.Annotations it cannot be.
func Value(v value.Value) (any, error) {
	encoded, err := value.Encode(v)
	if err != nil {
		return nil, err
	}
	return Encoded(encoded), nil
}

// Encoded is [Value] for a value that is encoded already. Nobody looks whether
// it is one.
func Encoded(value []byte) any { return rawOf(amqp.Null{}.Marshal, value) }

// Message returns a message that go-amqp sends as exactly the encoded bytes,
// which are sections of an AMQP message. Only its Format and its DeliveryTag may
// be changed: what else is set makes sending it an error, and so does a message
// of no bytes, for which go-amqp would send nothing and wait for ever.
func Message(encoded []byte) *amqp.Message {
	return &amqp.Message{Value: wholeOf(amqp.Null{}.Marshal, encoded)}
}

// buffer is what we need of go-amqp's internal buffer.
type buffer interface {
	Append(data []byte)
	Bytes() []byte
	Reset()
}

// raw encodes itself as the bytes it is. The type of its method's argument is
// what go-amqp's encoder looks for.
type raw[B buffer] []byte

func (r raw[B]) Marshal(b B) error {
	b.Append(r)
	return nil
}

// rawOf takes the type of the buffer from a method of go-amqp's.
func rawOf[B buffer](_ func(B) error, encoded []byte) any { return raw[B](encoded) }

// whole takes the place of a message that has a value and nothing else: what was
// written before is the head of the value's section.
type whole[B buffer] []byte

var valueSection = []byte{0x00, 0x53, 0x77}

func (w whole[B]) Marshal(b B) error {
	if len(w) == 0 || !bytes.Equal(b.Bytes(), valueSection) {
		return ErrMessage
	}
	b.Reset()
	b.Append(w)
	return nil
}

func wholeOf[B buffer](_ func(B) error, encoded []byte) any { return whole[B](encoded) }

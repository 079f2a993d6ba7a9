package verbatim_test

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"testing"

	"github.com/outrider-go/outrider/transport/amqp1/value"
)

// echo is a peer that takes one message, and sends what it got to the receiver
// that attaches next, in transfers of at most chunk bytes.
type echo struct {
	t     testing.TB
	conn  net.Conn
	in    *bufio.Reader
	chunk int
	body  []byte // what arrived
}

// Performatives by their descriptors (part 2, section 2.7).
const (
	perfOpen        = 0x10
	perfBegin       = 0x11
	perfAttach      = 0x12
	perfFlow        = 0x13
	perfTransfer    = 0x14
	perfDisposition = 0x15
	perfClose       = 0x18
)

func (e *echo) serve() {
	defer e.conn.Close()
	header := make([]byte, 8)
	if _, err := io.ReadFull(e.in, header); err != nil {
		return
	}
	e.write(header)
	for {
		performative, fields, payload, err := e.read()
		if err != nil {
			return
		}
		switch performative {
		case perfOpen:
			e.send(perfOpen, value.List{value.String("echo"), nil, value.UInt(1 << 16)}, nil)
		case perfBegin:
			e.send(perfBegin, value.List{value.UShort(0), value.UInt(0), value.UInt(5000), value.UInt(5000)}, nil)
		case perfAttach:
			e.attach(fields)
		case perfFlow:
			e.deliver(fields)
		case perfTransfer:
			e.take(fields, payload)
		case perfClose:
			e.send(perfClose, value.List{}, nil)
			return
		}
	}
}

// attach answers with the other role, and gives a sender credit.
func (e *echo) attach(fields value.List) {
	name, handle, receiver := fields[0], fields[1].(value.UInt), fields[2].(value.Bool)
	if receiver {
		e.send(perfAttach, value.List{name, handle, value.Bool(false), nil, nil, fields[5], fields[6], nil, nil, value.UInt(0)}, nil)
		return
	}
	e.send(perfAttach, value.List{name, handle, value.Bool(true), nil, nil, fields[5], fields[6]}, nil)
	e.send(perfFlow, value.List{value.UInt(0), value.UInt(5000), value.UInt(0), value.UInt(5000), handle, value.UInt(0), value.UInt(100)}, nil)
}

// take keeps a transfer's payload, and accepts the message after the last one.
func (e *echo) take(fields value.List, payload []byte) {
	e.body = append(e.body, payload...)
	if more := len(fields) > 5 && fields[5] == value.Bool(true); more {
		return
	}
	accepted := value.Described{Descriptor: value.ULong(0x24), Value: value.List{}}
	e.send(perfDisposition, value.List{value.Bool(true), value.UInt(0), nil, value.Bool(true), accepted}, nil)
}

// deliver sends the message to a receiver that gave credit.
func (e *echo) deliver(fields value.List) {
	if len(fields) < 7 || value.TypeOf(fields[4]) == value.TypeNull {
		return
	}
	for body := e.body; body != nil; {
		n := min(len(body), e.chunk)
		e.send(perfTransfer, value.List{fields[4], value.UInt(0), value.Binary("tag"), value.UInt(0), nil, value.Bool(n < len(body))}, body[:n])
		if body = body[n:]; len(body) == 0 {
			body = nil
		}
	}
	e.body = nil
}

func (e *echo) read() (performative value.ULong, fields value.List, payload []byte, err error) {
	for {
		header := make([]byte, 8)
		if _, err = io.ReadFull(e.in, header); err != nil {
			return 0, nil, nil, err
		}
		frame := make([]byte, binary.BigEndian.Uint32(header)-8)
		if _, err = io.ReadFull(e.in, frame); err != nil {
			return 0, nil, nil, err
		}
		if len(frame) == 0 {
			continue
		}
		v, payload, err := value.Next(frame)
		if err != nil {
			e.t.Error(err)
			return 0, nil, nil, err
		}
		described := v.(value.Described)
		return described.Descriptor.(value.ULong), described.Value.(value.List), payload, nil
	}
}

func (e *echo) send(performative value.ULong, fields value.List, payload []byte) {
	e.write(frameOf(e.t, performative, fields, payload))
}

func (e *echo) write(data []byte) {
	if _, err := e.conn.Write(data); err != nil {
		e.t.Log("peer:", err)
	}
}

func frameOf(t testing.TB, performative value.ULong, fields value.List, payload []byte) []byte {
	t.Helper()
	frame, err := value.Append([]byte{0, 0, 0, 0, 2, 0, 0, 0}, value.Described{Descriptor: performative, Value: fields})
	if err != nil {
		t.Error(err)
		return nil
	}
	frame = append(frame, payload...)
	binary.BigEndian.PutUint32(frame, uint32(len(frame)))
	return frame
}

package amqp1

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// onFirst calls do with the first frame of a kind, in place of the peer's answer
// where it returns true.
func onFirst(code uint64, do func(c *amqppeer.Conn, f *amqppeer.Frame) bool) func(*amqppeer.Conn, *amqppeer.Frame) bool {
	seen := make(chan struct{}, 1)
	return func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code != code {
			return false
		}
		select {
		case seen <- struct{}{}:
			return do(c, f)
		default:
			return false
		}
	}
}

// hostile is what a peer sends in place of the outcome of the first message.
func hostile(send func(c *amqppeer.Conn, f *amqppeer.Frame)) func(*amqppeer.Conn, *amqppeer.Frame) bool {
	return onFirst(amqppeer.Transfer, func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		send(c, f)
		return true
	})
}

// TestHostileFrames: what would take the process down, or a processor, ends the
// connection, and the next message goes over another one.
func TestHostileFrames(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(c *amqppeer.Conn, f *amqppeer.Frame){
		"flow without credit": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.Send(f.Channel, amqppeer.Flow, uint32(0), uint32(100), uint32(0), uint32(100), f.Field(0), uint32(0), nil)
		},
		"disposition of all numbers": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.Send(f.Channel, amqppeer.Disposition, true, uint32(0), uint32(0xffffffff), true, amqppeer.Accepted)
		},
		"disposition of the last number": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.Send(f.Channel, amqppeer.Disposition, true, uint32(0xffffffff), nil, true, amqppeer.Accepted)
		},
		"disposition over a huge range": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.Send(f.Channel, amqppeer.Disposition, true, uint32(0), uint32(1<<20), true, amqppeer.Accepted)
		},
		"delivery with the last number": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.Send(f.Channel, amqppeer.Transfer, f.Field(0), uint32(0xffffffff), []byte("t"), uint32(0))
		},
		"frame of 256 MiB": func(c *amqppeer.Conn, _ *amqppeer.Frame) {
			c.SendRaw([]byte{0x10, 0, 0, 0, 2, 0, 0, 0})
		},
		"frame of 4 bytes": func(c *amqppeer.Conn, _ *amqppeer.Frame) { c.SendRaw([]byte{0, 0, 0, 4, 2, 0, 0, 0}) },
		"frame with an extended header": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			body := amqppeer.Performative(nil, amqppeer.Flow, uint32(0), uint32(9), uint32(0), uint32(9), f.Field(0))
			frame := amqppeer.Encode(amqppeer.TypeAMQP, f.Channel, append(append(body, make([]byte, -len(body)&3)...), amqppeer.Performative(nil, amqppeer.Close)...))
			frame[4] = byte(2 + (len(body)+3)/4)
			c.SendRaw(frame)
		},
		"no performative": func(c *amqppeer.Conn, f *amqppeer.Frame) {
			c.SendRaw(amqppeer.Encode(amqppeer.TypeAMQP, f.Channel, []byte{0x40}))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, amqppeer.Options{Script: hostile(send)})
			s := newTestSender(t, p, Options{}, Target{})
			_, err := s.Send(within(t, soon), text("first"), SendOptions{})
			if fault := wantFault(t, err, ErrLost, true); !errors.Is(fault, ErrGuard) {
				t.Errorf("err = %v, want the guard's", fault)
			}
			o, err := s.Send(within(t, soon), text("second"), SendOptions{})
			wantAccepted(t, o, err)
		})
	}
}

// TestDetachThatDoesNotClose: go-amqp answers it with a detach that closes, and
// waits for another one for ever. RabbitMQ before 4.0 does this.
func TestDetachThatDoesNotClose(t *testing.T) {
	t.Parallel()
	for name, fields := range map[string][]any{
		"false":           {false},
		"left out":        {},
		"null with error": {nil, amqppeer.Described{Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol("amqp:link:detach-forced")}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, amqppeer.Options{Script: hostile(func(c *amqppeer.Conn, f *amqppeer.Frame) {
				c.Send(f.Channel, amqppeer.Detach, append([]any{f.Field(0)}, fields...)...)
			})})
			s := newTestSender(t, p, Options{}, Target{})
			_, err := s.Send(within(t, soon), text("first"), SendOptions{})
			fault := wantFault(t, err, ErrLost, true)
			if len(fields) > 1 && fault.Condition != DetachForced {
				t.Errorf("condition %q", fault.Condition)
			}
			o, err := s.Send(within(t, soon), text("second"), SendOptions{})
			wantAccepted(t, o, err)
			if n := p.Connections.Load(); n != 1 {
				t.Errorf("%d connections, want the one", n)
			}
		})
	}
}

// TestEarlyDisposition: a peer may settle a delivery before it has all of it.
// go-amqp forgets such an outcome.
func TestEarlyDisposition(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{MaxFrame: 4096, Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code != amqppeer.Transfer {
			return false
		}
		if id, first := f.Field(1).(uint32); first {
			c.Send(f.Channel, amqppeer.Disposition, true, id, nil, true,
				amqppeer.Described{Descriptor: uint64(amqppeer.StateRejected), Value: []any{}})
		}
		return true
	}})
	s := newTestSender(t, p, Options{}, Target{})
	for range 60 {
		o, err := s.Send(within(t, soon), &Message{Data: [][]byte{make([]byte, 64<<10)}}, SendOptions{})
		if err != nil || o.State != Rejected {
			t.Fatalf("%v, %v", o.State, err)
		}
	}
}

// TestRefusedAttach: peers refuse in several ways. One sends a flow for the link
// first, for which go-amqp ends the connection.
func TestRefusedAttach(t *testing.T) {
	t.Parallel()
	notFound := amqppeer.Described{Descriptor: uint64(amqppeer.ErrorList), Value: []any{amqppeer.Symbol("amqp:not-found"), "no q"}}
	refuse := func(c *amqppeer.Conn, f *amqppeer.Frame, between func()) bool {
		if f.Code != amqppeer.Attach || !bytes.Contains(amqppeer.Append(nil, f.Field(6)), []byte("refused")) {
			return false
		}
		c.Send(f.Channel, amqppeer.Attach, f.Field(0), f.Field(1), true, nil, nil, f.Field(5), nil)
		between()
		c.Send(f.Channel, amqppeer.Detach, f.Field(1), true, notFound)
		return true
	}
	for name, script := range map[string]func(c *amqppeer.Conn, f *amqppeer.Frame) bool{
		"plainly": func(c *amqppeer.Conn, f *amqppeer.Frame) bool { return refuse(c, f, func() {}) },
		"with a flow before": func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
			return refuse(c, f, func() { c.Grant(f.Channel, f.Uint32(1), 0, 10) })
		},
		"after the attach": func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
			if f.Code != amqppeer.Attach || !bytes.Contains(amqppeer.Append(nil, f.Field(6)), []byte("refused")) {
				return false
			}
			c.Send(f.Channel, amqppeer.Attach, f.Field(0), f.Field(1), true, nil, nil, f.Field(5), f.Field(6))
			c.Send(f.Channel, amqppeer.Detach, f.Field(1), true, notFound)
			return true
		},
		"by the end of the session": func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
			if f.Code != amqppeer.Attach || !bytes.Contains(amqppeer.Append(nil, f.Field(6)), []byte("refused")) {
				return false
			}
			c.End(f.Channel, &amqppeer.Error{Condition: "amqp:not-found", Description: "no q"})
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startPeer(t, amqppeer.Options{Script: script})
			c, remote := newContainer(t, Options{}), remoteOf(t, p)
			healthy, err := c.Sender(remote, Target{Address: "q"})
			if err != nil {
				t.Fatal(err)
			}
			o, err := healthy.Send(within(t, soon), text("x"), SendOptions{})
			wantAccepted(t, o, err)
			refused, err := c.Sender(remote, Target{Address: "refused"})
			if err != nil {
				t.Fatal(err)
			}
			for range 3 { // the second and third are not asked for
				_, err = refused.Send(within(t, soon), text("x"), SendOptions{})
				if fault := wantFault(t, err, ErrRefused, false); fault.Condition != NotFound {
					t.Errorf("condition %q: %v", fault.Condition, err)
				}
			}
			o, err = healthy.Send(within(t, soon), text("x"), SendOptions{})
			wantAccepted(t, o, err)
			if n := p.Connections.Load(); n != 1 {
				t.Errorf("%d connections, want the one", n)
			}
		})
	}
}

// TestOpenThenClose: a peer may accept the connection, and close it with its
// reason at once.
func TestOpenThenClose(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Script: func(c *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Open {
			c.Send(0, amqppeer.Open, "peer")
			c.Close(&amqppeer.Error{Condition: "amqp:connection:forced", Description: "maintenance"})
		}
		return true
	}})
	s := newTestSender(t, p, Options{}, Target{})
	_, err := s.Send(within(t, soon), text("x"), SendOptions{})
	fault, ok := errors.AsType[*Error](err)
	if !ok || fault.MaybeSent || fault.Condition != ConnectionForced {
		t.Fatalf("err = %v", err)
	}
}

// TestWindowOfZero: go-amqp waits in a place where neither a context nor a detach
// reaches it.
func TestWindowOfZero(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Window: -1})
	s := newTestSender(t, p, Options{StallTimeout: 500 * time.Millisecond}, Target{})
	_, err := s.Send(within(t, soon), text("x"), SendOptions{})
	wantFault(t, err, ErrStalled, false)
	impatient := newTestSender(t, p, Options{StallTimeout: soon}, Target{})
	began := time.Now()
	_, err = impatient.Send(within(t, 50*time.Millisecond), text("x"), SendOptions{})
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > soon/2 {
		t.Errorf("after %v: %v", took, err)
	}
	impatient.container.Abort() // it would wait for the stall
}

func TestNoCredit(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Credit: -1})
	s := newTestSender(t, p, Options{CreditTimeout: 300 * time.Millisecond}, Target{})
	impatient := newTestSender(t, p, Options{CreditTimeout: 2 * soon}, Target{})
	began := time.Now()
	_, err := impatient.Send(within(t, 50*time.Millisecond), text("impatient"), SendOptions{})
	wantFault(t, err, context.DeadlineExceeded, false)
	if took := time.Since(began); took > soon {
		t.Errorf("the context ended after 50 ms, and Send returned after %v", took)
	}
	_, err = s.Send(within(t, soon), text("patient"), SendOptions{})
	wantFault(t, err, ErrNoCredit, false)
	p.Each(func(c *amqppeer.Conn) { c.Grant(0, 0, 0, 1) })
	o, err := s.Send(within(t, soon), text("at last"), SendOptions{})
	wantAccepted(t, o, err)
	if n := p.Deliveries.Load(); n != 1 {
		t.Errorf("%d messages arrived, want the last only", n)
	}
}

// cancelDuring sends a message, and gives up once the peer has a part of it.
func cancelDuring(t *testing.T, s *Sender, m *Message, begun <-chan struct{}) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, m, SendOptions{})
		done <- err
	}()
	select {
	case <-begun:
	case err := <-done:
		t.Fatalf("before anything arrived: %v", err)
	}
	began := time.Now()
	cancel()
	wantFault(t, <-done, context.Canceled, true)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("the context was cancelled, and Send returned after %v", took)
	}
}

// TestCancelWithinAMessage: what was begun is not left on the link, where the next
// message would continue it.
func TestCancelWithinAMessage(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 10)
	p := startPeer(t, amqppeer.Options{MaxFrame: 4096, Window: 5, Script: func(_ *amqppeer.Conn, f *amqppeer.Frame) bool {
		if f.Code == amqppeer.Transfer && f.Bool(5) {
			begun <- struct{}{}
		}
		return false
	}})
	s := newTestSender(t, p, Options{StallTimeout: time.Second}, Target{})
	cancelDuring(t, s, &Message{Data: [][]byte{make([]byte, 1<<20)}}, begun)
	o, err := s.Send(within(t, soon), text("next"), SendOptions{})
	wantAccepted(t, o, err)
	if n := p.Deliveries.Load(); n != 1 {
		t.Errorf("%d messages arrived, want the second only", n)
	}
}

// TestPeerThatReadsNothing: the connection is given up after the time of a write, and
// not earlier because of one impatient caller.
func TestPeerThatReadsNothing(t *testing.T) {
	t.Parallel()
	begun, release := make(chan struct{}, 1), make(chan struct{})
	p := startPeer(t, amqppeer.Options{Script: hostile(func(*amqppeer.Conn, *amqppeer.Frame) {
		begun <- struct{}{}
		<-release
	})})
	defer close(release)
	s := newTestSender(t, p, Options{WriteTimeout: 3 * time.Second}, Target{})
	cancelDuring(t, s, &Message{Data: [][]byte{make([]byte, 16<<20)}}, begun)
	o, err := s.Send(within(t, soon), text("over another connection"), SendOptions{})
	wantAccepted(t, o, err)
}

// FuzzGuard: whatever comes in, in whatever pieces, the guard hands out whole
// frames within the limit, or ends.
func FuzzGuard(f *testing.F) {
	f.Add([]byte("AMQP\x00\x01\x00\x00\x00\x00\x00\x08\x02\x00\x00\x00"), uint8(3))
	open := amqppeer.Encode(amqppeer.TypeAMQP, 0, amqppeer.Performative(nil, amqppeer.Open, "peer", nil, uint32(512)))
	f.Add(append([]byte("AMQP\x00\x01\x00\x00"), open...), uint8(200))
	detach := amqppeer.Encode(amqppeer.TypeAMQP, 0, amqppeer.Performative(nil, amqppeer.Detach, uint32(0)))
	f.Add(append([]byte("AMQP\x00\x01\x00\x00"), detach...), uint8(7))
	transfer := append(amqppeer.Performative(nil, amqppeer.Transfer, uint32(0), uint32(0), []byte("t")), "payload"...)
	f.Add(append([]byte("AMQP\x00\x01\x00\x00"), amqppeer.Encode(amqppeer.TypeAMQP, 0, transfer)...), uint8(1))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		g := newGuard(&scriptedConn{in: in, piece: int(piece) + 1}, 1<<16, time.Second, func(Frame) {})
		defer func() { _ = g.abort() }()
		var out []byte
		p := make([]byte, 100)
		for {
			n, err := g.Read(p)
			out = append(out, p[:n]...)
			if err != nil {
				break
			}
		}
		if len(out) == 0 {
			return
		}
		for rest := out[8:]; len(rest) > 0; {
			if len(rest) < 8 || binary.BigEndian.Uint32(rest) < 8 || int(binary.BigEndian.Uint32(rest)) > len(rest) {
				t.Fatalf("what is handed out ends in %x, which is no frame", rest)
			}
			rest = rest[binary.BigEndian.Uint32(rest):]
		}
	})
}

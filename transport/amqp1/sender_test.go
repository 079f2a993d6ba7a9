package amqp1

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/transport/amqp1/value"
)

func TestSend(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	got := map[string]int{}
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		value, _, err := amqppeer.Decode(d.Encoded)
		if err != nil {
			t.Error(err)
		}
		section, _ := value.(amqppeer.Described)
		body, _ := section.Value.([]byte)
		mu.Lock()
		got[string(body)]++
		mu.Unlock()
		amqppeer.Accept(c, d)
	}})
	s := newTestSender(t, p, Options{}, Target{})
	var group sync.WaitGroup
	for i := range 64 {
		group.Go(func() {
			for j := range 50 {
				o, err := s.Send(within(t, soon), text(fmt.Sprint(i, "/", j)), SendOptions{})
				if err != nil || o.State != Accepted {
					t.Errorf("%d/%d: %v, %v", i, j, o.State, err)
				}
			}
		})
	}
	group.Wait()
	mu.Lock()
	defer mu.Unlock()
	for body, n := range got {
		if n != 1 {
			t.Errorf("%q arrived %d times", body, n)
		}
	}
	if len(got) != 3200 || p.Connections.Load() != 1 {
		t.Errorf("%d messages over %d connections", len(got), p.Connections.Load())
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		switch d.Address {
		case "accept":
			amqppeer.Accept(c, d)
		case "reject":
			amqppeer.Reject(c, d, "amqp:precondition-failed", "no such thing")
		case "reject-plain":
			amqppeer.Reject(c, d, "", "")
		case "release":
			amqppeer.Release(c, d)
		case "modify":
			amqppeer.Modify(c, d, true, true, amqppeer.Map{amqppeer.Symbol("x-opt-try"), "other"})
		case "unstated":
			c.Settle(d, nil)
		case "received":
			c.Settle(d, amqppeer.Described{Descriptor: uint64(amqppeer.StateReceived), Value: []any{uint32(0), uint64(0)}})
		}
	}})
	c := newContainer(t, Options{})
	remote := remoteOf(t, p)
	for address, want := range map[string]Outcome{
		"accept":       {State: Accepted},
		"reject":       {State: Rejected, Condition: PreconditionFailed, Description: "no such thing"},
		"reject-plain": {State: Rejected},
		"release":      {State: Released},
		"modify":       {State: Modified, DeliveryFailed: true, UndeliverableHere: true, Annotations: value.Map{{Key: value.Symbol("x-opt-try"), Value: value.String("other")}}},
		"unstated":     {State: Unstated},
		"received":     {State: Received},
	} {
		s, err := c.Sender(remote, Target{Address: address})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Send(within(t, soon), text("x"), SendOptions{})
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, %v; want %+v", address, got, err, want)
		}
	}
}

func TestSendSettled(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{Answer: func(_ *amqppeer.Conn, d *amqppeer.Delivery) {
		if !d.Settled {
			t.Error("the delivery is not settled")
		}
	}})
	s := newTestSender(t, p, Options{}, Target{})
	for range 10 {
		o, err := s.Send(within(t, soon), text("x"), SendOptions{Settled: true})
		if err != nil || o.State != Written {
			t.Fatalf("%v, %v", o.State, err)
		}
	}
}

func TestLongMessage(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("0123456789abcdef"), 256<<10) // 4 MiB in frames of 64 KiB
	p := startPeer(t, amqppeer.Options{Answer: func(c *amqppeer.Conn, d *amqppeer.Delivery) {
		if !bytes.HasSuffix(d.Encoded, long) {
			t.Errorf("%d bytes arrived", len(d.Encoded))
		}
		amqppeer.Accept(c, d)
	}})
	s := newTestSender(t, p, Options{}, Target{})
	o, err := s.Send(within(t, soon), &Message{Data: [][]byte{long}}, SendOptions{})
	wantAccepted(t, o, err)
}

func TestMessageTooLongForThePeer(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{MaxMessage: 1000})
	s := newTestSender(t, p, Options{}, Target{})
	_, err := s.Send(within(t, soon), &Message{Data: [][]byte{make([]byte, 1000)}}, SendOptions{})
	if fault := wantFault(t, err, ErrMessage, false); fault.Condition != MessageSizeExceeded {
		t.Errorf("condition %q", fault.Condition)
	}
	o, err := s.Send(within(t, soon), text("short"), SendOptions{})
	wantAccepted(t, o, err)
	if n := p.Deliveries.Load(); n != 1 {
		t.Errorf("%d messages arrived", n)
	}
}

func TestCancelledBefore(t *testing.T) {
	t.Parallel()
	p := startPeer(t, amqppeer.Options{})
	s := newTestSender(t, p, Options{}, Target{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Send(ctx, text("late"), SendOptions{})
	wantFault(t, err, context.Canceled, false)
}

package amqp1

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/amqppeer"
)

// mutants stand for a field in turn.
var mutants = []any{
	nil, true, false, uint8(0), uint8(255), uint16(0), uint16(math.MaxUint16), uint32(0), uint32(1), uint32(math.MaxUint32),
	uint64(math.MaxUint64), int64(-1), "text", amqppeer.Symbol("symbol"), []byte{}, []any{}, []any{nil, nil},
	amqppeer.Map{amqppeer.Symbol("k"), "v"}, amqppeer.Symbols{"a", "b"}, amqppeer.Accepted,
	amqppeer.Described{Descriptor: uint64(0x99), Value: []any{}},
	amqppeer.Raw{0xd0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1}, amqppeer.Raw{0x94, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
}

// TestMutatedFrames sends and receives while one field of what the peer says is
// another than it should be, for every field of every performative. Nothing may
// panic, hang or stay behind; what becomes of the message is the peer's fault.
func TestMutatedFrames(t *testing.T) {
	t.Parallel()
	fieldsOf := map[uint64]int{
		amqppeer.Open: 10, amqppeer.Begin: 8, amqppeer.Attach: 14, amqppeer.Flow: 11, amqppeer.Transfer: 11,
		amqppeer.Disposition: 6, amqppeer.Detach: 3, amqppeer.End: 1, amqppeer.Close: 1,
	}
	var cases sync.WaitGroup
	slots := make(chan struct{}, 64)
	for code, count := range fieldsOf {
		for field := range count {
			for i := range mutants {
				slots <- struct{}{}
				cases.Go(func() {
					defer func() { <-slots }()
					meetMutant(t, code, field, mutants[i])
				})
			}
		}
	}
	cases.Wait()
}

// meetMutant makes a send and a receive with a peer that always gets one field
// wrong.
func meetMutant(t *testing.T, code uint64, field int, mutant any) {
	p, err := amqppeer.Listen(t.Context(), "", amqppeer.Options{Queue: true, Rewrite: func(b []byte) []byte {
		return mutate(b, code, field, mutant)
	}})
	if err != nil {
		t.Error(err)
		return
	}
	defer p.Close()
	const short = 100 * time.Millisecond
	c, err := New(Options{
		BeginTimeout: short, AttachTimeout: short, OpenTimeout: short, StallTimeout: short, CreditTimeout: short, OutcomeTimeout: short,
	})
	if err != nil {
		t.Error(err)
		return
	}
	what := fmt.Sprintf("field %d of %#x is %v", field, code, mutant)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), soon)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 3*short)
	defer cancel()
	remote := remoteOf(t, p)
	s, err := c.Sender(remote, Target{Address: "q"})
	if err != nil {
		t.Error(err)
		return
	}
	began := time.Now()
	_, _ = s.Send(ctx, text("x"), SendOptions{})
	if took := time.Since(began); took > soon {
		t.Errorf("%s: Send took %v", what, took)
	}
	r, err := c.Receiver(remote, Source{Address: "q"})
	if err != nil {
		t.Error(err)
		return
	}
	if d, err := r.Receive(ctx); err == nil {
		_ = d.Accept()
	}
}

// mutate changes a field of a frame with that performative.
func mutate(b []byte, code uint64, field int, mutant any) []byte {
	if len(b) <= 8 || b[0] == 'A' || b[5] != amqppeer.TypeAMQP {
		return b
	}
	value, rest, err := amqppeer.Decode(b[8:])
	performative, _ := value.(amqppeer.Described)
	if err != nil || performative.Descriptor != code {
		return b
	}
	fields, _ := performative.Value.([]any)
	for len(fields) <= field {
		fields = append(fields, nil)
	}
	fields[field] = mutant
	channel := uint16(b[6])<<8 | uint16(b[7])
	return amqppeer.Encode(amqppeer.TypeAMQP, channel, append(amqppeer.Performative(nil, code, fields...), rest...))
}

package amqpout_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
)

const inFlight = 64

// inParallel calls do b.N times from inFlight goroutines.
func inParallel(b *testing.B, do func() error) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var group sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for range inFlight {
		group.Go(func() {
			for left.Add(-1) >= 0 {
				if err := do(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	b.StopTimer()
}

func BenchmarkHandleMessage(b *testing.B) {
	p, err := amqppeer.Listen(b.Context(), "", amqppeer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	tr, err := amqpout.New(amqpout.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := tr.Start(b.Context()); err != nil {
		b.Fatal(err)
	}
	first := outboundtest.Message(b, "amqp://"+p.Addr()+"/q", make([]byte, 1024))
	first.QueuedAt = time.Now()
	if _, err := tr.HandleMessage(b.Context(), first); err != nil {
		b.Fatal(err)
	}
	var number atomic.Int64
	inParallel(b, func() error {
		m := *first
		m.Attempt = int(number.Add(1))
		_, err := tr.HandleMessage(b.Context(), &m)
		return err
	})
	if err := tr.Stop(b.Context()); err != nil {
		b.Error(err)
	}
}

// BenchmarkBare is go-amqp as people use it.
func BenchmarkBare(b *testing.B) {
	p, err := amqppeer.Listen(b.Context(), "", amqppeer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer p.Close()
	conn, err := amqp.Dial(b.Context(), "amqp://"+p.Addr(), &amqp.ConnOptions{SASLType: amqp.SASLTypeAnonymous()})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	session, err := conn.NewSession(b.Context(), nil)
	if err != nil {
		b.Fatal(err)
	}
	sender, err := session.NewSender(b.Context(), "q", nil)
	if err != nil {
		b.Fatal(err)
	}
	payload := make([]byte, 1024)
	inParallel(b, func() error {
		m := amqp.NewMessage(payload)
		m.Properties = &amqp.MessageProperties{MessageID: "0198c0de-5b1e-7abc-8def-0123456789ab"}
		receipt, err := sender.SendWithReceipt(b.Context(), m, nil)
		if err == nil {
			_, err = receipt.Wait(b.Context())
		}
		return err
	})
}

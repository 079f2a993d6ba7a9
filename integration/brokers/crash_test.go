//go:build unix

package brokers

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/Azure/go-amqp"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1/message"
	"github.com/outrider-go/outrider/transport/amqp1/value"
	"github.com/outrider-go/outrider/transport/amqp1/verbatim"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

// crashMessages are how many are sent while the broker is killed.
const crashMessages = 20_000

// makeDurable makes queues of RabbitMQ that are there after a kill, and restarts it in
// order. Of a queue that was made within the last seconds, RabbitMQ 3.10 knows nothing
// after a kill, and drops what it had accepted and stored for it.
func makeDurable(t *testing.T, peer *process, nodes ...string) {
	t.Helper()
	s := session(t, peer.address())
	for _, node := range nodes {
		_, err := s.NewSender(t.Context(), node, &amqp.SenderOptions{TargetDurability: amqp.DurabilityUnsettledState})
		if err != nil {
			t.Fatal(err)
		}
	}
	peer.stop()
	peer.restart()
}

// testCrash takes the broker down while messages go to it, and starts it again. Each
// message that was taken in is delivered, and none is said to be that the broker
// did not settle as accepted before. It returns the ids of all.
func testCrash(t *testing.T, peer *process, address string, messages int, down func()) map[transport.ID]bool {
	t.Helper()
	w := watch(t, peer.address(), messages/4)
	told := event.New(event.Options{})
	end := context.WithoutCancel(t.Context())
	t.Cleanup(func() { _ = told.Close(end) })
	d := startDelivery(t, outbound.Options{
		Events: told, LaneConcurrency: 64, Breaker: outbound.Breaker{CoolOff: 50 * time.Millisecond, MaxCoolOff: 200 * time.Millisecond},
		Retry: outbound.RetryPolicy{Base: 10 * time.Millisecond, Max: 200 * time.Millisecond, MaxAttempts: 10_000},
	}, amqpout.Options{}, profile.Options{})
	l := listen(t, told, w, messages)

	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	var sending sync.WaitGroup
	sent := map[transport.ID]bool{}
	sending.Go(func() {
		endpoint := d.endpoint("amqp://" + w.address() + "/" + address)
		for range messages {
			accepted, err := d.Send(ctx, outbound.Message{Endpoint: endpoint, Payload: []byte("hello"), Profile: d.tenant})
			if err != nil {
				t.Error(err)
				return
			}
			sent[accepted.ID] = true
		}
	})
	select {
	case <-w.reached:
	case <-ctx.Done():
		t.Fatal("the broker does not accept messages")
	}
	down()
	peer.restart()
	sending.Wait()
	if len(sent) != messages {
		t.Fatalf("%d messages were taken in, want %d", len(sent), messages)
	}
	if err := d.Flush(ctx); err != nil {
		t.Fatalf("Flush: %v", err)
	}
	l.await(ctx, sent)
	return sent
}

// listener hears what is told to be delivered, and asks the witness at once.
type listener struct {
	t *testing.T
	w *witness

	mu        sync.Mutex
	delivered map[transport.ID]bool
	more      chan struct{} // of one, filled after each
}

func listen(t *testing.T, told *event.Bus, w *witness, messages int) *listener {
	t.Helper()
	l := &listener{t: t, w: w, delivered: map[transport.ID]bool{}, more: make(chan struct{}, 1)}
	_, err := told.Handle("outbound-message::(delivered|dead|expired)", l.hear, event.SubscribeOptions{Buffer: 2 * messages})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) hear(e event.Event) {
	about, ok := e.Payload.(outbound.MessageEvent)
	if !ok || e.Topic != outbound.TopicDelivered || about.Evidence != transport.Accepted {
		l.t.Errorf("%s: %+v", e.Topic, e.Payload)
		return
	}
	l.w.mu.Lock()
	accepted := l.w.accepted[about.ID.String()]
	l.w.mu.Unlock()
	if accepted == 0 {
		l.t.Errorf("%s is said to be delivered, and the broker did not accept it", about.ID)
	}
	l.mu.Lock()
	l.delivered[about.ID] = true
	l.mu.Unlock()
	select {
	case l.more <- struct{}{}:
	default:
	}
}

// await waits until all that was sent is told to be delivered.
func (l *listener) await(ctx context.Context, sent map[transport.ID]bool) {
	l.t.Helper()
	for {
		l.mu.Lock()
		n := len(l.delivered)
		l.mu.Unlock()
		if n == len(sent) {
			break
		}
		select {
		case <-l.more:
		case <-ctx.Done():
			l.t.Fatal(errors.Join(ctx.Err(), errors.New("not all is delivered")))
		}
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	twice := 0
	for id := range sent {
		switch n := l.w.accepted[id.String()]; {
		case n == 0 || !l.delivered[id]:
			l.t.Errorf("%s is lost", id)
		case n > 1:
			twice++
		}
	}
	l.t.Logf("%d messages, %d of them accepted twice", len(sent), twice)
}

// drain takes from a queue until each of the messages was there. It accepts none:
// nobody needs the queue afterwards.
func drain(t *testing.T, q *node, sent map[transport.ID]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	missing := map[string]bool{}
	for id := range sent {
		missing[id.String()] = true
	}
	for len(missing) > 0 {
		received, err := q.receiver.Receive(ctx, nil)
		if err != nil {
			t.Fatalf("%d of %d messages are not in the queue after the crash: %v", len(missing), len(sent), err)
		}
		m, err := message.Decode(verbatim.Payload(received), value.Limits{})
		if err != nil || m.Properties == nil {
			t.Fatalf("a message without properties: %v", err)
		}
		id, _ := m.Properties.MessageID.(value.String)
		delete(missing, string(id))
	}
}

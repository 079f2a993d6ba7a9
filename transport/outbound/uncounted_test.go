package outbound_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// noCredit is what a driver says that may not send now.
func noCredit() error {
	fault := fail(transport.Throttled)
	fault.Uncounted, fault.RetryAfter = true, time.Minute
	return fault
}

func TestWhatCouldNotBeSentDoesNotCount(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(context.Context, *outbound.Message) error { return noCredit() }}
		retry := outbound.RetryPolicy{Base: time.Second, MaxAttempts: 2, MaxAge: time.Hour}
		f := start(t, d, outbound.Options{Retry: retry})
		id := f.send("test://a", nil)
		pass(30 * time.Minute)
		if r := f.record(id); r.Attempts != 0 || r.State == queue.StateDone {
			t.Errorf("after half an hour: %d attempts, %s %s", r.Attempts, r.State, r.Result)
		}
		if n := len(d.seen()); n < 29 || n > 31 {
			t.Errorf("%d attempts in half an hour, want one a minute", n)
		}
		pass(time.Hour)
		f.wantResult(id, queue.Dead) // it is too old
	})
}

func TestWhatCouldNotBeSentGoesToAnAlternate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "a" {
				return noCredit()
			}
			return nil
		}}
		f := start(t, d, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 5, FailoverAfter: 1}})
		id := f.send("test://a", func(m *outbound.Message) { m.Alternates = []transport.Endpoint{endpoint(t, "test://b")} })
		synctest.Wait()
		f.wantResult(id, queue.Delivered)
	})
}

func TestATestByHandSaysThatNobodyIsThere(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Sessions: &peers{}, Profiles: picksUp(t, profile.Options{})})
		f.sendTo("hello", "bob")
		synctest.Wait() // it was attempted
		_, err := f.TestDestination(t.Context(), queue.Lane{Profile: profile.DefaultID, Destination: "pickup:bob"})
		if !errors.Is(err, transport.ErrNoSession) {
			t.Errorf("test: %v", err)
		}
	})
}

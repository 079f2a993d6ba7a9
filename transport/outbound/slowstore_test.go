package outbound_test

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// slowly makes a manager whose store takes a second to record what there is.
func slowly(t *testing.T, d *driver, options outbound.Options) *fixture {
	t.Helper()
	store := newBadStore(t)
	store.settle = func() error { pass(time.Second); return nil }
	return startOver(t, store, d, options)
}

// TestPickupLimitOfASlowStore: what is about to be recorded as waiting counts already.
func TestPickupLimitOfASlowStore(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		const most = 5
		d := &driver{handle: func(context.Context, *outbound.Message) error {
			pass(time.Millisecond)
			return fail(transport.Permanent)
		}}
		f := slowly(t, d, outbound.Options{
			Sessions: &peers{}, Workers: 16, LaneConcurrency: 1, Retry: outbound.NoRetry(),
			Profiles: picksUp(t, profile.Options{
				Pickup: profile.Pickup{Exhausted: true, TTL: time.Hour}, Limits: profile.Limits{MaxPickupMessages: most},
			}),
		})
		for range 60 {
			f.send("test://down", to("bob"))
		}
		pass(5 * time.Minute)
		all, err := f.Pickups(t.Context())
		if err != nil || len(all) != 1 || all[0].Messages != most {
			t.Errorf("%+v, %v: want %d messages of one recipient", all, err, most)
		}
	})
}

// TestDestinationIsTestedAfterItsFailure: the attempt that failed is over, but not yet
// recorded, and its message is what is there for the test.
func TestDestinationIsTestedAfterItsFailure(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(context.Context, *outbound.Message) error { return errBroken }}
		f := slowly(t, d, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9}})
		id := f.send("test://host/", nil)
		synctest.Wait()
		if now := f.Destination(t.Context(), hostLane()); now.Failures != 1 || now.InFlight != 0 {
			t.Fatalf("the destination is %+v", now)
		}
		if tested := f.test(); tested.ID != id || tested.Attempt != 2 {
			t.Errorf("tested %+v", tested)
		}
	})
}

// TestFailureIsToldBeforeWhatFollows: first the attempt, and then the destination.
func TestFailureIsToldBeforeWhatFollows(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(context.Context, *outbound.Message) error { return errBroken }}
		f := slowly(t, d, outbound.Options{Breaker: outbound.Breaker{Failures: 1}})
		f.send("test://host/", nil)
		pass(2 * time.Second)
		var topics []string
		for len(f.events.Events()) > 0 {
			e := <-f.events.Events()
			topics = append(topics, e.Topic)
		}
		failed, failing := slices.Index(topics, outbound.TopicAttemptFailed), slices.Index(topics, outbound.TopicDestinationFailing)
		if failed < 0 || failing < failed {
			t.Errorf("told %s", strings.Join(topics, ", "))
		}
	})
}

// TestAttemptAfterTheStoreStalled: a worker that had to wait for the store knows what
// time it is when it goes on. In the one case it gives back what had been leased for a
// destination that asks for a pause; in the other it has leased for one that is paused
// meanwhile.
func TestAttemptAfterTheStoreStalled(t *testing.T) {
	t.Parallel()
	const stall, timeout = 40 * time.Second, 30 * time.Second
	for _, name := range []string{"a pause asked for", "a lease in vain"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store, d := newBadStore(t), &driver{}
				var f *fixture
				var stalls, pauses atomic.Bool
				store.settle = func() error {
					if stalls.Swap(false) {
						pass(stall)
					}
					return nil
				}
				store.lease = func() {
					if pauses.Swap(false) {
						f.hold(queue.Forever)
						stalls.Store(true)
					}
				}
				gate, others := make(chan struct{}), 0
				d.handle = func(ctx context.Context, m *outbound.Message) error {
					if deadline, _ := ctx.Deadline(); time.Until(deadline) < timeout {
						t.Errorf("%s: the attempt has %v of %v", m.Endpoint, time.Until(deadline), timeout)
					}
					if !m.ExpiresAt.IsZero() && !time.Now().Before(m.ExpiresAt) {
						t.Errorf("%s: attempted %v after it had expired", m.Endpoint, time.Since(m.ExpiresAt))
					}
					switch m.Endpoint.Host() {
					case "gate":
						<-gate
					case "host":
						if m.Payload[0] != 'p' {
							return nil
						}
						pass(time.Millisecond) // nothing else is to be recorded
						stalls.Store(true)
						fault := fail(transport.Throttled)
						fault.RetryAfter = time.Hour
						return fault
					case "other":
						if others++; others == 2 {
							pass(time.Millisecond)
							pauses.Store(name == "a lease in vain")
						}
					}
					return nil
				}
				f = startOver(t, store, d, outbound.Options{Workers: 1, AttemptTimeout: timeout})
				f.send("test://gate/", nil)
				synctest.Wait()
				for i := range 6 {
					if name == "a pause asked for" {
						f.send("test://host/", func(m *outbound.Message) {
							if i == 2 {
								m.Payload = []byte("pause")
							}
						})
					}
					f.send("test://other/", func(m *outbound.Message) { m.ExpiresAt = time.Now().Add(stall / 2) })
				}
				if name == "a pause asked for" { // the clock tells of it, so that the worker has not to
					f.send("test://third/", func(m *outbound.Message) { m.NotBefore = time.Now().Add(stall / 2) })
				} else {
					f.send("test://host/", func(m *outbound.Message) { m.NotBefore = time.Now().Add(time.Millisecond / 2) })
				}
				close(gate)
				pass(5 * time.Minute)
				if stalls.Load() || pauses.Load() {
					t.Error("the store has not stalled")
				}
			})
		})
	}
}

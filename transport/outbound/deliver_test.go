package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestDelivers(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		id := f.send("test://host/a?token=x#key", func(m *outbound.Message) {
			m.Metadata = transport.Metadata{"trace": "1"}
		})
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantTopics(id, "queued_for_delivery", "delivered")
		r := f.record(id)
		if r.State != queue.StateDone || r.Result != queue.Delivered || r.Attempts != 1 || r.Evidence != transport.Acknowledged {
			t.Errorf("record = %+v", r)
		}
		if r.Status != "queued_for_delivery" || r.Endpoint != "test://host/a?token=***" {
			t.Errorf("status, endpoint = %q, %q", r.Status, r.Endpoint)
		}
		got := f.driver.seen()
		if len(got) != 1 || string(got[0].message.Payload) != "hello" || got[0].message.ID != id ||
			got[0].message.Metadata["trace"] != "1" || got[0].message.Endpoint.APIKey().Reveal() != "key" || got[0].message.Attempt != 1 {
			t.Errorf("attempts = %+v", got)
		}
		log, err := f.Attempts(t.Context(), id)
		if err != nil || len(log) != 1 || log[0].N != 1 || log[0].Class != transport.Success || log[0].Code != "ok" {
			t.Errorf("log = %+v, %v", log, err)
		}
	})
}

func TestStandardScheduleToTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		policy := outbound.StandardRetry()
		policy.Jitter = 0
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error { return fail(transport.Temporary) }},
			outbound.Options{Retry: policy})
		began := time.Now()
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var at []time.Duration
		for _, a := range f.driver.seen() {
			at = append(at, a.at.Sub(began))
		}
		var want []time.Duration
		var sum time.Duration
		for _, wait := range append([]time.Duration{0}, policy.Delays...) {
			sum += wait
			want = append(want, sum)
		}
		if !slices.Equal(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
		if sum != 75*time.Hour+35*time.Minute+5*time.Second {
			t.Errorf("the schedule takes %v", sum)
		}
		f.wantResult(id, queue.Dead)
		if r := f.record(id); r.Status != "undeliverable" || r.Attempts != 10 || !strings.Contains(r.LastError, "broken") {
			t.Errorf("record = %+v", r)
		}
		want2 := []string{"queued_for_delivery"}
		for range 9 {
			want2 = append(want2, "attempt_failed", "retrying")
		}
		f.wantTopics(id, append(want2, "attempt_failed", "dead", "undeliverable")...)
	})
}

func TestMessagesPolicyBeatsProfiles(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		tenant, err := profile.New("tenant", profile.Options{Retry: "acapy"})
		if err != nil {
			t.Fatal(err)
		}
		profiles, err := profile.NewStatic(tenant)
		if err != nil {
			t.Fatal(err)
		}
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error { return errBroken }},
			outbound.Options{Profiles: profiles, Retry: outbound.NoRetry()})
		none := f.send("test://a/", nil)
		acapy := f.send("test://b/", func(m *outbound.Message) { m.Profile = tenant })
		own := f.send("test://c/", func(m *outbound.Message) {
			m.Profile = tenant
			m.Retry = &outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 2}
		})
		began := time.Now()
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for id, want := range map[transport.ID]int{none: 1, acapy: 5, own: 2} {
			if got := f.record(id).Attempts; got != want {
				t.Errorf("attempts = %d, want %d", got, want)
			}
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("took %v, want a minute", took)
		}
	})
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err      error
		result   queue.Result
		attempts int
		class    transport.Class
	}{
		"permanent":    {fail(transport.Permanent), queue.Dead, 1, transport.Permanent},
		"temporary":    {fail(transport.Temporary), queue.Dead, 3, transport.Temporary},
		"unknown":      {fail(transport.Unknown), queue.Dead, 3, transport.Unknown},
		"throttled":    {fail(transport.Throttled), queue.Dead, 3, transport.Throttled},
		"unclassified": {errBroken, queue.Dead, 3, transport.Temporary},
		"wrapped":      {fmt.Errorf("outer: %w", fail(transport.Permanent)), queue.Dead, 1, transport.Permanent},
		"no class":     {&outbound.DeliveryError{Err: errBroken}, queue.Dead, 3, transport.Temporary},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{handle: func(context.Context, *outbound.Message) error { return c.err }},
					outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3}})
				id := f.send("test://host/", nil)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(id, c.result)
				log, err := f.Attempts(t.Context(), id)
				if err != nil || len(log) != c.attempts || log[0].Class != c.class || log[0].Error == "" {
					t.Errorf("log = %+v, %v", log, err)
				}
			})
		})
	}
}

func TestAttemptTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var deadlines []time.Duration
		ended := 0
		f := start(t, &driver{}, outbound.Options{
			Workers: 1, AttemptTimeout: 10 * time.Second, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3},
		})
		f.driver.handle = func(ctx context.Context, m *outbound.Message) error {
			deadline, _ := ctx.Deadline()
			deadlines = append(deadlines, time.Until(deadline))
			if m.Attempt == 3 {
				return ctx.Err()
			}
			<-ctx.Done()
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				ended++
			}
			return ctx.Err()
		}
		began := time.Now()
		id := f.send("test://host/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		if took := time.Since(began); took != 22*time.Second {
			t.Errorf("took %v, want 22 s", took)
		}
		if !slices.Equal(deadlines, []time.Duration{10 * time.Second, 10 * time.Second, 10 * time.Second}) {
			t.Errorf("deadlines = %v", deadlines)
		}
		if ended != 2 {
			t.Errorf("%d attempts ended by their deadline, want 2", ended)
		}
	})
}

// TestAttemptTimeoutIsEachAttempts: the deadlines of attempts that were over in time
// end none that comes after them, at once or after a rest.
func TestAttemptTimeoutIsEachAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		var hung []time.Duration
		f := start(t, &driver{}, outbound.Options{
			Workers: 1, AttemptTimeout: 10 * time.Second, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 1},
		})
		f.driver.handle = func(ctx context.Context, m *outbound.Message) error {
			began := time.Now()
			for _, wait := range m.Metadata {
				d, err := time.ParseDuration(wait)
				if err != nil {
					return err
				}
				select {
				case <-time.After(d):
					return nil
				case <-ctx.Done():
				}
			}
			hung = append(hung, time.Since(began))
			return ctx.Err()
		}
		for _, wait := range []string{"7s", "9s", "1h", "1s", "9s", "1h"} {
			f.send("test://host/", func(m *outbound.Message) { m.Metadata = transport.Metadata{"Wait": wait} })
			if wait == "9s" {
				continue
			}
			if err := f.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Minute) // the timer goes off while no attempt runs
		}
		if want := []time.Duration{10 * time.Second, 10 * time.Second}; !slices.Equal(hung, want) {
			t.Errorf("attempts that hung ended after %v, want %v", hung, want)
		}
	})
}

func TestNotBeforeAndExpiry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9}})
		f.driver.handle = func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "down" {
				return errBroken
			}
			return nil
		}
		began := time.Now()
		later := f.send("test://host/", func(m *outbound.Message) { m.NotBefore = began.Add(time.Minute) })
		expires := f.send("test://down/", func(m *outbound.Message) { m.ExpiresAt = began.Add(90 * time.Minute) })
		lane := queue.Lane{Profile: "default", Destination: "test://paused/"}
		if err := f.PauseDestination(t.Context(), lane, queue.Forever, ""); err != nil {
			t.Fatal(err)
		}
		paused := f.send("test://paused/", func(m *outbound.Message) { m.ExpiresAt = began.Add(30 * time.Minute) })
		pass(time.Minute - 1)
		synctest.Wait()
		f.wantResult(later, "")
		pass(1)
		synctest.Wait()
		f.wantResult(later, queue.Delivered)
		f.wantTopics(later, "queued_for_delivery", "delivered")
		pass(29*time.Minute - 1)
		synctest.Wait()
		f.wantResult(paused, "")
		pass(1)
		synctest.Wait()
		f.wantResult(paused, queue.Expired)
		f.wantTopics(paused, "expired", "undeliverable")
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 90*time.Minute {
			t.Errorf("expired after %v, want 90 minutes", took)
		}
		f.wantTopics(expires, "attempt_failed", "retrying", "expired", "undeliverable")
		if r := f.record(expires); r.Status != "undeliverable" || r.Attempts != 2 {
			t.Errorf("record = %+v", r)
		}
	})
}

// TestExpiryAfterAnAttempt: while the attempt was under way, the clock could learn only
// when its lease runs out.
func TestExpiryAfterAnAttempt(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9}})
		f.driver.handle = func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "slow" {
				pass(20 * time.Second)
			}
			return errBroken
		}
		began := time.Now()
		expires := func(after time.Duration) func(*outbound.Message) {
			return func(m *outbound.Message) { m.ExpiresAt = began.Add(after) }
		}
		f.send("test://slow/", expires(time.Minute))
		f.send("test://down/", expires(10*time.Second))
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != time.Minute {
			t.Errorf("the last has expired after %v, want a minute", took)
		}
	})
}

func TestUnknownProfileIsNotLost(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tenant, err := profile.New("tenant", profile.Options{})
		if err != nil {
			t.Fatal(err)
		}
		with, err := profile.NewStatic(tenant)
		if err != nil {
			t.Fatal(err)
		}
		first := startOver(t, store, nil, outbound.Options{Profiles: with})
		if err := first.Register(&driver{}); err != nil {
			t.Fatal(err)
		}
		id := first.send("test://host/", func(m *outbound.Message) {
			m.Profile, m.NotBefore = tenant, time.Now().Add(time.Minute)
		})
		if _, err := first.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := startOver(t, store, &driver{}, outbound.Options{})
		pass(2 * time.Minute)
		synctest.Wait()
		if r := second.record(id); r.State != queue.StateRetry || !strings.Contains(r.LastError, "unknown profile") {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestQueuedComesFirstAndOnce(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 64})
		var senders sync.WaitGroup
		for range 64 {
			senders.Go(func() {
				for range 50 {
					f.send("test://host/", nil)
				}
			})
		}
		senders.Wait()
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		history := map[transport.ID]string{}
		for range len(f.events.Events()) {
			e := <-f.events.Events()
			if m, ok := e.Payload.(outbound.MessageEvent); ok {
				history[m.ID] += strings.TrimPrefix(e.Topic, "outbound-message::") + " "
			}
		}
		if len(history) != 64*50 {
			t.Fatalf("events of %d messages, want %d", len(history), 64*50)
		}
		for id, got := range history {
			if got != "queued_for_delivery delivered " {
				t.Fatalf("%s: %q", id, got)
			}
		}
	})
}

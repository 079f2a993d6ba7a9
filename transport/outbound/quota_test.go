package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// tenants returns a directory with a profile "small", which has limits, and one
// without any.
func tenants(t *testing.T, limits profile.Limits) (*profile.Static, *profile.Profile) {
	t.Helper()
	small, err := profile.New("small", profile.Options{Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	directory, err := profile.NewStatic(small)
	if err != nil {
		t.Fatal(err)
	}
	return directory, small
}

// wantQuota sends a batch and wants it refused by a limit; "": not refused.
func (f *fixture) wantQuota(limit string, after time.Duration, batch ...outbound.Message) {
	f.t.Helper()
	_, err := f.SendBatch(f.t.Context(), batch)
	if limit == "" {
		if err != nil {
			f.t.Errorf("refused: %v", err)
		}
		return
	}
	quota, ok := errors.AsType[*outbound.QuotaError](err)
	if !ok || !errors.Is(err, outbound.ErrQuotaExceeded) || quota.Limit != limit || quota.RetryAfter != after || quota.Profile != "small" {
		f.t.Errorf("err = %v (%+v), want limit %s, try again in %v", err, quota, limit, after)
	}
	if !strings.Contains(fmt.Sprint(err), "limits."+limit+" is ") {
		f.t.Errorf("err = %v", err)
	}
}

func (f *fixture) to(tenant *profile.Profile, uri string, size int) outbound.Message {
	return outbound.Message{Profile: tenant, Endpoint: endpoint(f.t, uri), Payload: make([]byte, size)}
}

func TestQuotas(t *testing.T) {
	t.Parallel()
	for limit, limits := range map[string]profile.Limits{
		"max_messages":     {MaxMessages: 3},
		"max_bytes":        {MaxBytes: 350},
		"max_destinations": {MaxDestinations: 3},
	} {
		t.Run(limit, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				directory, small := tenants(t, limits)
				answer := make(chan error)
				f := start(t, &driver{handle: func(context.Context, *outbound.Message) error { return <-answer }},
					outbound.Options{Profiles: directory, Retry: outbound.NoRetry()})
				message := func(i int) outbound.Message { return f.to(small, fmt.Sprintf("test://host%d/", i), 100) }
				f.wantQuota("", 0, message(0), message(1))
				f.wantQuota(limit, 0, message(2), message(3)) // all or nothing
				f.wantQuota("", 0, message(2))
				f.wantQuota(limit, 0, message(3))
				f.wantQuota("", 0, f.to(nil, "test://host4/", 1000)) // somebody else
				synctest.Wait()
				for range 4 {
					answer <- nil
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantQuota("", 0, message(3), message(4), message(5))
				f.wantQuota(limit, 0, message(6))
				close(answer)
			})
		})
	}
}

// TestQuotasKnowEveryEnd: whatever ends a message makes room for another.
func TestQuotasKnowEveryEnd(t *testing.T) {
	t.Parallel()
	cancel := func(f *fixture, id transport.ID) {
		if _, err := f.Cancel(f.t.Context(), queue.Query{IDs: []transport.ID{id}}); err != nil {
			f.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		says   error
		change func(m *outbound.Message)
		end    func(f *fixture, id transport.ID)
	}{
		"delivered": {nil, nil, nil},
		"dead":      {fail(transport.Permanent), nil, nil},
		"expired":   {fail(transport.Temporary), func(m *outbound.Message) { m.ExpiresAt = time.Now().Add(time.Second) }, nil},
		"cancelled": {fail(transport.Temporary), nil, cancel},
		"elsewhere": {fail(transport.Temporary), func(m *outbound.Message) { m.Alternates = append(m.Alternates, m.Endpoint) }, cancel},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				directory, small := tenants(t, profile.Limits{MaxMessages: 1, MaxDestinations: 1, MaxBytes: 10})
				f := start(t, &driver{}, outbound.Options{Profiles: directory, Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9, FailoverAfter: 1}})
				f.driver.handle = func(context.Context, *outbound.Message) error { return c.says }
				m := f.to(small, "test://a/", 10)
				if c.change != nil {
					c.change(&m)
				}
				if len(m.Alternates) > 0 {
					m.Endpoint = endpoint(t, "test://b/")
				}
				accepted, err := f.Send(t.Context(), m)
				if err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if c.end != nil {
					f.wantQuota("max_messages", 0, f.to(small, "test://a/", 0))
					c.end(f, accepted.ID)
				}
				pass(2 * time.Second)
				f.wantQuota("", 0, f.to(small, "test://c/", 10))
			})
		})
	}
}

// TestQuotasFollowAFailOver: a message counts for the destination it waits for.
func TestQuotasFollowAFailOver(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory, small := tenants(t, profile.Limits{MaxDestinations: 1})
		f := start(t, &driver{}, outbound.Options{Profiles: directory, Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 9}})
		f.driver.handle = func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "a" {
				return fail(transport.Permanent)
			}
			return fail(transport.Temporary)
		}
		m := f.to(small, "test://a/", 1)
		alternates(t, "test://b/")(&m)
		f.wantQuota("", 0, m)
		synctest.Wait()
		f.wantQuota("max_destinations", 0, f.to(small, "test://a/", 1))
		f.wantQuota("", 0, f.to(small, "test://b/", 1))
	})
}

// TestQuotasAreCountedAtTheStart: what waits from before counts.
func TestQuotasAreCountedAtTheStart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
		directory, small := tenants(t, profile.Limits{MaxMessages: 3, MaxDestinations: 2})
		d := &driver{handle: func(context.Context, *outbound.Message) error { return fail(transport.Temporary) }}
		f := startOver(t, store, d, outbound.Options{Profiles: directory})
		f.wantQuota("", 0, f.to(small, "test://a/", 1), f.to(small, "test://b/", 1))
		synctest.Wait()
		f.close()
		f = startOver(t, store, d, outbound.Options{Profiles: directory})
		f.wantQuota("max_destinations", 0, f.to(small, "test://c/", 1))
		f.wantQuota("", 0, f.to(small, "test://a/", 1))
		f.wantQuota("max_messages", 0, f.to(small, "test://a/", 1))
	})
}

func TestRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory, small := tenants(t, profile.Limits{MaxRate: 10, Burst: 5})
		f := start(t, &driver{}, outbound.Options{Profiles: directory})
		batch := func(n int) (all []outbound.Message) {
			for range n {
				all = append(all, f.to(small, "test://host/", 1))
			}
			return all
		}
		f.wantQuota("burst", 0, batch(6)...)
		f.wantQuota("", 0, batch(3)...)
		f.wantQuota("max_rate", 100*time.Millisecond, batch(3)...)
		f.wantQuota("max_rate", 300*time.Millisecond, batch(5)...)
		f.wantQuota("max_rate", 100*time.Millisecond, append(batch(1), append([]outbound.Message{f.to(nil, "test://host/", 1)}, batch(2)...)...)...)
		f.wantQuota("", 0, batch(2)...)
		f.wantQuota("max_rate", 100*time.Millisecond, batch(1)...)
		f.wantQuota("", 0, f.to(nil, "test://host/", 1)) // somebody else
		pass(100 * time.Millisecond)
		f.wantQuota("", 0, batch(1)...)
		f.wantQuota("max_rate", 100*time.Millisecond, batch(1)...)
		pass(time.Hour) // what is saved up is no more than the burst
		f.wantQuota("", 0, batch(5)...)
		f.wantQuota("max_rate", 100*time.Millisecond, batch(1)...)
		pass(50 * time.Millisecond)
		f.wantQuota("max_rate", 50*time.Millisecond, batch(1)...)
		for range 1000 { // at just the rate
			pass(100 * time.Millisecond)
			f.wantQuota("", 0, batch(1)...)
		}
	})
}

func TestSlowRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory, small := tenants(t, profile.Limits{MaxRate: 1e-30})
		f := start(t, &driver{}, outbound.Options{Profiles: directory})
		f.wantQuota("", 0, f.to(small, "test://host/", 1))
		_, err := f.Send(t.Context(), f.to(small, "test://host/", 1))
		if quota, ok := errors.AsType[*outbound.QuotaError](err); !ok || quota.Limit != "max_rate" || quota.RetryAfter < 1000*time.Hour {
			t.Errorf("err = %v", err)
		}
	})
}

// TestRefusedByTheStoreSpendsNoRate: what a store had no room for was not sent.
func TestRefusedByTheStoreSpendsNoRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		full := true
		store.enqueue = func() error {
			if full {
				return queue.ErrStoreFull
			}
			return nil
		}
		directory, small := tenants(t, profile.Limits{MaxRate: 1, Burst: 3})
		f := startOver(t, store, &driver{}, outbound.Options{Profiles: directory})
		m := f.to(small, "test://host/", 1)
		for i := range 5 {
			if _, err := f.SendBatch(t.Context(), []outbound.Message{m, m}); !errors.Is(err, queue.ErrStoreFull) {
				t.Errorf("%d: err = %v, want that the store is full", i, err)
			}
		}
		full = false
		f.wantQuota("", 0, m, m, m)
		f.wantQuota("max_rate", time.Second, m) // no more was given back than was spent
	})
}

// TestQuotasFollowAFailOverThatIsOvertaken: the message has ended where it went
// before the worker that sent it there gets to count it.
func TestQuotasFollowAFailOverThatIsOvertaken(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		store.settled = func(outcomes []queue.Outcome) {
			if outcomes[0].Verdict == queue.VerdictRetry {
				pass(time.Second)
			}
		}
		directory, small := tenants(t, profile.Limits{MaxDestinations: 2})
		f := startOver(t, store, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "a" {
				return fail(transport.Permanent)
			}
			return nil
		}}, outbound.Options{Profiles: directory})
		later := f.to(small, "test://a/", 1) // keeps the profile counted
		later.NotBefore = time.Now().Add(time.Hour)
		m := f.to(small, "test://a/", 1)
		alternates(t, "test://b/")(&m)
		f.wantQuota("", 0, later, m)
		pass(10 * time.Millisecond)
		f.wantQuota("", 0, f.to(small, "test://b/", 1)) // has somebody look there
		pass(time.Minute)
		if n := len(f.driver.seen()); n != 3 {
			t.Fatalf("%d attempts, want 3", n)
		}
		f.wantQuota("", 0, f.to(small, "test://c/", 1)) // a and c
	})
}

// TestQuotaThatNothingFits: what is more by itself than may ever wait is not told to
// try again.
func TestQuotaThatNothingFits(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory, small := tenants(t, profile.Limits{MaxMessages: 2, MaxBytes: 10})
		f := start(t, &driver{}, outbound.Options{Profiles: directory})
		for name, batch := range map[string][]outbound.Message{
			"bytes":    {f.to(small, "test://host/", 11)},
			"messages": {f.to(small, "test://host/", 1), f.to(small, "test://host/", 1), f.to(small, "test://host/", 1)},
		} {
			_, err := f.SendBatch(t.Context(), batch)
			if !errors.Is(err, outbound.ErrTooLarge) || !strings.Contains(err.Error(), "profile small") {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestSendInPlace: what answers a message takes its place, also where nothing more fits.
func TestSendInPlace(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory, tenant := tenants(t, profile.Limits{MaxMessages: 1, MaxDestinations: 1})
		d := &driver{}
		f := start(t, d, outbound.Options{Profiles: directory, MaxMessages: 1})
		answer := outbound.Message{Endpoint: endpoint(t, "test://other/"), Payload: []byte("answer"), Profile: tenant, IdempotencyKey: "reply"}
		d.handle = func(ctx context.Context, m *outbound.Message) error {
			if string(m.Payload) == "answer" {
				return nil
			}
			if _, err := f.Send(ctx, answer); !errors.Is(err, outbound.ErrQueueFull) {
				t.Errorf("a message like any other: %v, want ErrQueueFull", err)
			}
			for i := range 2 {
				if accepted, err := f.SendInPlace(ctx, answer); err != nil || accepted.Duplicate != (i == 1) {
					t.Errorf("the answer: %+v, %v", accepted, err)
				}
			}
			return nil
		}
		f.send("test://host/", func(m *outbound.Message) { m.Profile = tenant })
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := len(d.seen()); got != 2 {
			t.Errorf("%d messages were attempted, want 2", got)
		}
	})
}

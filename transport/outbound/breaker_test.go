package outbound_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// retryAtOnce retries every second, as good as for ever.
func retryAtOnce() outbound.RetryPolicy {
	return outbound.RetryPolicy{Base: time.Second, MaxAttempts: 1_000_000}
}

// longest is the longest that jitter makes of a cool-off.
func longest(d time.Duration) time.Duration { return d + d/5 }

// failing is a driver that fails with an error until it is cured.
type failing struct {
	driver
	cured atomic.Bool
	err   error
}

func newFailing(err error) *failing {
	f := &failing{err: err}
	f.handle = func(context.Context, *outbound.Message) error {
		if f.cured.Load() {
			return nil
		}
		return f.err
	}
	return f
}

// Eleven messages, of which one is attempted at a time: ten failures in a row open
// the breaker. Then there is one attempt after each cool-off, which doubles from
// 5 s to 5 min and is at most a fifth longer.
func TestBreakerOpensAndProbes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{LaneConcurrency: 1, Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 1000}})
		for range 40 {
			f.send("test://host/", nil)
		}
		pass(time.Hour / 2)
		seen := d.seen()
		if len(seen) < 19 || len(seen) > 21 {
			t.Fatalf("%d attempts in half an hour, want 10 and then one after each cool-off", len(seen))
		}
		for i, want := 1, time.Duration(0); i < len(seen); i++ {
			switch {
			case i == 10:
				want = 5 * time.Second
			case i > 10:
				want = min(2*want, 5*time.Minute)
			}
			if got := seen[i].at.Sub(seen[i-1].at); got < want || got > longest(want) {
				t.Errorf("attempt %d came after %v, want %v and at most a fifth more", i+1, got, want)
			}
		}
	})
}

func TestBreakerTakesItsNumbersFromTheOptions(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Unknown))
		f := start(t, &d.driver, outbound.Options{
			LaneConcurrency: 1, Retry: outbound.NoRetry(),
			Breaker: outbound.Breaker{Failures: 3, CoolOff: time.Hour, MaxCoolOff: 90 * time.Minute},
		})
		for range 10 {
			f.send("test://host/", nil)
		}
		pass(5 * time.Hour)
		seen := d.seen()
		if len(seen) < 5 {
			t.Fatalf("%d attempts", len(seen))
		}
		for i, want := range []time.Duration{0, 0, time.Hour, 90 * time.Minute} {
			if got := seen[i+1].at.Sub(seen[i].at); got < want || got > longest(want) {
				t.Errorf("attempt %d came after %v, want %v", i+2, got, want)
			}
		}
	})
}

func TestBreakerDisabled(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: retryAtOnce(), Breaker: outbound.Breaker{Disabled: true}})
		f.send("test://host/", nil)
		pass(99*time.Second + time.Millisecond)
		if n := len(d.seen()); n != 100 {
			t.Errorf("%d attempts in 99 s, want 100", n)
		}
	})
}

// What does not fail the destination does not open its breaker, and what succeeds
// in between has the count begin anew.
func TestBreakerCountsFailuresInARow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		results func(i int) error
		opens   bool
	}{
		"temporary":                  {func(int) error { return fail(transport.Temporary) }, true},
		"throttled":                  {func(int) error { return fail(transport.Throttled) }, true},
		"unknown":                    {func(int) error { return fail(transport.Unknown) }, true},
		"without a class":            {func(int) error { return errBroken }, true},
		"permanent":                  {func(int) error { return fail(transport.Permanent) }, false},
		"every tenth succeeds":       {func(i int) error { return alternate(i%10 != 9, fail(transport.Temporary), nil) }, false},
		"every eleventh succeeds":    {func(i int) error { return alternate(i%11 != 10, fail(transport.Temporary), nil) }, true},
		"every second is permanent":  {func(i int) error { return alternate(i%2 == 0, fail(transport.Temporary), fail(transport.Permanent)) }, true},
		"every second does not fail": {func(i int) error { return alternate(i%2 == 0, fail(transport.Temporary), nil) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				i := -1
				f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
					i++
					return c.results(i)
				}}, outbound.Options{LaneConcurrency: 1, Retry: outbound.NoRetry()})
				for range 100 {
					f.send("test://host/", nil)
				}
				synctest.Wait()
				if opened := i < 99; opened != c.opens {
					t.Errorf("%d attempts at once, of 100", i+1)
				}
			})
		})
	}
}

func alternate(first bool, a, b error) error {
	if first {
		return a
	}
	return b
}

// Of the messages that wait for an open breaker none is leased or counted, and
// those that expire do so.
func TestMessagesWaitForAnOpenBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Workers: 4, LaneConcurrency: 4, Retry: outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 5}})
		began := time.Now()
		var ids []transport.ID
		for range 50 {
			ids = append(ids, f.send("test://host/", func(m *outbound.Message) { m.ExpiresAt = began.Add(3 * time.Second) }))
		}
		pass(time.Second)
		made := len(d.seen())
		if made < 10 || made > 13 { // the last three were under way
			t.Errorf("%d attempts before the breaker opened", made)
		}
		attempts := 0
		for _, id := range ids {
			r := f.record(id)
			attempts += r.Attempts
			if r.State == queue.StateDeliver {
				t.Errorf("%s is leased", id)
			}
		}
		if attempts != made {
			t.Errorf("%d attempts are counted, %d were made", attempts, made)
		}
		pass(2 * time.Second)
		synctest.Wait()
		for _, id := range ids {
			f.wantResult(id, queue.Expired)
		}
		if len(d.seen()) != made {
			t.Errorf("there were attempts while the breaker was open")
		}
	})
}

// After a recovery the backlog comes with as many attempts at once as the lane
// may have, and not before some have succeeded.
func TestRecoveryIsNoThunderingHerd(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{}
		var cured atomic.Bool
		atOnce := map[int]int{} // by the number of the attempt
		d.handle = func(context.Context, *outbound.Message) error {
			if !cured.Load() {
				return fail(transport.Temporary)
			}
			d.mu.Lock()
			atOnce[len(atOnce)] = d.now
			d.mu.Unlock()
			pass(time.Second)
			return nil
		}
		f := start(t, d, outbound.Options{LaneConcurrency: 8, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 1000}})
		for range 500 {
			f.send("test://host/", nil)
		}
		pass(time.Minute)
		cured.Store(true)
		d.mu.Lock()
		d.most = 0
		d.mu.Unlock()
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d.most != 8 {
			t.Errorf("%d attempts at once after the recovery, want the lane's 8", d.most)
		}
		for i, most := range []int{1, 2, 2, 4, 4, 4, 4, 8, 8} { // those that may be under way, itself included
			if atOnce[i] > most {
				t.Errorf("attempt %d after the recovery was one of %d, want at most %d", i+1, atOnce[i], most)
			}
		}
	})
}

// One that hangs is narrowed to one attempt at a time by its first deadline, and
// has its breaker opened by ten.
func TestHangingOpensTheBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := &driver{handle: func(ctx context.Context, _ *outbound.Message) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		f := start(t, d, outbound.Options{LaneConcurrency: 4, AttemptTimeout: time.Second, Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 10}})
		for range 100 {
			f.send("test://host/", nil)
		}
		began := time.Now()
		pass(time.Minute)
		var at []time.Duration
		for _, a := range d.seen() {
			at = append(at, a.at.Sub(began))
		}
		for i, second := range []int{0, 0, 0, 0, 1, 2, 3, 4, 5, 6} {
			if at[i] != time.Duration(second)*time.Second {
				t.Fatalf("attempts at %v", at)
			}
		}
		if gap := at[10] - at[9]; gap < 6*time.Second { // the attempt and the cool-off
			t.Errorf("the eleventh attempt came %v after the tenth", gap)
		}
	})
}

// A breaker is one destination's.
func TestBreakerHoldsNoOtherDestination(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "down" {
				return fail(transport.Temporary)
			}
			return nil
		}}, outbound.Options{Retry: retryAtOnce()})
		for range 100 {
			f.send("test://down/", nil)
		}
		pass(time.Minute)
		began := time.Now()
		id := f.send("test://up/", nil)
		synctest.Wait()
		f.wantResult(id, queue.Delivered)
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Whoever resumes a destination says that it works: its breaker is closed.
func TestResumeClosesTheBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Millisecond, MaxAttempts: 1000}, Breaker: outbound.Breaker{CoolOff: time.Hour}})
		for range 20 {
			f.send("test://host/", nil)
		}
		pass(time.Minute)
		d.cured.Store(true)
		began := time.Now()
		if err := f.ResumeDestination(t.Context(), queue.Lane{Profile: "default", Destination: "test://host/"}); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Failures in a row are counted over times without work, too.
func TestFailuresAreRememberedWithoutWork(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: outbound.NoRetry(), Breaker: outbound.Breaker{CoolOff: time.Hour}})
		for range 10 {
			f.send("test://host/", nil)
			pass(longest(time.Hour))
		}
		d.cured.Store(true)
		id := f.send("test://host/", nil)
		pass(time.Second)
		f.wantResult(id, queue.Delivered) // the cool-off is over: this is the probe
		d.cured.Store(false)
		for range 11 {
			id = f.send("test://host/", nil)
			pass(time.Minute)
		}
		f.wantResult(id, "") // waits
	})
}

func TestBreakerOptionsAreChecked(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		breaker outbound.Breaker
		ok      bool
	}{
		"Breaker.Failures":   {outbound.Breaker{Failures: -1}, false},
		"Breaker.CoolOff":    {outbound.Breaker{CoolOff: -1}, false},
		"Breaker.MaxCoolOff": {outbound.Breaker{CoolOff: 2, MaxCoolOff: 1}, false},
		"at most 720h0m0s":   {outbound.Breaker{CoolOff: time.Hour, MaxCoolOff: 1<<63 - 1}, false},
		"long cool-off":      {outbound.Breaker{CoolOff: time.Hour}, true},
		"nothing":            {outbound.Breaker{}, true},
	} {
		_, err := outbound.New(store, outbound.Options{Breaker: c.breaker})
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

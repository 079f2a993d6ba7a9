package outbound_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// test tests the destination test://host/.
func (f *fixture) test() outbound.DestinationTest {
	f.t.Helper()
	result, err := f.TestDestination(f.t.Context(), hostLane())
	if err != nil {
		f.t.Fatalf("TestDestination: %v", err)
	}
	return result
}

// hold pauses the destination of the tests.
func (f *fixture) hold(until time.Time) {
	f.t.Helper()
	if err := f.PauseDestination(f.t.Context(), hostLane(), until, ""); err != nil {
		f.t.Fatal(err)
	}
}

func TestTestOfAPausedDestination(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		f.hold(queue.Forever)
		first, second := f.send("test://host/", nil), f.send("test://host/", nil)
		got := f.test()
		want := outbound.DestinationTest{
			ID: first, Attempt: 1, Class: transport.Success, Evidence: transport.Acknowledged, Code: "ok", Result: queue.Delivered,
		}
		if got != want {
			t.Errorf("the test says %+v, want %+v", got, want)
		}
		f.wantResult(first, queue.Delivered)
		pass(time.Hour)
		f.wantResult(second, "") // the pause goes on
		if d := f.Destination(t.Context(), hostLane()); !d.PausedUntil.Equal(queue.Forever) || d.InFlight != 0 {
			t.Errorf("the destination is %+v", d)
		}
	})
}

func TestTestThatSucceedsClosesTheBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{
			LaneConcurrency: 1, Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 100}, Breaker: outbound.Breaker{CoolOff: time.Hour},
		})
		for range 30 {
			f.send("test://host/", nil)
		}
		pass(time.Minute)
		f.wantTold("failing 0")
		d.cured.Store(true)
		began := time.Now()
		if got := f.test(); got.Class != transport.Success {
			t.Errorf("the test says %+v", got)
		}
		if s := f.Destination(t.Context(), hostLane()); s.Breaker != outbound.BreakerClosed || s.Failures != 0 || !s.FailingSince.IsZero() {
			t.Errorf("the destination is %+v", s)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("the others took %v", took)
		}
		f.wantTold("recovered 0")
	})
}

// One that fails counts, but does not prolong the cool-off.
func TestTestThatFails(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(nil)
		failure := fail(transport.Temporary)
		failure.Code = "503"
		d.err = failure
		f := start(t, &d.driver, outbound.Options{
			LaneConcurrency: 1, Retry: outbound.RetryPolicy{Base: 24 * time.Hour, MaxAttempts: 100}, Breaker: outbound.Breaker{CoolOff: time.Hour},
		})
		var ids []transport.ID
		for range 12 {
			ids = append(ids, f.send("test://host/", nil))
		}
		pass(time.Minute)
		before := f.Destination(t.Context(), hostLane())
		if before.Breaker != outbound.BreakerOpen || before.Failures != 10 || before.Error == "" || before.Class != transport.Temporary {
			t.Errorf("the destination is %+v", before)
		}
		got := f.test()
		if got.ID != ids[10] || got.Attempt != 1 || got.Class != transport.Temporary || got.Code != "503" || got.Error == "" || got.Result != "" {
			t.Errorf("the test says %+v", got)
		}
		if r := f.record(ids[10]); r.Attempts != 1 || r.State != queue.StateRetry {
			t.Errorf("the message is %+v", r)
		}
		after := f.Destination(t.Context(), hostLane())
		if after.Failures != 11 || after.Breaker != outbound.BreakerOpen || !after.OpenUntil.Equal(before.OpenUntil) {
			t.Errorf("the destination is %+v, and was %+v", after, before)
		}
		pass(time.Until(before.OpenUntil) + time.Second)
		if n := len(d.seen()); n != 12 { // ten, the test, and the probe
			t.Errorf("%d attempts", n)
		}
	})
}

// Where nothing is due, the message whose retry is next will do, but none before
// its first attempt is allowed.
func TestTestTakesWhatWaitsForARetry(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Unknown))
		f := start(t, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 3}})
		f.send("test://host/", func(m *outbound.Message) { m.NotBefore = time.Now().Add(time.Minute) })
		if _, err := f.TestDestination(t.Context(), hostLane()); !errors.Is(err, outbound.ErrNothingWaits) {
			t.Errorf("with a message of the future: %v", err)
		}
		id := f.send("test://host/", nil)
		synctest.Wait()
		for attempt := 2; attempt <= 3; attempt++ {
			if got := f.test(); got.ID != id || got.Attempt != attempt {
				t.Errorf("the test says %+v, want attempt %d of %s", got, attempt, id)
			}
		}
		f.wantResult(id, queue.Dead)
		if _, err := f.TestDestination(t.Context(), hostLane()); !errors.Is(err, outbound.ErrNothingWaits) {
			t.Errorf("with no message: %v", err)
		}
	})
}

func TestTestOfADestinationThatWasGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{FailureBudget: 20 * time.Hour, Retry: hourly()})
		f.send("test://host/", nil)
		pass(24 * time.Hour)
		f.told()
		d.cured.Store(true)
		if got := f.test(); got.Result != queue.Delivered {
			t.Errorf("the test says %+v", got)
		}
		f.wantTold("recovered 0")
		if s := f.states(); len(s) != 1 || !s[0].PausedUntil.Equal(queue.Forever) || !s[0].FailingSince.IsZero() {
			t.Errorf("the store keeps %+v", s)
		}
	})
}

func TestTestCountsAgainstTheRate(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneRate: outbound.Rate{PerSecond: 1}})
		for range 3 {
			f.send("test://host/", nil)
		}
		synctest.Wait()
		f.test() // has no token of its own
		pass(1999 * time.Millisecond)
		if n := len(f.driver.seen()); n != 2 {
			t.Errorf("%d attempts in the first two seconds, want 2", n)
		}
		pass(time.Millisecond)
		synctest.Wait()
		if n := len(f.driver.seen()); n != 3 {
			t.Errorf("%d attempts in all, want 3", n)
		}
	})
}

// A test waits for a worker; it can be given up, and ends with the manager.
func TestTestWaitsForAWorker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		release := make(chan struct{})
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			<-release
			return nil
		}}, outbound.Options{Workers: 1})
		f.send("test://other/", nil)
		f.send("test://host/", nil)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.TestDestination(ctx, hostLane()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		failed := make(chan error)
		go func() {
			_, err := f.TestDestination(t.Context(), hostLane())
			failed <- err
		}()
		synctest.Wait()
		stopped := make(chan error)
		go func() {
			_, err := f.Stop(t.Context())
			stopped <- err
		}()
		if err := <-failed; !errors.Is(err, outbound.ErrStopped) {
			t.Errorf("stopped: %v", err)
		}
		close(release)
		if err := <-stopped; err != nil {
			t.Error(err)
		}
		if n := len(f.driver.seen()); n != 1 {
			t.Errorf("%d attempts, want 1", n)
		}
		if _, err := f.TestDestination(t.Context(), hostLane()); !errors.Is(err, outbound.ErrStopped) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestDestinationsAreListed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "down" {
				return fail(transport.Temporary)
			}
			return nil
		}}, outbound.Options{Retry: outbound.NoRetry(), LaneConcurrency: 1, LaneRate: outbound.Rate{PerSecond: 100, Burst: 50}})
		f.send("test://up/", nil)
		began := time.Now()
		for range 11 {
			f.send("test://down/", nil)
		}
		f.hold(queue.Forever)
		pass(time.Second)
		all := f.Destinations(t.Context())
		if len(all) != 2 {
			t.Fatalf("listed are %+v", all)
		}
		down, host := all[0], all[1]
		if down.Lane.Destination != "test://down/" || down.Breaker != outbound.BreakerOpen || down.Failures != 10 ||
			!down.FailingSince.Equal(began) || !down.OpenUntil.After(time.Now()) || down.Rate.PerSecond != 100 {
			t.Errorf("down is %+v", down)
		}
		if host.Lane != hostLane() || !host.PausedUntil.Equal(queue.Forever) || host.Breaker != outbound.BreakerClosed {
			t.Errorf("host is %+v", host)
		}
		stats, err := f.Stats(t.Context())
		if want := (outbound.DestinationCounts{Failing: 1, Open: 1, Paused: 1}); err != nil || stats.Destinations != want {
			t.Errorf("counts are %+v, %v, want %+v", stats.Destinations, err, want)
		}
		pass(5 * time.Second) // half-open, and then open again
		if d := f.Destination(t.Context(), down.Lane); d.Failures != 11 {
			t.Errorf("after the probe: %+v", d)
		}
		pass(time.Minute) // there is nothing more to probe with
		if d := f.Destination(t.Context(), down.Lane); d.Breaker != outbound.BreakerHalfOpen {
			t.Errorf("after the second cool-off: %+v", d)
		}
		up := queue.Lane{Profile: "default", Destination: "test://up/"}
		if d := f.Destination(t.Context(), up); d.Breaker != outbound.BreakerClosed || d.Lane != up {
			t.Errorf("up is %+v", d)
		}
	})
}

package outbound_test

import (
	"context"
	"fmt"
	"slices"
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

// hostLane is the lane of test://host/.
func hostLane() queue.Lane { return queue.Lane{Profile: "default", Destination: "test://host/"} }

// told drains the events so far and returns those about destinations.
func (f *fixture) told() (topics []string, events []outbound.DestinationEvent) {
	f.t.Helper()
	synctest.Wait()
	for {
		select {
		case e := <-f.events.Events():
			if d, ok := e.Payload.(outbound.DestinationEvent); ok {
				topics = append(topics, fmt.Sprint(strings.TrimPrefix(e.Topic, "destination::"), " ", d.Percent))
				events = append(events, d)
			}
		default:
			return topics, events
		}
	}
}

func (f *fixture) wantTold(want ...string) []outbound.DestinationEvent {
	f.t.Helper()
	topics, events := f.told()
	if !slices.Equal(topics, want) {
		f.t.Fatalf("told %q, want %q", topics, want)
	}
	return events
}

// paused are the lanes that the store knows to be paused.
func (f *fixture) paused() []queue.LaneState {
	f.t.Helper()
	return slices.DeleteFunc(f.states(), func(s queue.LaneState) bool { return !s.PausedUntil.After(time.Now()) })
}

// states are the lane states that the store keeps.
func (f *fixture) states() []queue.LaneState {
	f.t.Helper()
	states, err := f.store.Lanes(f.t.Context())
	if err != nil {
		f.t.Fatal(err)
	}
	return states
}

// hourly makes an attempt each hour, as good as for ever.
func hourly() outbound.RetryPolicy {
	return outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 1_000_000}
}

func TestFailingForLongPauses(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Unknown))
		f := start(t, &d.driver, outbound.Options{FailureBudget: 100 * time.Hour, Retry: hourly()})
		began := time.Now()
		id := f.send("test://host/", nil)
		pass(8*time.Hour + time.Minute)
		f.wantTold() // nine failures
		pass(time.Hour)
		opened := f.wantTold("failing 0")[0]
		if opened.Failures != 10 || !opened.Since.Equal(began) || opened.Class != transport.Unknown ||
			opened.Error != "test test: broken" || opened.Profile != "default" || opened.Destination != "test://host/" {
			t.Errorf("the event is %+v", opened)
		}
		pass(time.Until(began.Add(49 * time.Hour)))
		f.wantTold()
		pass(2 * time.Hour)
		f.wantTold("failing 50")
		pass(20 * time.Hour)
		f.wantTold("failing 70")
		pass(20 * time.Hour)
		f.wantTold("failing 90")
		pass(20 * time.Hour)
		paused := f.wantTold("failing 100", "paused 100")[1]
		if !paused.PausedUntil.Equal(queue.Forever) || !strings.Contains(paused.Reason, began.UTC().Format(time.RFC3339)) {
			t.Errorf("the pause is told as %+v", paused)
		}
		states := f.states()
		if len(states) != 1 || states[0].Lane != hostLane() || !states[0].PausedUntil.Equal(queue.Forever) ||
			states[0].Reason != paused.Reason || !states[0].FailingSince.Equal(began) {
			t.Errorf("the store keeps %+v", states)
		}
		made := len(d.seen())
		pass(1000 * time.Hour)
		if n := len(d.seen()); n != made {
			t.Errorf("%d attempts while paused", n-made)
		}
		f.wantTold()
		if err := f.ResumeDestination(t.Context(), hostLane()); err != nil {
			t.Fatal(err)
		}
		f.wantTold("resumed 0")
		pass(40 * time.Hour) // a new budget
		f.wantTold("failing 0")
		d.cured.Store(true)
		pass(2 * time.Hour)
		f.wantResult(id, queue.Delivered)
		f.wantTold("recovered 0")
		if states := f.states(); len(states) != 0 {
			t.Errorf("the store keeps %+v after the recovery", states)
		}
	})
}

func TestRecoveryIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{LaneConcurrency: 1, Retry: retryAtOnce()})
		began := time.Now()
		for range 12 {
			f.send("test://host/", nil)
		}
		pass(time.Minute)
		f.wantTold("failing 0")
		d.cured.Store(true)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		e := f.wantTold("recovered 0")[0]
		if e.Failures < 12 || !e.Since.Equal(began) || e.Error == "" {
			t.Errorf("the event is %+v", e)
		}
		d.cured.Store(false)
		for range 12 {
			f.send("test://host/", nil)
		}
		pass(time.Minute)
		f.wantTold("failing 0") // another period
	})
}

// A few failures are nothing to tell of, nor is what follows them.
func TestShortFailingIsNotTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: retryAtOnce()})
		f.send("test://host/", nil)
		pass(8 * time.Second)
		d.cured.Store(true)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantTold()
		if states := f.states(); len(states) != 0 {
			t.Errorf("the store keeps %+v", states)
		}
	})
}

// A daemon that is restarted each day, and tries once an hour, gives up after five
// days, too; also when no life of it sees ten failures.
func TestFailingOutlivesRestarts(t *testing.T) {
	t.Parallel()
	for name, every := range map[string]time.Duration{"hourly": time.Hour, "every five hours": 5 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				store, err := memqueue.New(memqueue.Options{})
				if err != nil {
					t.Fatal(err)
				}
				d := newFailing(fail(transport.Temporary))
				began := time.Now()
				var all []string
				for i := range 6 {
					f := startOver(t, store, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: every, MaxAttempts: 1000}})
					if i == 0 {
						f.send("test://host/", nil)
					}
					pass(24 * time.Hour)
					topics, _ := f.told()
					all = append(all, topics...)
					if _, err := f.Stop(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if n := len(all); n < 2 || !slices.Equal(all[n-2:], []string{"failing 100", "paused 100"}) {
					t.Errorf("told %q", all)
				}
				last := d.seen()[len(d.seen())-1].at.Sub(began)
				if last < 5*24*time.Hour || last > 5*24*time.Hour+2*every {
					t.Errorf("the last attempt came after %v", last)
				}
			})
		})
	}
}

func TestFailureBudgetWithoutLimit(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{FailureBudget: -1, Retry: hourly()})
		f.send("test://host/", nil)
		pass(1000 * time.Hour)
		f.wantTold("failing 0")
		if n := len(d.seen()); n < 1000 {
			t.Errorf("%d attempts in 1000 hours", n)
		}
	})
}

// A destination for which there is nothing more is forgotten after a day: it may
// have been repaired.
func TestFailingIsForgottenWithoutWork(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{LaneConcurrency: 1, Retry: outbound.NoRetry()})
		for range 10 {
			f.send("test://host/", nil)
		}
		pass(time.Second)
		if states := f.states(); len(states) != 1 || states[0].FailingSince.IsZero() {
			t.Errorf("the store keeps %+v", states)
		}
		pass(24 * time.Hour)
		synctest.Wait()
		if states := f.states(); len(states) != 0 {
			t.Errorf("the store keeps %+v a day later", states)
		}
		f.wantTold("failing 0")
	})
}

// A pause by hand, and its end, leave alone what is known of the failing.
func TestPauseWhileFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{FailureBudget: 100 * time.Hour, Retry: hourly()})
		began := time.Now()
		f.send("test://host/", nil)
		pass(20 * time.Hour)
		f.wantTold("failing 0")
		until := time.Now().Add(10 * time.Hour)
		if err := f.PauseDestination(t.Context(), hostLane(), until, "repair"); err != nil {
			t.Fatal(err)
		}
		if s := f.states(); len(s) != 1 || !s[0].FailingSince.Equal(began) || !s[0].PausedUntil.Equal(until) || s[0].Reason != "repair" {
			t.Errorf("the store keeps %+v", s)
		}
		e := f.wantTold("paused 0")[0]
		if !e.PausedUntil.Equal(until) || e.Reason != "repair" || e.Failures == 0 || !e.Since.Equal(began) {
			t.Errorf("the pause is told as %+v", e)
		}
		pass(10 * time.Hour)
		f.wantTold("resumed 0")
		pass(21 * time.Hour)
		f.wantTold("failing 50")
	})
}

func TestDestinationEventsHideSecrets(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(_ context.Context, m *outbound.Message) error {
			err := fail(transport.Temporary)
			err.Endpoint = m.Endpoint
			return err
		}}, outbound.Options{LaneConcurrency: 1, Retry: outbound.NoRetry()})
		for range 10 {
			f.send("test://host/inbox?token=s3cr3tcanary#s3cr3tcanary", nil)
		}
		pass(time.Second)
		_, events := f.told()
		if len(events) != 1 || strings.Contains(fmt.Sprintf("%+v", events), "s3cr3tcanary") {
			t.Errorf("told %+v", events)
		}
	})
}

// Restarts do not make a failure of long ago, with nothing to deliver since, last.
func TestOldFailingDoesNotGrowOverRestarts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		d := newFailing(fail(transport.Temporary))
		options := outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 12}}
		f := startOver(t, store, &d.driver, options)
		f.send("test://host/", nil)
		pass(time.Minute)
		f.wantTold("failing 0")
		f.close()
		for range 7 { // longer than the budget, and none of them for a day
			f = startOver(t, store, &d.driver, options)
			pass(20 * time.Hour)
			f.close()
		}
		f = startOver(t, store, &d.driver, options)
		f.send("test://host/", nil)
		f.wantTold()
		if now := f.Destination(t.Context(), hostLane()); now.Failures != 1 || !now.FailingSince.Equal(time.Now()) || !now.PausedUntil.IsZero() {
			t.Errorf("after one failure: %+v", now)
		}
	})
}

// Nobody knows what a destination was like while the daemon was down: one failure
// after that is not the last of many.
func TestDowntimeIsNoFailing(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		d := newFailing(fail(transport.Temporary))
		options := outbound.Options{Retry: outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 1000}}
		f := startOver(t, store, &d.driver, options)
		f.send("test://host/", nil)
		pass(time.Hour)
		f.close()
		pass(30 * 24 * time.Hour) // the budget is five days
		f = startOver(t, store, &d.driver, options)
		pass(time.Hour)
		if now := f.Destination(t.Context(), hostLane()); now.Failures < 10 || !now.PausedUntil.IsZero() {
			t.Errorf("an hour after the start: %+v", now)
		}
		pass(time.Hour)
		if now := f.Destination(t.Context(), hostLane()); !now.PausedUntil.Equal(queue.Forever) {
			t.Errorf("two hours after the start: %+v", now)
		}
	})
}

// Nobody knows what a destination was like between two failures far apart.
func TestFailuresFarApartSpendNoBudget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{Retry: hourly()})
		f.send("test://host/", nil)
		synctest.Wait()
		const repair = 6 * 24 * time.Hour // the budget is five days
		if err := f.PauseDestination(t.Context(), hostLane(), time.Now().Add(repair), ""); err != nil {
			t.Fatal(err)
		}
		pass(repair)
		f.wantTold("paused 0", "resumed 0")
		if n := len(d.seen()); n != 2 {
			t.Fatalf("%d attempts, want one before the pause and one after it", n)
		}
		if now := f.Destination(t.Context(), hostLane()); !now.FailingSince.Equal(time.Now()) || !now.PausedUntil.IsZero() {
			t.Errorf("after two failures: %+v", now)
		}
	})
}

// A recovery that the store could not record would have the next failure, after a
// restart, taken for the last of many.
func TestRecoveryIsRecordedWhenTheStoreCan(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		var full atomic.Bool
		store.setLane = func() error {
			if full.Load() {
				return queue.ErrStoreFull
			}
			return nil
		}
		d := newFailing(fail(transport.Temporary))
		f := startOver(t, store, &d.driver, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 12}})
		f.send("test://host/", nil)
		pass(time.Minute)
		if states := f.states(); len(states) != 1 {
			t.Fatalf("the store keeps %+v of a destination that fails", states)
		}
		full.Store(true)
		d.cured.Store(true)
		f.send("test://host/", nil)
		pass(time.Minute)
		f.wantTold("failing 0", "recovered 0")
		full.Store(false)
		pass(time.Hour)
		if states := f.states(); len(states) != 0 {
			t.Errorf("the store keeps %+v after the recovery", states)
		}
	})
}

package outbound_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestRetryAfterPausesTheLaneOnly(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		first := true
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 1})
		f.driver.handle = func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "busy" && first {
				first = false
				err := fail(transport.Throttled)
				err.RetryAfter = time.Hour
				return err
			}
			return nil
		}
		began := time.Now()
		f.send("test://busy/", nil)
		f.send("test://busy/", nil)
		synctest.Wait()
		f.send("test://other/", nil)
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		at := map[string][]time.Duration{}
		for _, a := range f.driver.seen() {
			at[a.endpoint] = append(at[a.endpoint], a.at.Sub(began))
		}
		if want := []time.Duration{0, time.Hour, time.Hour}; !slices.Equal(at["test://busy/"], want) {
			t.Errorf("busy: attempts at %v, want %v", at["test://busy/"], want)
		}
		if want := []time.Duration{0}; !slices.Equal(at["test://other/"], want) {
			t.Errorf("other: attempts at %v, want %v", at["test://other/"], want)
		}
		if paused := f.paused(); len(paused) != 0 {
			t.Errorf("paused afterwards: %v", paused)
		}
	})
}

func TestRetryAfterIsClamped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ asked, wait time.Duration }{
		"negative": {-time.Hour, time.Second},
		"year":     {365 * 24 * time.Hour, 24 * time.Hour},
		"short":    {time.Millisecond, time.Second}, // the policy waits longer
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				first := true
				f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 3}})
				f.driver.handle = func(context.Context, *outbound.Message) error {
					if !first {
						return nil
					}
					first = false
					err := fail(transport.Throttled)
					err.RetryAfter = c.asked
					return err
				}
				began := time.Now()
				f.send("test://host/", nil)
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took != c.wait {
					t.Errorf("waited %v, want %v", took, c.wait)
				}
			})
		})
	}
}

func TestGonePausesUntilResumed(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		gone := true
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 1})
		f.driver.handle = func(context.Context, *outbound.Message) error {
			if !gone {
				return nil
			}
			err := fail(transport.Permanent)
			err.Gone = true
			return err
		}
		dead := f.send("test://host/a", nil)
		synctest.Wait()
		waiting := f.send("test://host/a", nil)
		pass(100 * time.Hour)
		f.wantResult(dead, queue.Dead)
		f.wantResult(waiting, "")
		paused := f.paused()
		if len(paused) != 1 || !paused[0].PausedUntil.Equal(queue.Forever) {
			t.Fatalf("paused = %+v", paused)
		}
		gone = false
		if err := f.ResumeDestination(t.Context(), paused[0].Lane); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(waiting, queue.Delivered)
	})
}

func TestPauseOutlivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		first := startOver(t, store, &driver{}, outbound.Options{})
		lane := queue.Lane{Profile: "default", Destination: "test://host/"}
		if err := first.PauseDestination(t.Context(), lane, time.Now().Add(time.Hour), ""); err != nil {
			t.Fatal(err)
		}
		id := first.send("test://host/", nil)
		synctest.Wait()
		left, err := first.Stop(t.Context())
		if err != nil || left.Messages != 1 || left.InFlight != 0 {
			t.Fatalf("left = %+v, %v", left, err)
		}
		second := startOver(t, store, &driver{}, outbound.Options{})
		pass(time.Hour - time.Second)
		synctest.Wait()
		second.wantResult(id, "")
		pass(time.Second)
		synctest.Wait()
		second.wantResult(id, queue.Delivered)
	})
}

// A clock that was a year ahead leaves pauses of a year, and failures to come. What
// nobody asked for does not last.
func TestAClockThatWasWrongHoldsNoDestination(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := newBadStore(t)
		busy := &driver{handle: func(context.Context, *outbound.Message) error {
			err := fail(transport.Throttled)
			err.RetryAfter = time.Hour
			return err
		}}
		first := startOver(t, store, busy, outbound.Options{})
		asked := first.send("test://asked/", nil)
		pass(time.Second)
		states := first.states()
		if len(states) != 1 {
			t.Fatalf("the store keeps %+v of a destination that asked for a pause", states)
		}
		first.close()

		began := time.Now()
		ahead := began.Add(365 * 24 * time.Hour)
		laneOf := func(host string) queue.Lane {
			return queue.Lane{Profile: "default", Destination: "test://" + host + "/"}
		}
		day := began.Add(24 * time.Hour)
		cases := []struct {
			host       string
			kept, want queue.LaneState
		}{
			{"asked", queue.LaneState{PausedUntil: ahead, Reason: states[0].Reason}, queue.LaneState{PausedUntil: day, Reason: states[0].Reason}},
			{"by-hand", queue.LaneState{PausedUntil: ahead, Reason: "repair"}, queue.LaneState{PausedUntil: ahead, Reason: "repair"}},
			{"by-hand-too", queue.LaneState{PausedUntil: ahead}, queue.LaneState{PausedUntil: ahead}},
			{"for-ever", queue.LaneState{PausedUntil: queue.Forever, Reason: "gone"}, queue.LaneState{PausedUntil: queue.Forever, Reason: "gone"}},
			{"failing", queue.LaneState{FailingSince: ahead}, queue.LaneState{FailingSince: began}},
		}
		for _, c := range cases {
			c.kept.Lane = laneOf(c.host)
			if err := store.SetLane(t.Context(), c.kept); err != nil {
				t.Fatal(err)
			}
		}
		second := startOver(t, store, &driver{}, outbound.Options{})
		byHand := second.send("test://by-hand/", nil)
		synctest.Wait()
		states = second.states()
		for _, c := range cases {
			got := stateIn(states, laneOf(c.host))
			if !got.PausedUntil.Equal(c.want.PausedUntil) || !got.FailingSince.Equal(c.want.FailingSince) || got.Reason != c.want.Reason {
				t.Errorf("%s: the store keeps %+v, want %+v", c.host, got, c.want)
			}
		}
		pass(24*time.Hour - time.Second)
		second.wantResult(asked, "")
		pass(time.Second)
		synctest.Wait()
		second.wantResult(asked, queue.Delivered)
		pass(360 * 24 * time.Hour)
		second.wantResult(byHand, "")
	})
}

// stateIn returns the state of a lane among others.
func stateIn(states []queue.LaneState, lane queue.Lane) queue.LaneState {
	for _, state := range states {
		if state.Lane == lane {
			return state
		}
	}
	return queue.LaneState{}
}

func TestLaneConcurrency(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error {
			pass(time.Second)
			return nil
		}}, outbound.Options{LaneConcurrency: 3})
		began := time.Now()
		for range 30 {
			f.send("test://host/", nil)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		if f.driver.most != 3 {
			t.Errorf("%d attempts at once, want 3", f.driver.most)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v, want 10 s: the lane was not kept busy", took)
		}
	})
}

func TestAHangingDestinationHoldsUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(ctx context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "hole" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}, outbound.Options{Workers: 16})
		for range 1000 {
			f.send("test://hole/", nil)
		}
		began := time.Now()
		var ids []transport.ID
		for i := range 1000 {
			ids = append(ids, f.send(fmt.Sprintf("test://host%d/", i%99), nil))
		}
		synctest.Wait()
		for _, id := range ids {
			f.wantResult(id, queue.Delivered)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("took %v", took)
		}
	})
}

// Forty destinations that never answer could take every worker.
func TestManyHangingDestinationsHoldUpNoOther(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(ctx context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() != "healthy" {
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		}}, outbound.Options{Workers: 64, LaneConcurrency: 8, AttemptTimeout: 30 * time.Second})
		for i := range 40 {
			for range 100 {
				f.send(fmt.Sprintf("test://hole%d/", i), nil)
			}
		}
		pass(5 * time.Minute) // until all of them have shown what they are
		for range 10 {
			began := time.Now()
			id := f.send("test://healthy/", nil)
			synctest.Wait()
			f.wantResult(id, queue.Delivered)
			if took := time.Since(began); took != 0 {
				t.Errorf("took %v", took)
			}
			pass(7 * time.Second)
		}
	})
}

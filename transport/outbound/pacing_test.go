package outbound_test

import (
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// gaps are the times between the attempts.
func gaps(seen []attempt) []time.Duration {
	var all []time.Duration
	for i := 1; i < len(seen); i++ {
		all = append(all, seen[i].at.Sub(seen[i-1].at))
	}
	return all
}

func TestLaneRateSpacesAttempts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rate outbound.Rate
		gap  time.Duration
	}{
		"ten a second":   {outbound.Rate{PerSecond: 10}, 100 * time.Millisecond},
		"three a second": {outbound.Rate{PerSecond: 3}, 333_333_334},
		"one a minute":   {outbound.Rate{PerSecond: 1.0 / 60}, time.Minute},
		"many a second":  {outbound.Rate{PerSecond: 20_000}, 50 * time.Microsecond},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{}, outbound.Options{LaneRate: c.rate})
				began := time.Now()
				for range 1000 {
					f.send("test://host/", nil)
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				for i, gap := range gaps(f.driver.seen()) {
					if gap != c.gap {
						t.Fatalf("attempt %d came %v after the one before, want %v", i+2, gap, c.gap)
					}
				}
				if took := time.Since(began); took != 999*c.gap {
					t.Errorf("1000 attempts took %v, want %v", took, 999*c.gap)
				}
			})
		})
	}
}

// After a rest of whatever length there is one burst, and then the rate.
func TestLaneRateBurst(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneRate: outbound.Rate{PerSecond: 1, Burst: 20}})
		for _, rest := range []time.Duration{0, time.Hour, 1000 * time.Hour} {
			pass(rest)
			before := len(f.driver.seen())
			for range 50 {
				f.send("test://host/", nil)
			}
			synctest.Wait()
			if n := len(f.driver.seen()) - before; n != 20 {
				t.Errorf("%d attempts at once after a rest of %v, want 20", n, rest)
			}
			began := time.Now()
			if err := f.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("the others took %v, want 30 s", took)
			}
		}
		pass(7 * time.Second)
		before := len(f.driver.seen())
		for range 10 {
			f.send("test://host/", nil)
		}
		synctest.Wait()
		if n := len(f.driver.seen()) - before; n != 7 {
			t.Errorf("%d attempts at once after seven seconds, want 7", n)
		}
	})
}

// A destination that is out of work between its messages has no more tokens for
// that.
func TestLaneRateOutlivesTheBacklog(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneRate: outbound.Rate{PerSecond: 1}})
		for range 100 {
			f.send("test://host/", nil)
			pass(100 * time.Millisecond)
		}
		synctest.Wait()
		if n := len(f.driver.seen()); n != 11 {
			t.Errorf("%d attempts from second 0 to 10, want 11", n)
		}
		f.send("test://other/", nil)
		synctest.Wait()
		if n := len(f.driver.seen()); n != 12 {
			t.Errorf("%d attempts: the other destination had to wait", n)
		}
	})
}

// Retries take tokens, too, and what waits for a token is not leased.
func TestLaneRateCountsAttempts(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		d := newFailing(fail(transport.Temporary))
		f := start(t, &d.driver, outbound.Options{
			LaneRate: outbound.Rate{PerSecond: 1}, Breaker: outbound.Breaker{Disabled: true},
			Retry: outbound.RetryPolicy{Base: time.Millisecond, MaxAttempts: 1000},
		})
		id := f.send("test://host/", nil)
		other := f.send("test://host/", nil)
		pass(99*time.Second + time.Millisecond)
		if n := len(d.seen()); n != 100 {
			t.Errorf("%d attempts in 99 s, want 100", n)
		}
		for _, id := range []transport.ID{id, other} {
			if r := f.record(id); r.State != "retry" {
				t.Errorf("a message that waits for a token is in state %s", r.State)
			}
		}
	})
}

// A profile's rate beats the manager's; a destination is paced for each profile by
// itself.
func TestProfileRates(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory := limited(t, map[string]profile.Limits{
			"plain": {}, "slow": {RatePerDestination: 0.5}, "bursty": {RatePerDestination: 2, BurstPerDestination: 5},
		})
		f := start(t, &driver{}, outbound.Options{Profiles: directory, LaneRate: outbound.Rate{PerSecond: 1}})
		for id := range map[string]int{"plain": 0, "slow": 0, "bursty": 0} {
			for range 100 {
				f.send("test://host/", f.of(directory, id))
			}
		}
		pass(10*time.Second + time.Millisecond)
		made := map[string]int{}
		for _, a := range f.driver.seen() {
			made[a.message.Profile.ID()]++
		}
		for id, want := range map[string]int{"plain": 11, "slow": 6, "bursty": 25} {
			if made[id] != want {
				t.Errorf("%s: %d attempts in ten seconds, want %d", id, made[id], want)
			}
		}
	})
}

// A lane that waits for its token delays no other.
func TestLaneRateHoldsNoWorker(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		directory := limited(t, map[string]profile.Limits{"slow": {RatePerDestination: 1}})
		f := start(t, &driver{}, outbound.Options{Workers: 1, Profiles: directory})
		for range 100 {
			f.send("test://host/", f.of(directory, "slow"))
		}
		for range 1000 {
			f.send("test://host/", nil)
		}
		synctest.Wait()
		if n := len(f.driver.seen()); n != 1001 {
			t.Errorf("%d attempts at once, want 1001", n)
		}
	})
}

func TestLaneRateIsChecked(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		rate outbound.Rate
		want string
	}{
		"none":             {outbound.Rate{}, ""},
		"one a day":        {outbound.Rate{PerSecond: 1.0 / 86400}, ""},
		"negative":         {outbound.Rate{PerSecond: -1}, "LaneRate: rate"},
		"less than a day":  {outbound.Rate{PerSecond: 1e-9}, "LaneRate: rate"},
		"not a number":     {outbound.Rate{PerSecond: math.NaN()}, "LaneRate: rate"},
		"infinite":         {outbound.Rate{PerSecond: math.Inf(1)}, "LaneRate: rate"},
		"burst alone":      {outbound.Rate{Burst: 1}, "LaneRate: rate"},
		"a negative burst": {outbound.Rate{PerSecond: 1, Burst: -1}, "LaneRate: burst"},
	} {
		_, err := outbound.New(store, outbound.Options{LaneRate: c.rate})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

package memqueue

import (
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func TestWall(t *testing.T) {
	t.Parallel()
	exact := time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC)
	tests := []struct {
		name     string
		in, want time.Time
	}{
		{"zero", time.Time{}, time.Time{}},
		{"exact", exact, exact},
		{"before 1970", time.Unix(-1, 0), time.Unix(0, 1)},
		{"1970", time.Unix(0, 0), time.Unix(0, 1)},
		{"forever", queue.Forever, time.Unix(0, math.MaxInt64)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := fromWall(toWall(test.in)); !got.Equal(test.want) {
				t.Errorf("%v became %v, want %v", test.in, got, test.want)
			}
		})
	}
}

func TestTicks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newClock()
		<-time.NewTimer(time.Hour).C
		now := c.now()
		if now.tick-c.origin != int64(time.Hour) || now.wall != now.tick {
			t.Errorf("an hour later the tick is %v on", time.Duration(now.tick-c.origin))
		}
		later := time.Now().Add(time.Minute)
		for _, at := range []time.Time{later, later.Round(0), later.UTC()} {
			if tick := now.tickOf(at); tick != now.tick+int64(time.Minute) || !now.timeOf(tick).Equal(later) {
				t.Errorf("in a minute is in %v", time.Duration(tick-now.tick))
			}
		}
		for _, at := range []time.Time{{}, time.Now(), time.Now().Add(-time.Hour), time.Unix(0, 0)} {
			if tick := now.tickOf(at); tick != now.tick {
				t.Errorf("the past is in %v", time.Duration(tick-now.tick))
			}
		}
		if tick := now.tickOf(queue.Forever); tick != math.MaxInt64 {
			t.Errorf("forever is tick %d", tick)
		}
		if tick := now.after(math.MaxInt64); tick != math.MaxInt64 {
			t.Errorf("after the longest time is tick %d", tick)
		}
	})
}

// TestClockIsSet: what is to happen in a minute happens in a minute, whatever
// becomes of the wall clock. A test cannot set that, so it makes up a store whose
// wall clock read something else when it was made.
func TestClockIsSet(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"back": -48 * time.Hour, "ahead": 48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			inBubble(t, Options{}, func(f *fixture) {
				f.clock.origin -= int64(jump)
				m := f.message(1)
				m.NotBefore = time.Now().Add(time.Minute).Round(0) // by the wall clock as it is now
				f.enqueue(m)
				wait := func(d time.Duration, want int) []queue.Leased {
					t.Helper()
					<-time.NewTimer(d).C
					leased := f.lease(1)
					if len(leased) != want {
						t.Fatalf("leased %d messages, want %d", len(leased), want)
					}
					return leased
				}
				wait(59*time.Second, 0)
				wait(time.Second, 1)
				wait(59*time.Second, 0)
				l := wait(time.Second, 1)[0] // the lease has run out
				records, err := f.Get(f.Context(), []transport.ID{l.ID}, false)
				if err != nil || !records[0].UpdatedAt.Equal(time.Now()) || !records[0].NotBefore.Equal(m.NotBefore) {
					t.Errorf("the record is %+v, %v", records, err)
				}
				f.settle(queue.VerdictRetry, nil, l)
				records, err = f.Get(f.Context(), []transport.ID{l.ID}, false)
				if err != nil || !records[0].NextAt.Equal(time.Now()) {
					t.Errorf("the record is %+v, %v", records, err)
				}
			})
		})
	}
}

// TestIDsWithClockSetBack: ids go on growing.
func TestIDsWithClockSetBack(t *testing.T) {
	t.Parallel()
	g := newIDs()
	g.next()
	g.latest += time.Hour.Milliseconds() // as if the clock had been set back by an hour
	ahead := g.base
	last := transport.ID{}
	for range 100 {
		id := g.next()
		if compareIDs(last, id) >= 0 {
			t.Fatalf("id %s came after %s", id, last)
		}
		if !id.Time().Equal(ahead.Time()) {
			t.Fatalf("id %s is of %v, want %v", id, id.Time(), ahead.Time())
		}
		last = id
	}
}

// TestStoresDoNotShareIDs: not even those made in the same millisecond.
func TestStoresDoNotShareIDs(t *testing.T) {
	t.Parallel()
	seen := map[transport.ID]bool{}
	for range 100 {
		g := newIDs()
		for range 10 {
			id := g.next()
			if seen[id] {
				t.Fatalf("%s was made twice", id)
			}
			if parsed, err := transport.ParseID(id.String()); err != nil || parsed != id || id[6]>>4 != 7 || id[8]>>6 != 2 {
				t.Fatalf("%s is not a UUID of version 7: %v", id, err)
			}
			seen[id] = true
		}
	}
}

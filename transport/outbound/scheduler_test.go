package outbound

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
)

// turns has a worker that is always free take lanes that always have more work,
// and returns their keys in the order in which they came. Each turn is a lease and
// the attempt that follows.
func turns(s *scheduler, n int) []queue.Lane {
	w := &worker{wake: make(chan struct{}, 1), now: time.Now()}
	var order []queue.Lane
	var finished *lane
	for range n {
		l, do, _ := s.take(w, finished)
		if finished = l; do == taskLease {
			s.leased(w, l, supply{room: roomFor(queue.Leased{}), next: immediately})
		}
		order = append(order, l.key)
	}
	return order
}

func roomFor(messages ...queue.Leased) *room { return &room{messages: messages} }

func laneNo(profile string, i int) queue.Lane {
	return queue.Lane{Profile: profile, Destination: fmt.Sprint("test://host", i)}
}

func TestProfilesTakeTurns(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]bool{"the small one comes first": true, "the small one comes last": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScheduler(laneRules{limit: 8})
			if first {
				s.notify(laneNo("small", 0), time.Time{})
			}
			for i := range 10_000 {
				s.notify(laneNo("big", i), time.Time{})
			}
			if !first {
				s.notify(laneNo("small", 0), time.Time{})
			}
			last := -1
			for i, key := range turns(s, 1000) {
				if key.Profile != "small" {
					continue
				}
				if i-last > 2 {
					t.Fatalf("the small profile has turns %d and %d: it waited for more than one other", last, i)
				}
				last = i
			}
			if last < 997 {
				t.Errorf("the small profile's last turn is %d", last)
			}
		})
	}
}

func TestLanesOfAProfileTakeTurns(t *testing.T) {
	t.Parallel()
	const lanes = 7
	s := newScheduler(laneRules{limit: 8})
	for i := range lanes {
		s.notify(laneNo("one", i), time.Time{})
		s.notify(laneNo("two", i), time.Time{})
	}
	seen := map[queue.Lane]int{}
	for i, key := range turns(s, 20*2*lanes) {
		seen[key]++
		if want := i/(2*lanes) + 1; seen[key] != want {
			t.Fatalf("turn %d: %v has its turn no. %d, want no. %d", i, key, seen[key], want)
		}
	}
}

// Each of many profiles gets the same share, however many lanes it has.
func TestProfilesShareAlike(t *testing.T) {
	t.Parallel()
	s := newScheduler(laneRules{limit: 8})
	for p := range 10 {
		for i := range 1 + 10*p {
			s.notify(laneNo(fmt.Sprint("profile", p), i), time.Time{})
		}
	}
	seen := map[string]int{}
	for _, key := range turns(s, 1000) {
		seen[key.Profile]++
	}
	for id, n := range seen {
		if n != 100 {
			t.Errorf("%s had %d turns, want 100", id, n)
		}
	}
}

func TestRing(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var got ring[int]
	var want []int
	for i := range 10_000 {
		if r.IntN(3) > 0 {
			got.push(i)
			want = append(want, i)
			continue
		}
		item, ok := got.pop()
		if ok != (len(want) > 0) || ok && item != want[0] {
			t.Fatalf("step %d: pop = %d, %v, want the first of %v", i, item, ok, want)
		}
		want = want[min(1, len(want)):]
	}
	if got.count != len(want) {
		t.Errorf("count = %d, want %d", got.count, len(want))
	}
}

// What is at once allowed is the burst, whatever the clock does.
func TestPaceAndTheClock(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) // without a monotonic reading
	for name, c := range map[string]struct {
		jump time.Duration
		want int // attempts that may begin after the jump
	}{
		"none":             {0, 0},
		"an interval":      {time.Second, 1},
		"four intervals":   {4 * time.Second, 4},
		"a day forward":    {day, 5},
		"an hour back":     {-time.Hour, 0},
		"a century onward": {100 * 365 * day, 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := &lane{pace: Rate{PerSecond: 1, Burst: 5}.pace()}
			spend := func(now time.Time) (n int) {
				for ; !l.tokenAt().After(now); n++ {
					if tokens := l.tokens(now, 100); tokens < 1 {
						t.Fatalf("%d tokens while there is one", tokens)
					}
					l.takeToken(now)
				}
				if tokens := l.tokens(now, 100); tokens != 0 {
					t.Errorf("%d tokens are left", tokens)
				}
				return n
			}
			if n := spend(start); n != 5 {
				t.Errorf("%d attempts at first, want 5", n)
			}
			if n := spend(start.Add(c.jump)); n != c.want {
				t.Errorf("%d attempts after the jump, want %d", n, c.want)
			}
		})
	}
}

func TestPaceOfRates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rate Rate
		want pace
	}{
		{Rate{}, pace{}},
		{Rate{PerSecond: 1}, pace{time.Second, 0}},
		{Rate{PerSecond: 4, Burst: 3}, pace{time.Second / 4, time.Second / 2}},
		{Rate{PerSecond: 3}, pace{333_333_334, 0}}, // rounded up: never faster than asked
		{Rate{PerSecond: slowestRate, Burst: 1 << 30}, pace{day, 1<<63 - 1}},
		{Rate{PerSecond: 1e12}, pace{1, 0}},
	} {
		if got := c.rate.pace(); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.rate, got, c.want)
		}
	}
}

// A profile costs nothing once its lanes are gone, where profiles are many.
func TestProfilesAreForgotten(t *testing.T) {
	t.Parallel()
	s := newScheduler(laneRules{limit: 8})
	w := &worker{wake: make(chan struct{}, 1), now: time.Now()}
	for i := range 10 * keepProfiles {
		s.notify(laneNo(fmt.Sprint("profile", i), 0), time.Time{})
		l, _, _ := s.take(w, nil)
		s.leased(w, l, supply{room: w.room})
	}
	if len(s.lanes) != 0 || len(s.ring.profiles) > keepProfiles {
		t.Errorf("%d lanes and %d profiles are left", len(s.lanes), len(s.ring.profiles))
	}
}

// BenchmarkTurn is what the scheduler costs an attempt.
func BenchmarkTurn(b *testing.B) {
	for _, profiles := range []int{1, 100} {
		b.Run(fmt.Sprint(profiles, " profiles"), func(b *testing.B) {
			s := newScheduler(laneRules{limit: 8})
			for i := range 1000 {
				s.notify(laneNo(fmt.Sprint("profile", i%profiles), i), time.Time{})
			}
			w := &worker{wake: make(chan struct{}, 1), now: time.Now()}
			one := roomFor(queue.Leased{})
			var finished *lane
			b.ReportAllocs()
			for b.Loop() {
				l, do, _ := s.take(w, finished)
				if finished = l; do == taskLease {
					s.leased(w, l, supply{room: one, next: immediately})
				}
			}
		})
	}
}

package stats_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/stats"
)

// pass lets d pass. Within synctest nobody waits for it.
func pass(d time.Duration) { <-time.After(d) }

func TestTimer(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		run       func(*stats.Timer) time.Duration
		took      time.Duration // what the last Stop returns
		durations []float64     // what each group has: count and total
	}{
		{"start and stop", func(timer *stats.Timer) time.Duration {
			timer.Start()
			pass(time.Second)
			return timer.Stop()
		}, time.Second, []float64{1, 1}},
		{"stop without start", func(timer *stats.Timer) time.Duration { return timer.Stop() }, 0, nil},
		{"stop twice", func(timer *stats.Timer) time.Duration {
			timer.Start()
			pass(time.Second)
			timer.Stop()
			pass(time.Second)
			return timer.Stop()
		}, 0, []float64{1, 1}},
		{"start twice begins anew", func(timer *stats.Timer) time.Duration {
			timer.Start()
			pass(time.Minute)
			timer.Start()
			pass(time.Second)
			return timer.Stop()
		}, time.Second, []float64{1, 1}},
		{"used again", func(timer *stats.Timer) time.Duration {
			for range 3 {
				timer.Start()
				pass(time.Second)
				timer.Stop()
			}
			return 0
		}, 0, []float64{3, 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := stats.New()
				if took := tt.run(c.Timer("a", "b")); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				metrics := c.Snapshot().Metrics
				if tt.durations == nil {
					if len(metrics) != 0 {
						t.Errorf("logged %v", metrics)
					}
					return
				}
				for _, group := range []string{"a", "b"} {
					got := metrics[group]
					if float64(got.Count) != tt.durations[0] || got.Total != tt.durations[1] {
						t.Errorf("group %s: %+v", group, got)
					}
				}
			})
		})
	}
}

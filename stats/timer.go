package stats

import (
	"sync/atomic"
	"time"
)

// Timer measures one stretch of time at a time and logs it to each of its
// groups. Make one with [Collector.Timer]. To time a function:
//
//	defer collector.Timer("outbound:encode").Start().Stop()
type Timer struct {
	enabled *atomic.Bool // the collector's
	metrics []*Metric
	running bool
	start   time.Time
}

// Start begins to measure and returns the timer. On a timer that runs it begins
// anew.
func (t *Timer) Start() *Timer {
	if t.running = t.enabled.Load(); t.running {
		t.start = time.Now()
	}
	return t
}

// Stop logs the time since Start to each group and returns it. On a timer that
// does not run it logs nothing and returns zero.
func (t *Timer) Stop() time.Duration {
	if !t.running {
		return 0
	}
	t.running = false
	took := time.Since(t.start)
	for _, metric := range t.metrics {
		metric.Observe(took)
	}
	return took
}

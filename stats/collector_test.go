package stats_test

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/internal/leak"
	"github.com/outrider-go/outrider/stats"
)

func TestMain(m *testing.M) { leak.Main(m) }

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-12+want*1e-12 }

func TestLog(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name            string
		durations       []time.Duration
		min, max, total float64
	}{
		{"one", []time.Duration{time.Second}, 1, 1, 1},
		{"several", []time.Duration{2 * time.Second, time.Millisecond, 3 * time.Second}, 0.001, 3, 5.001},
		{"zero", []time.Duration{0}, 0, 0, 0},
		{"negative is zero", []time.Duration{-time.Second, time.Second}, 0, 1, 1},
		{"longest there is", []time.Duration{math.MaxInt64}, 9223372036.854775807, 9223372036.854775807, 9223372036.854775807},
		{"total beyond 64 bits", []time.Duration{math.MaxInt64, math.MaxInt64, math.MaxInt64, math.MaxInt64},
			9223372036.854775807, 9223372036.854775807, 4 * 9223372036.854775807},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := stats.New()
			for _, d := range tt.durations {
				c.Log("m", d)
			}
			got := c.Snapshot().Metrics["m"]
			n := len(tt.durations)
			if got.Count != int64(n) {
				t.Errorf("count %d, want %d", got.Count, n)
			}
			if !near(got.Min, tt.min) || !near(got.Max, tt.max) || !near(got.Total, tt.total) || !near(got.Avg, tt.total/float64(n)) {
				t.Errorf("got %+v", got)
			}
			if got.P50 < got.Min || got.P99 > got.Max || got.P50 > got.P90 || got.P90 > got.P99 {
				t.Errorf("percentiles out of order: %+v", got)
			}
		})
	}
}

func TestErrorsAndBytes(t *testing.T) {
	t.Parallel()
	c := stats.New()
	c.CountError("temporary")
	c.CountError("temporary")
	c.CountError("permanent")
	c.AddBytes(100, 0)
	c.AddBytes(5, 7)
	s := c.Snapshot()
	if s.Errors["temporary"] != 2 || s.Errors["permanent"] != 1 || len(s.Errors) != 2 {
		t.Errorf("errors: %v", s.Errors)
	}
	if s.BytesSent != 105 || s.BytesReceived != 7 {
		t.Errorf("bytes: %d sent, %d received", s.BytesSent, s.BytesReceived)
	}
}

func TestDisabledCollectsNothing(t *testing.T) {
	t.Parallel()
	c := stats.New()
	if !c.Enabled() {
		t.Error("a new collector is not enabled")
	}
	handle, timer := c.Metric("handle"), c.Timer("timer")
	running := c.Timer("running").Start()
	c.Log("before", time.Second)
	c.SetEnabled(false)
	c.Log("log", time.Second)
	handle.Observe(time.Second)
	timer.Start()
	if d := timer.Stop(); d != 0 {
		t.Errorf("a timer of a disabled collector measured %v", d)
	}
	running.Stop()
	c.CountError("class")
	c.AddBytes(1, 1)
	s := c.Snapshot()
	if len(s.Metrics) != 1 || s.Metrics["before"].Count != 1 || len(s.Errors) != 0 || s.BytesSent != 0 || s.BytesReceived != 0 {
		t.Errorf("collected while disabled: %+v", s)
	}
	c.SetEnabled(true)
	handle.Observe(time.Second)
	if got := c.Snapshot().Metrics["handle"].Count; got != 1 {
		t.Errorf("enabled again: count %d", got)
	}
}

func TestReset(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := stats.New()
		began := c.Snapshot().Since
		handle := c.Metric("m")
		handle.Observe(time.Hour)
		c.CountError("class")
		c.AddBytes(1, 2)
		pass(time.Minute)
		c.Reset()
		s := c.Snapshot()
		if len(s.Metrics) != 0 || len(s.Errors) != 0 || s.BytesSent != 0 || s.BytesReceived != 0 {
			t.Errorf("left after the reset: %+v", s)
		}
		if got := s.Since.Sub(began); got != time.Minute {
			t.Errorf("since moved by %v, want a minute", got)
		}
		handle.Observe(time.Second)
		if got := c.Snapshot().Metrics["m"]; got.Count != 1 || got.Min != 1 || got.Max != 1 {
			t.Errorf("the handle after the reset: %+v", got)
		}
	})
}

func TestNamesAreBounded(t *testing.T) {
	t.Parallel()
	c := stats.New()
	kept := c.Metric("kept")
	for i := range 2 * stats.MaxNames {
		c.Log("name"+strconv.Itoa(i), time.Second)
		c.CountError("class" + strconv.Itoa(i))
	}
	kept.Observe(time.Second)
	c.Log("kept", time.Second)
	s := c.Snapshot()
	if len(s.Metrics) != stats.MaxNames+1 || len(s.Errors) != stats.MaxNames+1 {
		t.Errorf("%d metrics and %d classes are kept", len(s.Metrics), len(s.Errors))
	}
	if got := s.Metrics["kept"].Count; got != 2 {
		t.Errorf("the name that was there first has %d", got)
	}
	if got, want := s.Metrics[stats.Overflow].Count, int64(stats.MaxNames+1); got != want {
		t.Errorf("the overflow has %d, want %d", got, want)
	}
	if got, want := s.Errors[stats.Overflow], int64(stats.MaxNames); got != want {
		t.Errorf("the overflow of the classes has %d, want %d", got, want)
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	c := stats.New()
	c.Log("a", time.Second)
	c.Log("a", 3*time.Second)
	c.Log("b", time.Second)
	all := c.Extract()
	if all.Count["a"] != 2 || all.Avg["a"] != 2 || all.Min["a"] != 1 || all.Max["a"] != 3 || all.Total["a"] != 4 || all.Count["b"] != 1 {
		t.Errorf("all: %+v", all)
	}
	one := c.Extract("b", "never seen")
	if len(one.Count) != 1 || one.Count["b"] != 1 || len(one.Avg) != 1 || len(one.Min) != 1 || len(one.Max) != 1 || len(one.Total) != 1 {
		t.Errorf("one: %+v", one)
	}
}

func TestSnapshotJSON(t *testing.T) {
	t.Parallel()
	c := stats.New()
	text, err := json.Marshal(c.Snapshot())
	if err != nil || !strings.Contains(string(text), `"metrics":{},"errors":{},"bytes_sent":0,"bytes_received":0,"since":"`) {
		t.Errorf("empty: %s, %v", text, err)
	}
	c.Log("m", time.Second)
	text, err = json.Marshal(c.Snapshot().Metrics)
	if want := `{"m":{"count":1,"min":1,"max":1,"avg":1,"total":1,"p50":1,"p90":1,"p99":1}}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	const writers, each = 16, 2000
	c := stats.New()
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	reading.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				for name, m := range c.Snapshot().Metrics {
					if m.Count <= 0 || m.P50 < m.Min || m.P99 > m.Max {
						t.Errorf("%s in between: %+v", name, m)
					}
				}
			}
		}
	})
	for w := range writers {
		writing.Go(func() {
			handle := c.Metric("handle")
			for i := range each {
				handle.Observe(time.Duration(w*each+i) * time.Microsecond)
				c.Log("name"+strconv.Itoa(i%10), time.Millisecond)
				c.CountError("class")
				c.AddBytes(1, 2)
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	const n = writers * each
	s := c.Snapshot()
	got := s.Metrics["handle"]
	if want := float64(n) * (n - 1) / 2 * 1e-6; got.Count != n || !near(got.Total, want) || got.Min != 0 || !near(got.Max, (n-1)*1e-6) {
		t.Errorf("got %+v, want a count of %d and a total of %v", got, n, want)
	}
	if s.Errors["class"] != n || s.BytesSent != n || s.BytesReceived != 2*n {
		t.Errorf("errors %v, %d sent, %d received", s.Errors, s.BytesSent, s.BytesReceived)
	}
}

func TestResetWhileObserving(t *testing.T) {
	t.Parallel()
	c := stats.New()
	handle := c.Metric("m")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 1000 {
				handle.Observe(time.Millisecond)
				c.CountError("class")
			}
		})
	}
	for range 100 {
		c.Reset()
		if got := c.Snapshot().Metrics["m"]; got.Count > 8000 || got.Count > 0 && (got.Min != 0.001 || got.Max != 0.001) {
			t.Errorf("in between: %+v", got)
		}
	}
	wg.Wait()
	c.Reset()
	handle.Observe(time.Second)
	if got := c.Snapshot().Metrics["m"]; got.Count != 1 {
		t.Errorf("after the last reset: %+v", got)
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	c := stats.New()
	handle := c.Metric("m")
	timer := c.Timer("a", "b")
	run := func() {
		handle.Observe(time.Millisecond)
		c.Log("m", time.Millisecond)
		c.CountError("class")
		c.AddBytes(1, 1)
		timer.Start().Stop()
	}
	run() // the first observation makes the data
	if n := testing.AllocsPerRun(200, run); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	handle := stats.New().Metric("m")
	b.ReportAllocs()
	b.SetParallelism(32) // 64 goroutines on 2 processors
	b.RunParallel(func(pb *testing.PB) {
		for d := time.Duration(0); pb.Next(); d += 997 {
			handle.Observe(d & (1<<24 - 1))
		}
	})
}

func BenchmarkLog(b *testing.B) {
	c := stats.New()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Log("outbound:post", time.Millisecond)
		}
	})
}

func BenchmarkSnapshot(b *testing.B) {
	c := stats.New()
	for i := range 20 {
		for d := time.Microsecond; d < time.Minute; d *= 2 {
			c.Log("m"+strconv.Itoa(i), d)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Snapshot()
	}
}

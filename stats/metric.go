package stats

import (
	"math"
	"sync/atomic"
	"time"
)

// Metric is the handle of one name of a [Collector].
type Metric struct {
	enabled *atomic.Bool // the collector's
	data    atomic.Pointer[data]
}

// data is what a metric has observed since the last reset. The buckets' table is
// read only after a while and stands in front, so that it is not on the cache
// line that every observation writes.
type data struct {
	histogram histogram
	low, high atomic.Uint64 // total in nanoseconds, 128 bits: 64 last for some hours of a busy queue
	min, max  atomic.Int64  // in nanoseconds
}

// Observe adds one duration. A negative one counts as zero.
func (m *Metric) Observe(d time.Duration) {
	if !m.enabled.Load() {
		return
	}
	seen := m.data.Load()
	if seen == nil {
		seen = m.begin()
	}
	ns := max(int64(d), 0)
	lower(&seen.min, ns)
	raise(&seen.max, ns)
	if seen.low.Add(uint64(ns)) < uint64(ns) {
		seen.high.Add(1)
	}
	seen.histogram.count(uint64(ns)) // last: what is counted is in the others already
}

// begin makes the data of the first observation.
func (m *Metric) begin() *data {
	fresh := &data{}
	fresh.min.Store(math.MaxInt64)
	for {
		if m.data.CompareAndSwap(nil, fresh) {
			return fresh
		}
		if seen := m.data.Load(); seen != nil {
			return seen
		}
	}
}

func lower(least *atomic.Int64, ns int64) {
	for old := least.Load(); ns < old && !least.CompareAndSwap(old, ns); old = least.Load() {
	}
}

func raise(most *atomic.Int64, ns int64) {
	for old := most.Load(); ns > old && !most.CompareAndSwap(old, ns); old = most.Load() {
	}
}

// summary returns the metric's numbers, and false where nothing was observed.
func (m *Metric) summary() (Summary, bool) {
	seen := m.data.Load()
	if seen == nil {
		return Summary{}, false
	}
	counts := seen.histogram.read()
	count := counts.total()
	if count == 0 {
		return Summary{}, false
	}
	least, most := seen.min.Load(), seen.max.Load()
	total := (float64(seen.high.Load())*(1<<64) + float64(seen.low.Load())) / float64(time.Second)
	quantile := func(q float64) float64 {
		return seconds(min(max(counts.quantile(q), least), most))
	}
	return Summary{
		Count: count,
		Min:   seconds(least), Max: seconds(most),
		Avg: total / float64(count), Total: total,
		P50: quantile(0.50), P90: quantile(0.90), P99: quantile(0.99),
	}, true
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }

package stats

import "time"

// Snapshot is what a collector holds at one moment.
type Snapshot struct {
	Metrics       map[string]Summary `json:"metrics"` // by name; those that observed something
	Errors        map[string]int64   `json:"errors"`  // by class; those that were counted
	BytesSent     int64              `json:"bytes_sent"`
	BytesReceived int64              `json:"bytes_received"`
	Since         time.Time          `json:"since"` // when counting began: New, or the last Reset
}

// Summary is what one metric holds. Durations are in seconds.
type Summary struct {
	Count int64   `json:"count"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	Avg   float64 `json:"avg"`
	Total float64 `json:"total"`
	P50   float64 `json:"p50"` // off by at most 5 percent, as the other percentiles are
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
}

// Extract is ACA-Py's form of the metrics: one map for each number, by the
// metric's name. Durations are in seconds.
type Extract struct {
	Avg   map[string]float64 `json:"avg"`
	Count map[string]int64   `json:"count"`
	Max   map[string]float64 `json:"max"`
	Min   map[string]float64 `json:"min"`
	Total map[string]float64 `json:"total"`
}

// Snapshot returns what was collected since New or the last Reset. The maps are
// the caller's, and never nil.
func (c *Collector) Snapshot() Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Snapshot{
		Metrics: map[string]Summary{}, Errors: map[string]int64{},
		BytesSent: c.sent.Load(), BytesReceived: c.received.Load(),
		Since: c.since,
	}
	for name, metric := range c.metrics.all() {
		if summary, ok := metric.summary(); ok {
			s.Metrics[name] = summary
		}
	}
	for class, count := range c.errors.all() {
		if n := count.Load(); n != 0 {
			s.Errors[class] = n
		}
	}
	return s
}

// Extract returns the metrics of the names, or all where no name is given. A
// name that observed nothing is left out.
func (c *Collector) Extract(names ...string) Extract {
	metrics := c.Snapshot().Metrics
	if len(names) == 0 {
		for name := range metrics {
			names = append(names, name)
		}
	}
	e := Extract{
		Avg: map[string]float64{}, Count: map[string]int64{},
		Max: map[string]float64{}, Min: map[string]float64{}, Total: map[string]float64{},
	}
	for _, name := range names {
		if m, ok := metrics[name]; ok {
			e.Avg[name], e.Count[name], e.Max[name], e.Min[name], e.Total[name] = m.Avg, m.Count, m.Max, m.Min, m.Total
		}
	}
	return e
}

package stats

import (
	"sync"
	"sync/atomic"
	"time"
)

// Collector gathers the numbers of one transport. Make one with [New].
type Collector struct {
	enabled atomic.Bool
	metrics family[Metric]
	errors  family[atomic.Int64]

	_        [64]byte // keeps what every message writes away from what it only reads
	sent     atomic.Int64
	received atomic.Int64

	mu    sync.Mutex // guards since, and keeps Reset and Snapshot apart
	since time.Time
}

// New returns a collector that is enabled and empty.
func New() *Collector {
	c := &Collector{since: time.Now()}
	c.metrics.create = func() *Metric { return &Metric{enabled: &c.enabled} }
	c.errors.create = func() *atomic.Int64 { return new(atomic.Int64) }
	c.enabled.Store(true)
	return c
}

// Metric returns the handle of a name, to be kept where the path is hot. It
// stays valid across Reset.
func (c *Collector) Metric(name string) *Metric { return c.metrics.get(name) }

// Log adds one duration under a name. A negative one counts as zero.
func (c *Collector) Log(name string, d time.Duration) {
	if c.enabled.Load() {
		c.metrics.get(name).Observe(d)
	}
}

// Observer returns a function that logs, and then tells also, which may be nil.
func (c *Collector) Observer(also func(name string, d time.Duration)) func(name string, d time.Duration) {
	return func(name string, d time.Duration) {
		c.Log(name, d)
		if also != nil {
			also(name, d)
		}
	}
}

// Timer returns a timer that logs to each of the groups.
func (c *Collector) Timer(groups ...string) *Timer {
	t := &Timer{enabled: &c.enabled, metrics: make([]*Metric, len(groups))}
	for i, group := range groups {
		t.metrics[i] = c.metrics.get(group)
	}
	return t
}

// CountError adds one to the errors of a class.
func (c *Collector) CountError(class string) {
	if c.enabled.Load() {
		c.errors.get(class).Add(1)
	}
}

// AddBytes adds to the bytes sent and received.
func (c *Collector) AddBytes(sent, received int64) {
	if !c.enabled.Load() {
		return
	}
	if sent != 0 {
		c.sent.Add(sent)
	}
	if received != 0 {
		c.received.Add(received)
	}
}

// Reset forgets all numbers. Handles and timers stay valid; what they observe
// at the same moment may be forgotten too.
func (c *Collector) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, metric := range c.metrics.all() {
		metric.data.Store(nil)
	}
	for _, count := range c.errors.all() {
		count.Store(0)
	}
	c.sent.Store(0)
	c.received.Store(0)
	c.since = time.Now()
}

// SetEnabled turns collecting on or off. What was collected stays.
func (c *Collector) SetEnabled(enabled bool) { c.enabled.Store(enabled) }

// Enabled reports whether the collector collects.
func (c *Collector) Enabled() bool { return c.enabled.Load() }

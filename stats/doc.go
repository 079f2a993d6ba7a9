// Package stats counts and times what a transport does: durations by name,
// errors by class, bytes each way. It has the Collector and the Timer of ACA-Py,
// and adds percentiles.
//
// A hot path resolves its metrics once with [Collector.Metric] and keeps the
// handles; [Metric.Observe] takes two atomic additions and allocates nothing.
//
// # Accuracy
//
// Counts, totals, minima and maxima are exact. Percentiles come from a histogram
// whose buckets are at most 1/16 of their value wide: they are off by less than
// 5 percent. A metric takes half a KiB from its first observation on, and 128
// bytes more for each power of two that its durations reach: 2 KiB for a usual
// spread, 8 KiB at most.
//
// # Concurrency
//
// A [Collector] and a [Metric] are safe for concurrent use. A [Timer] belongs to
// one goroutine. A snapshot does not stop the writers: what is observed while it
// is taken may be in one of its numbers and not yet in another.
//
// # Limits
//
// A collector keeps at most [MaxNames] metrics and as many error classes; what
// comes under further names is added up under [Overflow]. So nobody can fill the
// memory by putting a URL into a name.
package stats

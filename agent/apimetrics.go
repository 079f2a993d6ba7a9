package agent

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/stats"
)

// metrics answers with the figures of GET /v1/stats, for Prometheus.
func (s *api) metrics(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	view, err := s.statsView(r.Context())
	if err != nil {
		return err
	}
	var m metricsText
	m.queue(&view)
	transports := make([]collected, len(view.Transports))
	for i, t := range view.Transports {
		transports[i] = collected{[]label{{"transport", t.Transport}, {"schemes", strings.Join(t.Schemes, ",")}}, t.Stats}
	}
	m.collectors("outrider_transport", transports)
	receivers := make([]collected, len(view.Receivers))
	for i, r := range view.Receivers {
		receivers[i] = collected{[]label{{"transport", r.Transport}, {"address", r.Address}}, r.Stats}
	}
	m.collectors("outrider_receiver", receivers)
	w.Header().Set("Content-Type", typeMetrics)
	_, _ = w.Write(m.text) // the client may have gone away
	return nil
}

// queue writes the figures of the queue.
func (m *metricsText) queue(view *StatsView) {
	c := &view.Messages
	m.counts("outrider_messages_waiting", "Messages that are not done, by state.", "state",
		count{"pending", c.Pending}, count{"deliver", c.Deliver}, count{"retry", c.Retry})
	m.counts("outrider_messages_kept", "Messages that are done and still kept, by result.", "result",
		count{"delivered", c.Delivered}, count{"dead", c.Dead}, count{"cancelled", c.Cancelled}, count{"expired", c.Expired})
	for _, gauge := range []struct {
		name, help string
		value      float64
	}{
		{"outrider_messages_waiting_bytes", "Bytes of the messages that are not done.", float64(c.Bytes)},
		{"outrider_messages_oldest_age_seconds", "How long the oldest message that is not done has waited; 0: there is none.", c.OldestSeconds},
		{"outrider_attempts_in_flight", "Attempts that are under way.", float64(view.InFlight)},
		{"outrider_destinations_failing", "Destinations whose latest attempt failed.", float64(view.Destinations.Failing)},
		{"outrider_destinations_open", "Destinations that fail and whose breaker is open or half-open.", float64(view.Destinations.Open)},
		{"outrider_destinations_paused", "Destinations that are paused.", float64(view.Destinations.Paused)},
	} {
		m.family(gauge.name, "gauge", gauge.help)
		m.sample(gauge.name, gauge.value)
	}
}

// count is how many there are of a kind.
type count struct {
	kind string
	n    int64
}

// counts writes a gauge with a sample for each kind, which a label names.
func (m *metricsText) counts(name, help, by string, counts ...count) {
	m.family(name, "gauge", help)
	for _, c := range counts {
		m.sample(name, float64(c.n), label{by, c.kind})
	}
}

// collected is a collector's figures, and whose they are.
type collected struct {
	labels []label
	stats  stats.Snapshot
}

// collectors writes the figures of collectors; the names begin with prefix.
func (m *metricsText) collectors(prefix string, all []collected) {
	if len(all) == 0 {
		return
	}
	m.durations(prefix+"_duration_seconds", all)
	name := prefix + "_errors_total"
	m.family(name, "counter", "Errors, by class.")
	for _, c := range all {
		for _, class := range slices.Sorted(maps.Keys(c.stats.Errors)) {
			m.sample(name, float64(c.stats.Errors[class]), with(c.labels, label{"class", class})...)
		}
	}
	for _, figure := range []struct {
		name, kind, help string
		value            func(*stats.Snapshot) float64
	}{
		{"_sent_bytes_total", "counter", "Bytes sent.", func(s *stats.Snapshot) float64 { return float64(s.BytesSent) }},
		{"_received_bytes_total", "counter", "Bytes received.", func(s *stats.Snapshot) float64 { return float64(s.BytesReceived) }},
		{"_since_timestamp_seconds", "gauge", "When counting began, in Unix time.", func(s *stats.Snapshot) float64 { return float64(s.Since.UnixMilli()) / 1000 }},
	} {
		m.family(prefix+figure.name, figure.kind, figure.help)
		for i := range all {
			m.sample(prefix+figure.name, figure.value(&all[i].stats), all[i].labels...)
		}
	}
}

// durations writes the durations of collectors as a summary. Its quantiles are of all
// that was measured since counting began.
func (m *metricsText) durations(name string, all []collected) {
	m.family(name, "summary", "Durations by metric, with quantiles since counting began.")
	for _, c := range all {
		for _, metric := range slices.Sorted(maps.Keys(c.stats.Metrics)) {
			summary, labels := c.stats.Metrics[metric], with(c.labels, label{"metric", metric})
			m.sample(name, summary.P50, with(labels, label{"quantile", "0.5"})...)
			m.sample(name, summary.P90, with(labels, label{"quantile", "0.9"})...)
			m.sample(name, summary.P99, with(labels, label{"quantile", "0.99"})...)
			m.sample(name+"_sum", summary.Total, labels...)
			m.sample(name+"_count", float64(summary.Count), labels...)
		}
	}
}

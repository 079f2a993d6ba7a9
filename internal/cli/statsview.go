package cli

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/stats"
)

// writeStats writes what a daemon has, and what its transports and receivers did.
func writeStats(c *console, s *agent.StatsView) error {
	m := &s.Messages
	grid := newTable(c.style, ">PENDING", ">DELIVER", ">RETRY", ">DELIVERED", ">DEAD", ">CANCELLED", ">EXPIRED")
	var row []cell
	for _, n := range []int64{m.Pending, m.Deliver, m.Retry, m.Delivered, m.Dead, m.Cancelled, m.Expired} {
		row = append(row, cell{text: strconv.FormatInt(n, 10)})
	}
	grid.add(row...)
	if err := grid.writeTo(c.out, ""); err != nil {
		return err
	}
	waiting := m.Pending + m.Deliver + m.Retry
	line := fmt.Sprintf("%s in flight; %s (%s) not done", count(s.InFlight, "attempt"), count(waiting, "message"), size(m.Bytes))
	if waiting > 0 {
		line += ", the oldest for " + seconds(m.OldestSeconds)
	}
	if err := c.printf("%s", line); err != nil {
		return err
	}
	if d := s.Destinations; d.Failing+d.Paused > 0 {
		if err := c.printf("destinations: %d failing, %d of them left alone; %d paused", d.Failing, d.Open, d.Paused); err != nil {
			return err
		}
	}
	if err := writeTransports(c, s.Transports); err != nil {
		return err
	}
	for i := range s.Receivers {
		r := &s.Receivers[i]
		if err := writeCollector(c, "receiver "+cmp.Or(r.Address, r.Transport), &r.Stats); err != nil {
			return err
		}
	}
	return nil
}

// writeTransports writes each transport's collector.
func writeTransports(c *console, transports []agent.TransportStatsView) error {
	for i := range transports {
		t := &transports[i]
		if err := writeCollector(c, "transport "+strings.Join(t.Schemes, ", "), &t.Stats); err != nil {
			return err
		}
	}
	return nil
}

func writeCollector(c *console, title string, s *stats.Snapshot) error {
	numbers := fmt.Sprintf("%s sent, %s received", size(s.BytesSent), size(s.BytesReceived))
	if faults := errorCounts(s.Errors); faults != "" {
		numbers += "; errors: " + faults
	}
	if err := c.printf("\n%s  %s", c.style.bold(title), numbers); err != nil {
		return err
	}
	return writeMetrics(c, s.Metrics)
}

func writeMetrics(c *console, metrics map[string]stats.Summary) error {
	if len(metrics) == 0 {
		return nil
	}
	grid := newTable(c.style, "PHASE", ">COUNT", ">MIN", ">AVG", ">P50", ">P90", ">P99", ">MAX")
	for _, name := range inOrder(metrics) {
		m := metrics[name]
		row := plain(name, strconv.FormatInt(m.Count, 10))
		for _, value := range []float64{m.Min, m.Avg, m.P50, m.P90, m.P99, m.Max} {
			row = append(row, cell{text: seconds(value)})
		}
		grid.add(row...)
	}
	return grid.writeTo(c.out, "  ")
}

// inOrder sorts the phases as they follow each other in an attempt; those that
// are not known here come between, by name.
func inOrder(metrics map[string]stats.Summary) []string {
	rank := map[string]int{"queued": 1, "dns": 2, "connect": 3, "tls": 4, "first_byte": 6, "total": 7}
	const unknown = 5
	return slices.SortedFunc(maps.Keys(metrics), func(a, b string) int {
		return cmp.Or(cmp.Compare(cmp.Or(rank[a], unknown), cmp.Or(rank[b], unknown)), cmp.Compare(a, b))
	})
}

func errorCounts(faults map[string]int64) string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(faults)) {
		parts = append(parts, fmt.Sprintf("%s %d", class, faults[class]))
	}
	return strings.Join(parts, ", ")
}

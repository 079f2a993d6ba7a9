package agent

import (
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/stats"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// The grammar of the text format 0.0.4.
var (
	metricHead   = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	metricSample = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	metricLabel  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(,|$)`)
)

// readMetrics reads the text format and checks it. It returns the samples by name and
// labels, as they are written.
func readMetrics(t *testing.T, text string) map[string]float64 {
	t.Helper()
	samples, kinds := map[string]float64{}, map[string]string{}
	var family, help string
	if !strings.HasSuffix(text, "\n") {
		t.Error("the last line does not end")
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if head := metricHead.FindStringSubmatch(line); head != nil {
			switch {
			case head[1] == "HELP":
				help = head[2]
			case head[2] != help || kinds[head[2]] != "":
				t.Errorf("a type without help, or twice: %s", line)
			default:
				family, kinds[head[2]] = head[2], head[3]
			}
			continue
		}
		sample := metricSample.FindStringSubmatch(line)
		if sample == nil {
			t.Fatalf("line %q is no sample", line)
		}
		checkSampleName(t, sample[1], family, kinds[family], sample[2])
		for rest := sample[2]; rest != ""; {
			found := metricLabel.FindString(rest)
			if found == "" {
				t.Fatalf("labels of %q", line)
			}
			rest = rest[len(found):]
		}
		value, err := strconv.ParseFloat(sample[3], 64)
		if err != nil {
			t.Errorf("value of %q: %v", line, err)
		}
		name := strings.TrimSuffix(line, " "+sample[3])
		if _, twice := samples[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		samples[name] = value
	}
	return samples
}

// checkSampleName checks that a sample belongs to the family it stands in.
func checkSampleName(t *testing.T, name, family, kind, labels string) {
	t.Helper()
	ok := name == family
	switch kind {
	case "counter":
		ok = ok && strings.HasSuffix(name, "_total")
	case "summary":
		ok = ok && strings.Contains(labels, `quantile="`) || name == family+"_sum" || name == family+"_count"
	case "gauge":
	default:
		ok = false
	}
	if !ok {
		t.Errorf("the sample %s{%s} stands in the %s %s", name, labels, kind, family)
	}
}

// TestMetricsAreTheStats: every figure of /v1/stats is there for Prometheus, and the same.
func TestMetricsAreTheStats(t *testing.T) {
	t.Parallel()
	up, down := receiver(t, http.StatusOK), receiver(t, http.StatusInternalServerError)
	b := start(t, nil)
	b.await(outbound.TopicDelivered, b.send(SendRequest{Endpoint: up, Payload: new("x")}))
	b.await(outbound.TopicDead, b.send(SendRequest{Endpoint: down, Payload: new("x"), Retry: "none"}))
	b.send(SendRequest{Endpoint: up, Payload: new("12345"), NotBefore: later()})
	b.do("POST", "/v1/destinations/pause", `{"destination":"https://example.com"}`)

	answered := b.want(b.do("GET", "/metrics", ""), http.StatusOK)
	if got := answered.header.Get("Content-Type"); got != "text/plain; version=0.0.4; charset=utf-8" {
		t.Errorf("content type is %q", got)
	}
	view := into[StatsView](t, b.do("GET", "/v1/stats", ""))
	want := map[string]float64{
		`outrider_messages_waiting{state="pending"}`: 1, `outrider_messages_waiting{state="deliver"}`: 0, `outrider_messages_waiting{state="retry"}`: 0,
		`outrider_messages_kept{result="delivered"}`: 1, `outrider_messages_kept{result="dead"}`: 1,
		`outrider_messages_kept{result="cancelled"}`: 0, `outrider_messages_kept{result="expired"}`: 0,
		"outrider_messages_waiting_bytes": 5, "outrider_attempts_in_flight": float64(view.InFlight),
		"outrider_destinations_failing": 1, "outrider_destinations_open": 0, "outrider_destinations_paused": 1,
	}
	for _, transport := range view.Transports {
		addCollector(want, "outrider_transport_", fmt.Sprintf(`transport=%q,schemes=%q`, transport.Transport, strings.Join(transport.Schemes, ",")), &transport.Stats)
	}
	for _, receiver := range view.Receivers {
		addCollector(want, "outrider_receiver_", fmt.Sprintf(`transport=%q,address=%q`, receiver.Transport, receiver.Address), &receiver.Stats)
	}
	got := readMetrics(t, answered.body)
	if age := got["outrider_messages_oldest_age_seconds"]; age <= 0 || age > view.Messages.OldestSeconds {
		t.Errorf("the oldest has waited for %v, and a moment later for %v", age, view.Messages.OldestSeconds)
	}
	delete(got, "outrider_messages_oldest_age_seconds")
	if !maps.Equal(got, want) {
		t.Errorf("metrics are\n%s\nwant %v", answered.body, want)
	}
	if again := b.do("GET", "/metrics", "").body; metricNames(again) != metricNames(answered.body) {
		t.Error("the order is another the second time")
	}
	b.wantProblem(b.do("GET", "/metrics?name=x", ""), http.StatusBadRequest, "name")
}

// metricNames leaves out the values.
func metricNames(text string) string {
	return regexp.MustCompile(` \S+\n`).ReplaceAllString(text, "\n")
}

func addCollector(want map[string]float64, name, labels string, s *stats.Snapshot) {
	add := func(suffix, more string, value float64) { want[name+suffix+"{"+labels+more+"}"] = value }
	for metric, m := range s.Metrics {
		by := fmt.Sprintf(",metric=%q", metric)
		add("duration_seconds", by+`,quantile="0.5"`, m.P50)
		add("duration_seconds", by+`,quantile="0.9"`, m.P90)
		add("duration_seconds", by+`,quantile="0.99"`, m.P99)
		add("duration_seconds_sum", by, m.Total)
		add("duration_seconds_count", by, float64(m.Count))
	}
	for class, n := range s.Errors {
		add("errors_total", fmt.Sprintf(",class=%q", class), float64(n))
	}
	add("sent_bytes_total", "", float64(s.BytesSent))
	add("received_bytes_total", "", float64(s.BytesReceived))
	add("since_timestamp_seconds", "", float64(s.Since.UnixMilli())/1000)
}

// TestMetricsEscape: whatever a label's value and a help are, the text can be read.
func TestMetricsEscape(t *testing.T) {
	t.Parallel()
	var m metricsText
	m.family("a", "gauge", "one\ntwo \\ three")
	m.sample("a", 1.5e300, label{"x", "\\ \" \n , } {"}, label{"y", "\xff"})
	m.sample("a", 3)
	want := "# HELP a one\\ntwo \\\\ three\n# TYPE a gauge\na{x=\"\\\\ \\\" \\n , } {\",y=\"\uFFFD\"} 1.5e+300\na 3\n"
	if got := string(m.text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := readMetrics(t, string(m.text)); len(got) != 2 || !slices.Contains(slices.Collect(maps.Values(got)), 1.5e300) {
		t.Errorf("it is read as %v", got)
	}
}

// TestMetricsNeedTheToken: as the rest of the API does.
func TestMetricsNeedTheToken(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.API.Token = transport.NewSecret("t0ken") })
	b.want(b.do("GET", "/metrics", ""), http.StatusOK)
	b.wantProblem(b.do("GET", "/metrics", "", "Authorization", "Bearer wrong"), http.StatusUnauthorized, "")
}

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// The verdicts on a figure.
const (
	kept     = "kept"
	missed   = "MISSED"
	unjudged = "not judged"
)

// figure is one measured number, with what was promised of it.
type figure struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Low     float64 `json:"low,omitempty"` // 95 % interval
	High    float64 `json:"high,omitempty"`
	Unit    string  `json:"unit,omitempty"`
	Promise string  `json:"promise,omitempty"`
	Verdict string  `json:"verdict,omitempty"`
	Note    string  `json:"note,omitempty"`
}

func (f figure) String() string {
	text := fmt.Sprintf("%-52s %10s %-6s", f.Name, number(f.Value), f.Unit)
	if f.Low != 0 || f.High != 0 {
		text += fmt.Sprintf(" [%s, %s]", number(f.Low), number(f.High))
	}
	if f.Promise != "" {
		text += fmt.Sprintf("  promised %s: %s", f.Promise, f.Verdict)
	}
	if f.Note != "" {
		text += "  (" + f.Note + ")"
	}
	return text
}

func number(v float64) string {
	switch abs := math.Abs(v); {
	case abs >= 1000:
		return fmt.Sprintf("%.0f", v)
	case abs >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.3f", v)
	}
}

// atMost is a figure that may not be above its limit.
func atMost(name string, value float64, unit string, limit float64) figure {
	return figure{Name: name, Value: value, Unit: unit, Promise: "<= " + number(limit), Verdict: verdict(value <= limit)}
}

// plain is a figure that nothing was promised of.
func plain(name string, value float64, unit string) figure {
	return figure{Name: name, Value: value, Unit: unit}
}

// atLeastRatio is the median of paired ratios. It is missed only when the whole
// interval lies under the floor, and not judged when the same contestant measured
// twice differs by more than 3 %.
func atLeastRatio(name string, ratios []float64, floor, sameTwice float64) figure {
	f := ratio(name, ratios)
	f.Promise = ">= " + number(floor)
	f.Verdict = verdict(f.High >= floor)
	if math.Abs(sameTwice-1) > 0.03 {
		f.Verdict = unjudged
		f.Note = "A/A is off by more than 3 %: the machine is too noisy"
	}
	return f
}

// ratio is the median of paired ratios with its interval.
func ratio(name string, ratios []float64) figure {
	low, high := interval(ratios)
	return figure{Name: name, Value: median(ratios), Low: low, High: high}
}

func verdict(ok bool) string {
	if ok {
		return kept
	}
	return missed
}

func median(values []float64) float64 { return quantile(values, 0.5) }

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	below := int(at)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (at-float64(below))*(sorted[above]-sorted[below])
}

// interval is the 95 % bootstrap interval of the median.
func interval(values []float64) (low, high float64) {
	const resamples = 2000
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // statistics, no secret
	medians := make([]float64, resamples)
	sample := make([]float64, len(values))
	for i := range medians {
		for j := range sample {
			sample[j] = values[random.IntN(len(values))]
		}
		medians[i] = median(sample)
	}
	return quantile(medians, 0.025), quantile(medians, 0.975)
}

func paired(a, b []float64) []float64 {
	ratios := make([]float64, min(len(a), len(b)))
	for i := range ratios {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

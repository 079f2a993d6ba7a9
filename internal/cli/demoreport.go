package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
)

// demoResult is what the demo prints as JSON.
type demoResult struct {
	OK         bool                       `json:"ok"`
	ElapsedMS  float64                    `json:"elapsed_ms"`
	Messages   []demoMessage              `json:"messages"`
	Transports []agent.TransportStatsView `json:"transports"`
	Findings   []finding                  `json:"findings"`
}

type demoMessage struct {
	Name        string `json:"name"`
	Destination string `json:"destination"`
	agent.MessageView
}

// intro says what is going to happen.
func (d *demo) intro() error {
	if d.json {
		return nil
	}
	return d.console.printf("%s: %s to %s on this machine: healthy, answers 503 twice, down, a WebSocket,\nbehind an AMQP broker, and one without an address\n",
		d.console.style.bold("outrider demo"), count(len(d.letters), "message"), count(len(d.places), "receiver"))
}

// show prints one event, where it is one that people want to see.
func (d *demo) show(topic string, at time.Time, l *letter, about *outbound.MessageEvent) error {
	name := eventName(topic)
	if d.json || !slices.Contains([]string{outbound.TopicDelivered, outbound.TopicRetrying, outbound.TopicDead, outbound.StatusWaitingForPickup.Topic()}, topic) {
		return nil
	}
	what := fmt.Sprintf("attempt %d: %s", about.Attempt, oneLine(cmp.Or(about.Code, about.Error)))
	if topic == outbound.StatusWaitingForPickup.Topic() {
		name, what = "waiting", "until the peer connects"
	}
	if !about.NextAt.IsZero() {
		what += ", again in " + shortDuration(about.NextAt.Sub(at).Round(10*time.Millisecond))
	}
	s := d.console.style
	return d.console.printf("  %s  %s  %s  %s  %s",
		s.dim(fmt.Sprintf("%6.3f s", at.Sub(d.began).Seconds())), eventPaint(s, name)(fmt.Sprintf("%-9s", name)),
		padded(l.name, d.nameWidth()), fmt.Sprintf("%-7s", l.place.name), s.dim(what))
}

// nameWidth is the width of the longest name.
func (d *demo) nameWidth() int {
	width := 0
	for _, letter := range d.letters {
		width = max(width, utf8.RuneCountInString(letter.name))
	}
	return width
}

func padded(text string, width int) string { return fmt.Sprintf("%-*s", width, text) }

// report prints the outcome. The error says that it is not the expected one.
func (d *demo) report(findings []finding) error {
	write := d.writeReport
	if d.json {
		write = d.writeJSON
	}
	if err := write(findings); err != nil {
		return err
	}
	if !allOK(findings) {
		return errors.New("demo: the outcome is not the expected one")
	}
	return nil
}

func allOK(findings []finding) bool {
	return !slices.ContainsFunc(findings, func(f finding) bool { return !f.OK })
}

func (d *demo) writeJSON(findings []finding) error {
	result := demoResult{
		OK: allOK(findings), ElapsedMS: float64(d.elapsed) / float64(time.Millisecond),
		Transports: d.stats.Transports, Findings: findings,
	}
	for _, l := range d.letters {
		result.Messages = append(result.Messages, demoMessage{Name: l.name, Destination: l.place.name, MessageView: l.view})
	}
	return d.console.json(result)
}

func (d *demo) writeReport(findings []finding) error {
	if err := d.console.printf(""); err != nil {
		return err
	}
	if err := d.writeTable(); err != nil {
		return err
	}
	if err := writeTransports(d.console, d.stats.Transports); err != nil {
		return err
	}
	if err := d.console.printf(""); err != nil {
		return err
	}
	for _, f := range findings {
		if err := d.writeFinding(&f); err != nil {
			return err
		}
	}
	verdict := "all is as expected"
	if !allOK(findings) {
		verdict = "not as expected"
	}
	return d.console.printf("\n%s, in %s", verdict, shortDuration(d.elapsed))
}

func (d *demo) writeFinding(f *finding) error {
	mark := d.console.style.green("ok    ")
	if !f.OK {
		mark = d.console.style.red("FAILED")
	}
	line := fmt.Sprintf("%s  %-7s  %s", mark, f.Place, f.Expect)
	if f.Fault != "" {
		line += ": " + d.console.style.red(f.Fault)
	}
	return d.console.printf("%s", line)
}

func (d *demo) writeTable() error {
	s := d.console.style
	grid := newTable(s, "MESSAGE", "DESTINATION", ">ATTEMPTS", "STATUS", "EVIDENCE", ">LATENCY")
	for _, l := range d.letters {
		latency := ""
		if l.view.Result == queue.Delivered {
			latency = shortDuration(l.view.UpdatedAt.Sub(l.view.CreatedAt))
		}
		grid.add(cell{text: l.name}, cell{text: l.place.name}, cell{text: strconv.Itoa(l.view.AttemptsMade)},
			outcomeCell(s, &l.view), cell{text: l.view.Evidence.String()}, cell{text: latency})
	}
	return grid.writeTo(d.console.out, "")
}

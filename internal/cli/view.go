package cli

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// maxErrorText is the width of an error in a table.
const maxErrorText = 72

// outcome is the one word for where a message stands: how it ended, or otherwise
// its state.
func outcome(m *agent.MessageView) string {
	return cmp.Or(string(m.Result), string(m.State))
}

// outcomeCell paints that word.
func outcomeCell(s style, m *agent.MessageView) cell {
	word := outcome(m)
	switch {
	case m.Result == queue.Delivered:
		return cell{word, s.green}
	case m.Result == queue.Dead:
		return cell{word, s.red}
	case m.Result != "" || m.State == queue.StateRetry:
		return cell{word, s.yellow}
	default:
		return cell{text: word}
	}
}

// state is where a message stands and, where that says more, what its sender was
// told last: that it is queued or waits says nothing of one that has ended.
func state(s style, m *agent.MessageView) string {
	word := outcomeCell(s, m)
	text := word.text
	if word.paint != nil {
		text = word.paint(text)
	}
	status := outbound.Status(m.Status)
	if m.Result != "" && (status == outbound.StatusQueuedForDelivery || status == outbound.StatusWaitingForPickup) {
		return text
	}
	return joinNonEmpty(", ", text, m.Status)
}

// writeMessages writes a table of messages.
func writeMessages(c *console, messages []agent.MessageView, now time.Time) error {
	grid := newTable(c.style, "ID", "STATE", ">ATTEMPTS", "EVIDENCE", "CREATED", "NEXT", "ENDPOINT", "LAST ERROR")
	for i := range messages {
		m := &messages[i]
		grid.add(
			cell{text: m.ID.String()}, outcomeCell(c.style, m), cell{text: strconv.Itoa(m.AttemptsMade)},
			cell{text: m.Evidence.String()}, cell{text: ago(m.CreatedAt, now)}, cell{text: nextCell(m, now)},
			cell{text: clip(m.Endpoint, maxErrorText)}, cell{text: clip(m.LastError, maxErrorText)},
		)
	}
	return grid.writeTo(c.out, "")
}

// writeMessage writes all about one message.
func writeMessage(c *console, m *agent.MessageView, now time.Time) error {
	body := joinNonEmpty(", ", m.WireFormat, m.ContentType, size(m.Bytes)+" in all") // with metadata and idempotency key
	var b strings.Builder
	for _, line := range []struct{ name, value string }{
		{"message", c.style.bold(m.ID.String())},
		{"state", state(c.style, m)},
		{"evidence", m.Evidence.String()},
		{"endpoint", clip(m.Endpoint, transport.MaxEndpointLength)},
		{"or to", clip(strings.Join(m.Alternates, ", "), transport.MaxEndpointLength)},
		{"profile", m.Profile},
		{"content", clip(body, transport.MaxEndpointLength)},
		{"priority", nonNormal(m.Priority)},
		{"order", clip(joinNonEmpty(", ", m.OrderingKey, blocked(m.OnBlocked)), maxErrorText)},
		{"demands", demanded(m.MinEvidence)},
		{"created", instant(m.CreatedAt, now)},
		{"updated", instant(m.UpdatedAt, now)},
		{"next", instant(nextAttempt(m, now), now)},
		{"waits", waits(m, now)},
		{"expires", instant(m.ExpiresAt, now)},
		{"replays", nonZero(m.Replays)},
		{"error", oneLine(m.LastError)},
	} {
		if line.value != "" {
			fmt.Fprintf(&b, "%s  %s\n", c.style.dim(fmt.Sprintf("%-8s", line.name)), line.value)
		}
	}
	if err := c.printf("%s", strings.TrimSuffix(b.String(), "\n")); err != nil {
		return err
	}
	return writeAttempts(c, m.Attempts)
}

func writeAttempts(c *console, attempts []agent.AttemptView) error {
	if len(attempts) == 0 {
		return nil
	}
	columns := []column{">ATTEMPT", "STARTED", ">TOOK", "CLASS", "CODE", "EVIDENCE", "ERROR OR NOTE"}
	moves := slices.ContainsFunc(attempts, func(a agent.AttemptView) bool { return a.Endpoint != "" })
	if moves {
		columns = append(columns, "ENDPOINT")
	}
	grid := newTable(c.style, columns...)
	for _, a := range attempts {
		class := cell{text: string(a.Class)}
		switch a.Class {
		case transport.Success:
			class.paint = c.style.green
		case transport.Permanent:
			class.paint = c.style.red
		case transport.Temporary, transport.Throttled, transport.Unknown:
			class.paint = c.style.yellow
		}
		row := []cell{
			{text: strconv.Itoa(a.N)}, {text: a.StartedAt.Local().Format("15:04:05.000")},
			{text: milliseconds(a.DurationMS)}, class, {text: clip(a.Code, 40)},
			{text: a.Evidence.String()}, {text: oneLine(joinNonEmpty("; ", a.Error, a.Note))},
		}
		if moves {
			row = append(row, cell{text: clip(a.Endpoint, maxErrorText)})
		}
		grid.add(row...)
	}
	if err := c.printf(""); err != nil {
		return err
	}
	return grid.writeTo(c.out, "")
}

// writeResponses writes what the peer answered to each attempt.
func writeResponses(c *console, attempts []agent.AttemptView) error {
	for _, a := range attempts {
		if a.Response == "" {
			continue
		}
		if err := c.printf("\nanswer to attempt %d:\n%s", a.N, strings.Map(printableLine, a.Response)); err != nil {
			return err
		}
	}
	return nil
}

// writePayload writes the payload. Text goes out as it is
// where that is safe: to a terminal it goes without control characters.
func writePayload(c *console, m *agent.MessageView) error {
	switch {
	case m.Payload != nil && isTerminal(c.out):
		return c.printf("\n%s", strings.Map(printableLine, *m.Payload))
	case m.Payload != nil:
		return c.printf("\n%s", *m.Payload)
	case m.PayloadBase64 != nil:
		return c.printf("\n%s", base64.StdEncoding.EncodeToString(m.PayloadBase64))
	}
	c.notef("the payload is not kept any more")
	return nil
}

// printableLine is printable, and lets line breaks and tabs be.
func printableLine(r rune) rune {
	if r == '\n' || r == '\t' {
		return r
	}
	return printable(r)
}

// instant writes an instant of the user's day and how far away it is.
func instant(t, now time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(time.RFC3339) + " (" + ago(t, now) + ")"
}

func nonNormal(p queue.Priority) string {
	if p == queue.PriorityNormal {
		return ""
	}
	return p.String()
}

func blocked(b outbound.OnBlocked) string {
	if b != outbound.BlockedSkip {
		return ""
	}
	return "those behind it do not wait for its retries"
}

func demanded(e transport.Evidence) string {
	if e == transport.None {
		return ""
	}
	return e.String()
}

func nonZero(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func joinNonEmpty(separator string, texts ...string) string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return strings.Join(kept, separator)
}

package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/outbound"
)

func newTail(c *console) *cobra.Command {
	var flags daemonFlags
	var topic string
	var asJSON bool
	command := &cobra.Command{
		Use: "tail", Short: "Print events as they happen", Args: arguments(),
		Long: `Tail prints what happens from now on, until it is stopped. When the daemon is started
anew or the connection is lost, it connects again and prints what it has missed, as far as
the daemon still knows that.`,
		Example: `  outrider tail --topic 'outbound-message::(dead|expired)'
  outrider tail --topic 'destination::.*' --json`,
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			err := daemon.Follow(command.Context(), topic, func(e client.Event) error {
				if asJSON {
					return c.json(e.EventView)
				}
				return writeEvent(c, &e.EventView)
			}, func(err error) {
				if err == nil {
					c.notef("connected again")
				} else {
					c.notef("%v: connecting again", err)
				}
			})
			if command.Context().Err() == nil {
				return err
			}
			return nil // being stopped is how it ends
		}),
	}
	command.Flags().StringVar(&topic, "topic", "", "only topics that match this `pattern` as a whole, a regular expression")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

// happened is what any event's payload may hold, of what is shown.
type happened struct {
	outbound.MessageEvent
	Schemes     []string  `json:"schemes"`
	Destination string    `json:"destination"`
	Percent     int       `json:"percent"`
	Failures    int       `json:"failures"`
	PausedUntil time.Time `json:"paused_until"`
	Reason      string    `json:"reason"`
	Missed      uint64    `json:"count"`
}

func writeEvent(c *console, e *agent.EventView) error {
	var what happened
	if err := json.Unmarshal(e.Payload, &what); err != nil {
		return fmt.Errorf("event %s: the payload is not an object", clip(e.Topic, maxErrorText))
	}
	if e.Topic == agent.TopicMissed {
		what.Reason = missed(what.Missed)
	}
	name := eventName(e.Topic)
	line := []string{e.Time.Local().Format("15:04:05.000"), eventPaint(c.style, name)(fmt.Sprintf("%-22s", clip(name, maxErrorText)))}
	if !what.ID.IsZero() {
		line = append(line, what.ID.String())
	}
	line = append(line, clip(joinNonEmpty(" ", what.Endpoint, what.Destination, strings.Join(what.Schemes, " ")), maxErrorText))
	if about := what.details(e.Time); about != "" {
		line = append(line, c.style.dim(oneLine(about)))
	}
	return c.printf("%s", strings.Join(line, "  "))
}

// details are the facts of an event that are set.
func (h *happened) details(now time.Time) string {
	parts := []string{h.Code, h.Error, h.Reason}
	if h.Attempt > 0 {
		parts = append([]string{"attempt " + strconv.Itoa(h.Attempt)}, parts...)
	}
	if h.Failures > 0 {
		parts = append(parts, count(int64(h.Failures), "failure")+" in a row")
	}
	if h.Percent > 0 {
		parts = append(parts, fmt.Sprintf("%d %% of the failure budget", h.Percent))
	}
	if h.LatencyMS > 0 {
		parts = append(parts, h.Evidence.String(), milliseconds(h.LatencyMS))
	}
	if h.NextEndpoint != "" {
		parts = append(parts, "next to "+clip(h.NextEndpoint, maxErrorText))
	}
	if !h.NextAt.IsZero() {
		parts = append(parts, "next "+ago(h.NextAt, now))
	}
	if !h.PausedUntil.IsZero() && !h.PausedUntil.Equal(queue.Forever) {
		parts = append(parts, "until "+h.PausedUntil.Local().Format(time.RFC3339))
	}
	return joinNonEmpty(", ", parts...)
}

// missed says how many events the daemon could not tell.
func missed(events uint64) string {
	what := "the daemon was started anew"
	if events > 0 {
		what = count(int64(events), "event") + " that the daemon no longer knows" //nolint:gosec // a count
	}
	return what + ": see outrider list"
}

// eventName leaves out what every event about a message begins with.
func eventName(topic string) string {
	if _, name, ok := strings.Cut(topic, "outbound-message::"); ok {
		return name
	}
	return topic
}

// eventPaint is the colour of an event, nothing for those that are as expected.
func eventPaint(s style, name string) func(string) string {
	switch name {
	case "delivered", "destination::recovered":
		return s.green
	case "dead", "undeliverable":
		return s.red
	case "attempt_failed", "retrying", "failed_over", "expired", "cancelled", "destination::paused", "destination::failing", agent.TopicMissed:
		return s.yellow
	default:
		return func(text string) string { return text }
	}
}

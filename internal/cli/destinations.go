package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/transport"
)

func newDestinations(c *console) *cobra.Command {
	command := &cobra.Command{Use: "destinations", Short: "List, pause, resume and test destinations", RunE: onlySubcommands}
	for _, sub := range []*cobra.Command{newDestinationsList(c), newDestinationsPause(c), newDestinationsResume(c), newDestinationsTest(c)} {
		sub.ValidArgsFunction = cobra.NoFileCompletions
		command.AddCommand(sub)
	}
	return command
}

func newDestinationsList(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "list", Short: "List the destinations that are paused or fail", Args: arguments(),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			all, err := daemon.Destinations(command.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(agent.DestinationsView{Destinations: all})
			}
			return writeDestinations(c, all, time.Now())
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func newDestinationsPause(c *console) *cobra.Command {
	var flags daemonFlags
	var profile string
	var duration time.Duration
	var asJSON bool
	command := &cobra.Command{
		Use: "pause URI", Short: "Hold a destination: its messages wait", Args: arguments("URI"),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			request := agent.PauseRequest{Profile: profile, Destination: args[0]}
			if command.Flags().Changed("for") {
				request.For = duration.String()
			}
			view, err := daemon.Pause(command.Context(), request)
			return reportDestination(c, "paused", &view, asJSON, err)
		}),
	}
	command.Flags().DurationVar(&duration, "for", 0, "pause so long (default until it is resumed)")
	command.Flags().StringVar(&profile, "profile", "", "the destination of this `profile` (default \"default\")")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func newDestinationsResume(c *console) *cobra.Command {
	var flags daemonFlags
	var profile string
	var asJSON bool
	command := &cobra.Command{
		Use: "resume URI", Short: "Let a destination run again", Args: arguments("URI"),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			view, err := daemon.Resume(command.Context(), profile, args[0])
			return reportDestination(c, "resumed", &view, asJSON, err)
		}),
	}
	command.Flags().StringVar(&profile, "profile", "", "the destination of this `profile` (default \"default\")")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func newDestinationsTest(c *console) *cobra.Command {
	var flags daemonFlags
	var profile string
	var asJSON bool
	command := &cobra.Command{
		Use: "test URI", Short: "Make one attempt at a destination now", Args: arguments("URI"),
		Long: `Test makes one attempt at once with a message that waits for the destination, also
where that is paused or left alone because it fails. The attempt counts like any
other. One that succeeds has the destination attempted again, unless it is paused.`,
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			view, err := daemon.Test(command.Context(), profile, args[0])
			if err != nil {
				return err
			}
			return reportTest(c, &view, asJSON)
		}),
	}
	command.Flags().StringVar(&profile, "profile", "", "the destination of this `profile` (default \"default\")")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

// reportTest tells what came of a test. One that failed is a message that was not
// delivered.
func reportTest(c *console, t *agent.DestinationTestView, asJSON bool) error {
	if asJSON {
		if err := c.json(t); err != nil {
			return err
		}
	}
	about := joinNonEmpty(", ", t.Code, t.Error)
	if t.Class != transport.Success {
		return &exitError{ExitNotDelivered, fmt.Errorf("attempt %d of message %s failed after %s: %s", t.Attempt, t.ID, milliseconds(t.DurationMS), joinNonEmpty(": ", string(t.Class), about))}
	}
	if asJSON {
		return nil
	}
	return c.printf("delivered %s in %s: %s", t.ID, milliseconds(t.DurationMS), oneLine(joinNonEmpty(", ", about, t.Evidence.String())))
}

// reportDestination tells what was done to a destination.
func reportDestination(c *console, done string, d *agent.DestinationView, asJSON bool, err error) error {
	switch {
	case err != nil:
		return err
	case asJSON:
		return c.json(d)
	case !d.PausedUntil.IsZero():
		return c.printf("%s %s until %s", done, d.Destination, d.PausedUntil.Local().Format(time.RFC3339))
	default:
		return c.printf("%s %s", done, d.Destination)
	}
}

func writeDestinations(c *console, all []agent.DestinationView, now time.Time) error {
	if len(all) == 0 {
		return c.printf("no destination is paused or fails")
	}
	grid := newTable(c.style, "DESTINATION", "PROFILE", "PAUSED UNTIL", "BREAKER", ">FAILURES", "FAILING SINCE", "RATE", "REASON OR ERROR")
	for i := range all {
		d := &all[i]
		grid.add(plain(
			d.Destination, d.Profile, pausedUntil(d, now), breakerOf(d, now), nonZero(d.Failures), instant(d.FailingSince, now),
			rateOf(d), clip(oneLine(joinNonEmpty("; ", d.Reason, d.Error)), maxErrorText))...)
	}
	return grid.writeTo(c.out, "")
}

func pausedUntil(d *agent.DestinationView, now time.Time) string {
	if !d.Paused {
		return ""
	}
	return orResumed(instant(d.PausedUntil, now))
}

func breakerOf(d *agent.DestinationView, now time.Time) string {
	if d.OpenUntil.IsZero() {
		return string(d.Breaker)
	}
	return fmt.Sprintf("%s, next %s", d.Breaker, ago(d.OpenUntil, now))
}

func rateOf(d *agent.DestinationView) string {
	switch {
	case d.RatePerSecond == 0:
		return ""
	case d.Burst > 1:
		return fmt.Sprintf("%g/s, burst %d", d.RatePerSecond, d.Burst)
	default:
		return fmt.Sprintf("%g/s", d.RatePerSecond)
	}
}

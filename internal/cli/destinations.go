package cli

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
)

func newDestinations(c *console) *cobra.Command {
	command := &cobra.Command{Use: "destinations", Short: "List, pause and resume destinations", RunE: onlySubcommands}
	for _, sub := range []*cobra.Command{newDestinationsList(c), newDestinationsPause(c), newDestinationsResume(c)} {
		sub.ValidArgsFunction = cobra.NoFileCompletions
		command.AddCommand(sub)
	}
	return command
}

func newDestinationsList(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "list", Short: "List the destinations that are paused", Args: arguments(),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			paused, err := daemon.Destinations(command.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(agent.DestinationsView{Destinations: paused})
			}
			return writeDestinations(c, paused, time.Now())
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

func writeDestinations(c *console, paused []agent.DestinationView, now time.Time) error {
	if len(paused) == 0 {
		return c.printf("no destination is paused")
	}
	grid := newTable(c.style, "DESTINATION", "PROFILE", "PAUSED UNTIL", "REASON")
	for _, d := range paused {
		until := "resumed"
		if !d.PausedUntil.IsZero() {
			until = instant(d.PausedUntil, now)
		}
		grid.add(plain(d.Destination, d.Profile, until, clip(d.Reason, maxErrorText))...)
	}
	return grid.writeTo(c.out, "")
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/internal/client"
)

func newStats(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "stats", Short: "Show what the daemon holds, and what its transports and receivers did", Args: arguments(),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			statistics, err := daemon.Stats(command.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(statistics)
			}
			return writeStats(c, &statistics)
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

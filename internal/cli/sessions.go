package cli

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/transport/inbound"
)

func newSessions(c *console) *cobra.Command {
	command := &cobra.Command{Use: "sessions", Short: "List and close the connections of peers", RunE: onlySubcommands}
	for _, sub := range []*cobra.Command{newSessionsList(c), newSessionsClose(c)} {
		sub.ValidArgsFunction = cobra.NoFileCompletions
		command.AddCommand(sub)
	}
	return command
}

func newSessionsList(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "list", Short: "List the sessions that are open", Args: arguments(),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			all, err := daemon.Sessions(command.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(agent.SessionsView{Sessions: all})
			}
			return writeSessions(c, all, time.Now())
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func newSessionsClose(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "close ID", Short: "Close a session; its peer may open another", Args: arguments("ID"),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			if err := daemon.CloseSession(command.Context(), args[0]); err != nil {
				return err
			}
			if asJSON {
				return c.json(agent.SessionClosing{ID: args[0]})
			}
			return c.printf("closed %s", args[0])
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func writeSessions(c *console, all []inbound.SessionInfo, now time.Time) error {
	if len(all) == 0 {
		return c.printf("no session is open")
	}
	grid := newTable(c.style, "ID", "SCHEME", "REMOTE", "PROFILES", "PEERS", "OPENED", ">RECEIVED", ">SENT", ">QUEUED")
	for i := range all {
		s := &all[i]
		grid.add(plain(
			s.ID, s.Scheme, s.Remote, strings.Join(s.Profiles, " "), clip(oneLine(peersOf(s)), maxErrorText), instant(s.Opened, now),
			nonZero(int(s.Received)), nonZero(int(s.Sent)), nonZero(s.Queued))...)
	}
	return grid.writeTo(c.out, "")
}

// peersOf names the peers of a session, with what they take.
func peersOf(s *inbound.SessionInfo) string {
	var peers []string
	for _, peer := range s.Peers {
		peers = append(peers, joinNonEmpty(" ", peer.Key, peer.ReturnRoute))
	}
	return joinNonEmpty(", ", peers...)
}

func newPickups(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "pickups", Short: "List the recipients for whom messages wait", Args: arguments(),
		Long: `Pickups lists the recipients that have no endpoint, and for whom messages wait
until they connect. Their messages are messages like all others: list them with
outrider list --endpoint, and remove one with outrider cancel.`,
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			all, err := daemon.Pickups(command.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(agent.PickupsView{Pickups: all})
			}
			return writePickups(c, all, time.Now())
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func writePickups(c *console, all []agent.PickupView, now time.Time) error {
	if len(all) == 0 {
		return c.printf("nothing waits to be picked up")
	}
	grid := newTable(c.style, "ENDPOINT", "PROFILE", ">MESSAGES", ">BYTES", "OLDEST")
	for i := range all {
		p := &all[i]
		grid.add(plain(p.Endpoint, p.Profile, nonZero(int(p.Messages)), size(p.Bytes), instant(p.Oldest, now))...)
	}
	return grid.writeTo(c.out, "")
}

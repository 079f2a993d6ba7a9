package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func newStatus(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON, payload bool
	command := &cobra.Command{
		Use: "status ID", Short: "Show a message and its attempts", Args: arguments("ID"),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			id, err := messageID(args[0])
			if err != nil {
				return err
			}
			message, err := daemon.Get(command.Context(), id, payload)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(message)
			}
			err = writeMessage(c, &message, time.Now())
			if err == nil && payload {
				err = errors.Join(writeResponses(c, message.Attempts), writePayload(c, &message))
			}
			return err
		}),
	}
	command.Flags().BoolVar(&payload, "payload", false, "show what the receiver answered, and the payload, too")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func messageID(text string) (transport.ID, error) {
	id, err := transport.ParseID(text)
	if err != nil {
		return id, usagef("%w", err)
	}
	return id, nil
}

func newList(c *console) *cobra.Command {
	var flags daemonFlags
	var query client.ListQuery
	var asJSON bool
	command := &cobra.Command{
		Use: "list", Short: "List messages, newest first", Args: arguments(),
		Example: `  outrider list --state dead
  outrider list --state pending,retry --endpoint https://example.com`,
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, _ []string) error {
			if command.Flags().Changed("limit") && (query.Limit < 1 || query.Limit > queue.MaxPage) {
				return usagef("--limit is %d: want 1 to %d", query.Limit, queue.MaxPage)
			}
			page, err := daemon.List(command.Context(), query)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(page)
			}
			if len(page.Messages) == 0 {
				return c.printf("no messages")
			}
			if page.Cursor != "" {
				c.notef("there are more: add --cursor %s", page.Cursor)
			}
			return writeMessages(c, page.Messages, time.Now())
		}),
	}
	set := command.Flags()
	set.StringVar(&query.State, "state", "", "only these `states` (pending, deliver, retry, done) or results (delivered, dead, cancelled, expired)")
	set.StringVar(&query.Endpoint, "endpoint", "", "only this endpoint or, without a path, destination (`URI`)")
	set.StringVar(&query.Profile, "profile", "", "only this `profile`")
	set.IntVar(&query.Limit, "limit", 0, "at most `n` messages, up to 1000 (default 100)")
	set.StringVar(&query.Cursor, "cursor", "", "go on after the page that gave this `cursor`")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

func newCancel(c *console) *cobra.Command {
	var flags daemonFlags
	var asJSON bool
	command := &cobra.Command{
		Use: "cancel ID", Short: "Cancel a message that is not done", Args: arguments("ID"),
		RunE: daemonCommand(c, &flags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			id, err := messageID(args[0])
			if err != nil {
				return err
			}
			message, err := daemon.Cancel(command.Context(), id)
			if err != nil {
				return err
			}
			if asJSON {
				return c.json(message)
			}
			if message.Result == "" {
				return c.printf("%s is being attempted: it is cancelled afterwards, unless that delivers it", id)
			}
			return c.printf("%s %s", message.Result, id)
		}),
	}
	flags.add(command, " or "+defaultServer)
	addJSON(command, &asJSON)
	return command
}

package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	daemonFlags
	dead   bool
	since  string
	dryRun bool
	json   bool
}

// replayed is what replay --dead --json prints.
type replayed struct {
	Count    int                 `json:"count"`
	DryRun   bool                `json:"dry_run"`
	Messages []agent.MessageView `json:"messages"`
}

func newReplay(c *console) *cobra.Command {
	var flags replayFlags
	command := &cobra.Command{
		Use: "replay ID | --dead", Short: "Queue messages again that were not delivered",
		Long: `Replay queues a message that is dead, expired or cancelled again, under its old id;
with --dead, all that are dead.`,
		Example: `  outrider replay 0198c0de-5b1e-7abc-8def-0123456789ab
  outrider replay --dead --since 24h --dry-run`,
		Args: flags.check,
		RunE: daemonCommand(c, &flags.daemonFlags, func(command *cobra.Command, daemon *client.Client, args []string) error {
			if flags.dead {
				return flags.all(command.Context(), c, daemon)
			}
			return flags.one(command.Context(), c, daemon, args[0])
		}),
	}
	set := command.Flags()
	set.BoolVar(&flags.dead, "dead", false, "replay all dead messages")
	set.StringVar(&flags.since, "since", "", "with --dead: those that died since a `time` (2026-01-31T15:04:05Z), or in the last so long (24h)")
	set.BoolVar(&flags.dryRun, "dry-run", false, "with --dead: only list them")
	flags.add(command, " or "+defaultServer)
	addJSON(command, &flags.json)
	return command
}

func (f *replayFlags) check(command *cobra.Command, args []string) error {
	switch {
	case f.dead && len(args) > 0:
		return usagef("give an ID or --dead, not both")
	case f.dead:
		return nil
	case len(args) == 0:
		return usagef("ID is missing: give one, or --dead for all dead messages")
	case f.since != "" || f.dryRun:
		return usagef("--since and --dry-run are for --dead")
	}
	return arguments("ID")(command, args)
}

func (f *replayFlags) one(ctx context.Context, c *console, daemon *client.Client, text string) error {
	id, err := messageID(text)
	if err != nil {
		return err
	}
	message, err := daemon.Replay(ctx, id)
	if err != nil {
		return err
	}
	if f.json {
		return c.json(message)
	}
	return c.printf("replayed %s", id)
}

// all replays page by page, in the order of the ids: a message that dies again
// meanwhile is not replayed twice.
func (f *replayFlags) all(ctx context.Context, c *console, daemon *client.Client) error {
	result := replayed{DryRun: f.dryRun, Messages: []agent.MessageView{}}
	query := client.ReplayQuery{Result: "dead", Since: f.since, Limit: 1000, DryRun: f.dryRun}
	for {
		page, err := daemon.ReplayPage(ctx, query)
		if err != nil {
			c.progressDone()
			if ctx.Err() != nil { // and not that the daemon did not answer
				err = ctx.Err()
			}
			if result.Count > 0 && !f.dryRun {
				err = fmt.Errorf("stopped after %s: %w; the same command goes on with the others", count(result.Count, "replayed message"), err)
			}
			return err
		}
		result.Count += len(page.Messages)
		result.Messages = append(result.Messages, page.Messages...)
		if query.Cursor = page.Cursor; query.Cursor == "" {
			break
		}
		c.progress(f.tally(result.Count))
	}
	c.progressDone()
	return f.report(c, &result)
}

func (f *replayFlags) tally(n int) string {
	if f.dryRun {
		return count(n, "message") + " would be replayed"
	}
	return "replayed " + count(n, "message")
}

func (f *replayFlags) report(c *console, result *replayed) error {
	if f.json {
		return c.json(result)
	}
	if f.dryRun && result.Count > 0 {
		if err := writeMessages(c, result.Messages, time.Now()); err != nil {
			return err
		}
	}
	return c.printf("%s", f.tally(result.Count))
}

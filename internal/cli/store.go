package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

func newStore(c *console) *cobra.Command {
	command := &cobra.Command{
		Use: "store", Short: "Look after the store on disk", RunE: onlySubcommands,
		Long: `Store looks after the files in which a daemon keeps its queue. The directory comes
from the daemon's configuration, or from --dir. But for info and export, the
daemon must not run: they fail with exit code 5 when it does.`,
		Example: `  outrider store info
  outrider store export --out queue.jsonl
  outrider store check --dir data`,
	}
	for _, sub := range []*cobra.Command{newStoreInfo(c), newStoreCheck(c), newStoreCompact(c), newStoreExport(c), newStoreImport(c)} {
		if sub.ValidArgsFunction == nil {
			sub.ValidArgsFunction = cobra.NoFileCompletions
		}
		command.AddCommand(sub)
	}
	return command
}

// storeFlags say which store, and how to answer.
type storeFlags struct {
	configFlags
	json bool
}

func (f *storeFlags) add(command *cobra.Command) {
	f.set, f.keys = command.Flags(), map[string]string{}
	f.set.StringVar(&f.file, "config", "", "read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	f.text("dir", "dir", "the store's `directory` (default "+defaultDir+")")
	addJSON(command, &f.json)
}

// addKey adds the flag of a command that opens messages.
func (f *storeFlags) addKey() {
	f.text("key-file", "encryption.key_file", "read the master key from a `file`")
}

// load reads the configuration. Its Dir is set.
func (f *storeFlags) load(c *console) (agent.Config, error) {
	config, err := f.configFlags.load(c)
	if err != nil {
		return agent.Config{}, err
	}
	if config.Memory {
		return agent.Config{}, usagef("the configuration keeps the queue in memory: there is no store on disk")
	}
	if config.Dir == "" {
		config.Dir, err = agent.DefaultDir()
	}
	return config, err
}

// whileStopped says what to do about a store that a process has.
func whileStopped(err error) error {
	if errors.Is(err, queue.ErrLocked) {
		return fmt.Errorf("%w: stop the daemon first", err)
	}
	return err
}

// lockStore keeps daemons from a store. One that is not there yet is nobody's.
func lockStore(config agent.Config) (release func() error, err error) {
	dir := config.Dir
	if dir == "" {
		if dir, err = agent.DefaultDir(); err != nil {
			return nil, err
		}
	}
	release, err = sqlitequeue.Lock(dir)
	return release, whileStopped(err)
}

func newStoreInfo(c *console) *cobra.Command {
	var flags storeFlags
	command := &cobra.Command{
		Use: "info", Short: "Show what is in the store, also while a daemon runs", Args: arguments(),
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			info, err := sqlitequeue.Inspect(command.Context(), config.Dir)
			if err != nil {
				return err
			}
			if flags.json {
				return c.json(info)
			}
			return writeStoreInfo(c, &info, time.Now())
		},
	}
	flags.add(command)
	return command
}

func newStoreCheck(c *console) *cobra.Command {
	var flags storeFlags
	var repair bool
	command := &cobra.Command{
		Use: "check", Short: "Look whether the store is whole", Args: arguments(),
		Long: `Check reads all that is in the store: whether the file is whole, each message is
what was written, and what is kept beside the messages agrees with them. The exit
code is 1 when something is wrong.

With --repair it mends what can be without losing anything, and ends, as dead,
messages that wait and cannot be delivered because they are damaged.`,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			report, err := sqlitequeue.Check(command.Context(), config.Dir, sqlitequeue.CheckOptions{Repair: repair, Progress: func(done, total int64) {
				c.progress(fmt.Sprintf("checked %d of about %s", done, count(total, "message")))
			}})
			c.progressDone()
			if err != nil {
				return whileStopped(err)
			}
			return writeReport(c, &report, flags.json)
		},
	}
	command.Flags().BoolVar(&repair, "repair", false, "mend what can be without losing anything")
	flags.add(command)
	return command
}

func newStoreCompact(c *console) *cobra.Command {
	var flags storeFlags
	command := &cobra.Command{
		Use: "compact", Short: "Give back the room that the store no longer needs", Args: arguments(),
		Long: `Compact writes the database anew, without what is empty in it, beside the old one,
and then puts it in its place. It says first how much room that needs. Until it is
done, the store is as it was.`,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			return compact(command.Context(), c, config.Dir, flags.json)
		},
	}
	flags.add(command)
	return command
}

func compact(ctx context.Context, c *console, dir string, asJSON bool) error {
	sizes, err := sqlitequeue.Compact(ctx, dir, sqlitequeue.CompactOptions{Needs: func(bytes int64) error {
		c.notef("compacting %s: this needs up to %s more on its disk meanwhile", dir, size(bytes))
		return nil
	}})
	if err != nil {
		return whileStopped(err)
	}
	if asJSON {
		return c.json(sizes)
	}
	return c.printf("compacted: %s before, %s after", size(sizes.Before), size(sizes.After))
}

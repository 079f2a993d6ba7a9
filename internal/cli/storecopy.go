package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/archive"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
)

// exportFlags say what to export, and where to.
type exportFlags struct {
	storeFlags
	out, profile, state, since string
}

func newStoreExport(c *console) *cobra.Command {
	var flags exportFlags
	command := &cobra.Command{
		Use: "export", Short: "Write all messages to stdout or a file, also while a daemon runs", Args: arguments(),
		Long: `Export writes what the store keeps as lines of JSON: each message with its payload,
its endpoint, what became of it and its attempts, and the states of destinations.
While a daemon runs it writes what was there at one moment.

What cannot be read of a damaged store is left out, and told; the exit code is then 6.

It is written in the clear, with all secrets, also from a store that is encrypted,
for which it needs the master key. A file is made with mode 0600.`,
		Example: `  outrider store export --out queue.jsonl
  outrider store export --state dead --since 24h --config outrider.yaml | gzip > dead.gz`,
		RunE: func(command *cobra.Command, _ []string) error {
			filter, err := flags.filter(time.Now())
			if err != nil {
				return err
			}
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			return flags.export(command.Context(), c, config, filter)
		},
	}
	flags.add(command)
	flags.addKey()
	set := command.Flags()
	set.StringVar(&flags.out, "out", "", "write to a new `file` with mode 0600")
	set.StringVar(&flags.profile, "profile", "", "only this `profile`")
	set.StringVar(&flags.state, "state", "", "only these `states` (pending, retry, done) or results (delivered, dead, cancelled, expired)")
	set.StringVar(&flags.since, "since", "", "only what changed since a `time` (2026-01-31T15:04:05Z), or in the last so long (24h)")
	return command
}

func (f *exportFlags) filter(now time.Time) (archive.Filter, error) {
	if f.json && f.out == "" {
		return archive.Filter{}, usagef("--json is about what is told of the export: it needs --out, since the export itself goes to stdout")
	}
	filter := archive.Filter{Profile: f.profile}
	for word := range strings.FieldsFuncSeq(f.state, func(r rune) bool { return r == ',' }) {
		switch {
		case slices.Contains([]queue.State{queue.StatePending, queue.StateRetry, queue.StateDone}, queue.State(word)):
			filter.States = append(filter.States, queue.State(word))
		case slices.Contains([]queue.Result{queue.Delivered, queue.Dead, queue.Cancelled, queue.Expired}, queue.Result(word)):
			filter.Results = append(filter.Results, queue.Result(word))
		default:
			return filter, usagef("--state: %q is not a state: want pending, retry or done, or a result: delivered, dead, cancelled or expired", word)
		}
	}
	if len(filter.States) > 0 && len(filter.Results) > 0 {
		return filter, usagef("--state: give states or results, not both: results are all of the state done")
	}
	if f.since == "" {
		return filter, nil
	}
	if past, err := time.ParseDuration(f.since); err == nil && past >= 0 {
		filter.Since = now.Add(-past)
		return filter, nil
	}
	var err error
	if filter.Since, err = time.Parse(time.RFC3339, f.since); err != nil {
		return filter, usagef("--since: want a time such as 2026-01-31T15:04:05Z, or a duration such as 24h")
	}
	return filter, nil
}

func (f *exportFlags) export(ctx context.Context, c *console, config agent.Config, filter archive.Filter) (err error) {
	keys, err := config.OpenKeyring()
	if err != nil {
		return err
	}
	snapshot, err := sqlitequeue.OpenSnapshot(ctx, config.Dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	var sum archive.Summary
	write := func(to io.Writer) (err error) {
		sum, err = archive.Export(ctx, snapshot, to, archive.Options{Keys: keys, Filter: filter, Progress: func(done int64) {
			c.progress(count(done, "message") + " exported")
		}})
		c.progressDone()
		return err
	}
	if f.out == "" {
		err = write(c.out)
	} else {
		err = writePrivate(f.out, write)
	}
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return f.tell(c, &sum)
}

// tell says what was exported, on stderr where the export is on stdout.
func (f *exportFlags) tell(c *console, sum *archive.Summary) error {
	warnOf(c, sum)
	if f.json {
		if err := c.json(sum); err != nil {
			return err
		}
	} else {
		c.notef("exported %s and the states of %s, in the clear", count(sum.Messages, "message"), count(sum.Lanes, "destination"))
	}
	if sum.Whole() {
		return nil
	}
	return &exitError{ExitIncomplete, fmt.Errorf("the export is not all that the store keeps: %s could not be read; it can be imported as it is",
		count(sum.Damaged+sum.Missing+sum.Skipped, "message"))}
}

// warnOf tells what of a store is not in an export, or not whole.
func warnOf(c *console, sum *archive.Summary) {
	if sum.Lost > 0 {
		c.notef("%s without payload and endpoint, since they are damaged or their keys are gone", count(sum.Lost, "message"))
	}
	if sum.Missing > 0 {
		c.notef("%s left out, since nothing of them can be read", count(sum.Missing, "message"))
	}
	if sum.Skipped > 0 {
		c.notef("%s left out, since it is not known where they were to go", count(sum.Skipped, "damaged message"))
	}
	for _, fault := range sum.Unreadable {
		c.notef("left out what cannot be read: %s", fault)
	}
}

// writePrivate writes a new file that its owner alone can read. It is whole and on
// disk, or it is not there.
func writePrivate(path string, write func(io.Writer) error) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600) //nolint:gosec // the user's
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("--out: %s is there already, and is not overwritten: name another file, or remove it", path)
	}
	if err != nil {
		return err
	}
	err = write(file)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

func newStoreImport(c *console) *cobra.Command {
	var flags storeFlags
	command := &cobra.Command{
		Use: "import FILE", Short: "Read messages from an export into an empty store", Args: arguments("FILE"),
		ValidArgsFunction: cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault),
		Long: `Import reads what export has written, from a file or, for -, from stdin. Messages
keep their ids, states, results, attempts and times. The store must be empty, since
an id says where its message is kept. All of the file is imported, or nothing.

Where the configuration has a master key, what is imported is encrypted.`,
		RunE: func(command *cobra.Command, args []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			return importFile(command.Context(), c, config, args[0], flags.json)
		},
	}
	flags.add(command)
	flags.addKey()
	return command
}

func importFile(ctx context.Context, c *console, config agent.Config, path string, asJSON bool) (err error) {
	from := c.in
	if path != "-" {
		file, err := os.Open(path) //nolint:gosec // the user's
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		from = file
	}
	keys, err := config.OpenKeyring()
	if err != nil {
		return err
	}
	importer, err := sqlitequeue.NewImporter(ctx, config.Dir)
	if err != nil {
		return whileStopped(err)
	}
	defer func() { err = errors.Join(err, importer.Close()) }()
	sum, err := archive.Import(ctx, from, importer, archive.Options{Keys: keys, Progress: func(done int64) {
		c.progress(count(done, "message") + " imported")
	}})
	c.progressDone()
	if err != nil {
		return fmt.Errorf("%w; nothing was imported", err)
	}
	warnOf(c, &sum)
	if asJSON {
		return c.json(sum)
	}
	return c.printf("imported %s and the states of %s", count(sum.Messages, "message"), count(sum.Lanes, "destination"))
}

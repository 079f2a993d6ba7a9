package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/queue/sealqueue/keyring"
)

func newKey(c *console) *cobra.Command {
	command := &cobra.Command{
		Use: "key", Short: "Make and change the keys that encrypt messages in the store", RunE: onlySubcommands,
		Long: `Key makes a master key, and changes the keyring of a daemon that does not run: the
file ` + keyring.FileName + ` in its directory. The directory and the master key come from the
daemon's configuration, or from flags. While a daemon runs, rotate, rewrap and
shred fail with exit code 5: it would go on with the keys that it knows.`,
		Example: `  outrider key new --out master.key
  outrider key rotate --profile acme --dir data --key-file master.key
  outrider key rewrap --dir data --key-file master.key --new-key-file next.key`,
	}
	for _, sub := range []*cobra.Command{newKeyNew(c), newKeyList(c), newKeyRotate(c), newKeyRewrap(c), newKeyShred(c)} {
		sub.ValidArgsFunction = cobra.NoFileCompletions
		command.AddCommand(sub)
	}
	return command
}

func newKeyNew(c *console) *cobra.Command {
	var out string
	var asJSON bool
	command := &cobra.Command{
		Use: "new", Short: "Make a master key", Args: arguments(),
		Long: `New makes a random master key: on stdout, or in a new file that its owner alone can
read. Keep a copy apart from the store: without it, nothing in the store can be
read again.`,
		RunE: func(*cobra.Command, []string) error {
			text := keyring.NewMaster()
			master, err := keyring.ParseMaster(text)
			if err != nil {
				return err
			}
			if out == "" && asJSON {
				return c.json(map[string]string{"master": master.ID(), "key": text.Reveal()})
			}
			if out == "" {
				return c.printf("%s", text.Reveal())
			}
			if err := keyring.WriteMaster(out, text); err != nil {
				return err
			}
			if asJSON {
				return c.json(map[string]string{"master": master.ID(), "file": out})
			}
			return c.printf("master key %s written to %s", master.ID(), out)
		},
	}
	command.Flags().StringVar(&out, "out", "", "write it to a new `file` with mode 0600")
	addJSON(command, &asJSON)
	return command
}

// keyFlags say which keyring, and how to answer.
type keyFlags struct {
	configFlags
	json bool
}

func (f *keyFlags) add(command *cobra.Command) {
	f.set, f.keys = command.Flags(), map[string]string{}
	f.set.StringVar(&f.file, "config", "", "read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	f.text("dir", "dir", "the daemon's `directory`")
	f.text("key-file", "encryption.key_file", "read the master key from a `file`")
	addJSON(command, &f.json)
}

// open opens the keyring that the configuration and the flags name.
func (f *keyFlags) open(c *console) (*keyring.Keyring, error) {
	config, err := f.load(c)
	if err != nil {
		return nil, err
	}
	keys, err := config.OpenKeyring()
	if err == nil && keys == nil {
		err = usagef("there is no master key: give --dir and --key-file, or a configuration with encryption.key")
	}
	return keys, err
}

// whileStopped runs a change of the keyring while no daemon has the store.
func (f *keyFlags) whileStopped(c *console, change func() error) error {
	config, err := f.load(c)
	if err != nil {
		return err
	}
	release, err := lockStore(config)
	if err != nil {
		return err
	}
	return errors.Join(change(), release())
}

// openProfile is open for a command about a profile that has keys.
func (f *keyFlags) openProfile(c *console, profile string) (*keyring.Keyring, error) {
	if profile == "" {
		return nil, usagef("--profile is missing")
	}
	keys, err := f.open(c)
	if err != nil {
		return nil, err
	}
	var known []string
	for _, p := range keys.Profiles() {
		if p.Profile == profile {
			return keys, nil
		}
		known = append(known, p.Profile)
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("profile %q has no keys, nor has another: they are made with the first message", profile)
	}
	return nil, fmt.Errorf("profile %q has no keys: those that have are %s", profile, strings.Join(known, ", "))
}

// dataKey is a key as key list --json prints it.
type dataKey struct {
	Profile string     `json:"profile"`
	ID      keyring.ID `json:"id"`
	Created time.Time  `json:"created"`
	InUse   bool       `json:"in_use"`
}

func newKeyList(c *console) *cobra.Command {
	var flags keyFlags
	command := &cobra.Command{
		Use: "list", Short: "List the data keys, by profile", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			keys, err := flags.open(c)
			if err != nil {
				return err
			}
			all := []dataKey{}
			for _, p := range keys.Profiles() {
				for i, key := range p.Keys {
					all = append(all, dataKey{p.Profile, key.ID, key.Created, i == len(p.Keys)-1})
				}
			}
			if flags.json {
				return c.json(struct {
					Master string    `json:"master"`
					Keys   []dataKey `json:"keys"`
				}{keys.MasterID(), all})
			}
			grid := newTable(c.style, "PROFILE", "KEY", "CREATED", "IN USE")
			for _, key := range all {
				grid.add(plain(key.Profile, key.ID.String(), key.Created.Format(time.RFC3339), map[bool]string{true: "yes"}[key.InUse])...)
			}
			return grid.writeTo(c.out, "")
		},
	}
	flags.add(command)
	return command
}

func newKeyRotate(c *console) *cobra.Command {
	var flags keyFlags
	var profile string
	command := &cobra.Command{
		Use: "rotate --profile ID", Short: "Give a profile a new data key", Args: arguments(),
		Long: `Rotate gives a profile a new data key, for the messages to come. The old ones stay,
for those that are in the store. Stop the daemon first.`,
		RunE: func(command *cobra.Command, _ []string) error {
			keys, err := flags.openProfile(c, profile)
			if err != nil {
				return err
			}
			var id keyring.ID
			if err := flags.whileStopped(c, func() (err error) {
				id, err = keys.Rotate(command.Context(), profile)
				return err
			}); err != nil {
				return err
			}
			if flags.json {
				return c.json(map[string]string{"profile": profile, "key": id.String()})
			}
			return c.printf("profile %s: new messages are sealed with key %s", profile, id)
		},
	}
	command.Flags().StringVar(&profile, "profile", "", "the `profile`")
	flags.add(command)
	return command
}

func newKeyRewrap(c *console) *cobra.Command {
	var flags keyFlags
	var newFile string
	command := &cobra.Command{
		Use: "rewrap --new-key-file FILE", Short: "Put the keyring under a new master key", Args: arguments(),
		Long: `Rewrap wraps all data keys with another master key. Messages are not touched. Stop
the daemon first, and give it the new key before it starts again. Backups of the
keyring still need the old one.`,
		RunE: func(command *cobra.Command, _ []string) error {
			if newFile == "" {
				return usagef("--new-key-file is missing: outrider key new --out FILE makes one")
			}
			keys, err := flags.open(c)
			if err != nil {
				return err
			}
			return flags.rewrap(command.Context(), c, keys, newFile)
		},
	}
	command.Flags().StringVar(&newFile, "new-key-file", "", "read the new master key from a `file`")
	flags.add(command)
	return command
}

func (f *keyFlags) rewrap(ctx context.Context, c *console, keys *keyring.Keyring, newFile string) error {
	if len(keys.Profiles()) == 0 {
		return errors.New("there are no keys to rewrap: the first message makes them")
	}
	text, err := keyring.ReadMaster(newFile)
	if err != nil {
		return err
	}
	master, err := keyring.ParseMaster(text)
	if err != nil {
		return err
	}
	old := keys.MasterID()
	if err := f.whileStopped(c, func() error { return keys.Rewrap(ctx, master) }); err != nil {
		return err
	}
	if f.json {
		return c.json(map[string]string{"old_master": old, "master": master.ID()})
	}
	return c.printf("the keyring is under master key %s now, no longer under %s: set encryption.key_file to %s", master.ID(), old, newFile)
}

func newKeyShred(c *console) *cobra.Command {
	var flags keyFlags
	var profile string
	var yes bool
	command := &cobra.Command{
		Use: "shred --profile ID --yes", Short: "Forget a profile's data keys: its messages are lost for good", Args: arguments(),
		Long: `Shred forgets the data keys of a profile, so that what it has in the store cannot be
read again: messages that wait end as dead. Stop the daemon first. Copies of the
keyring still have the keys: docs/encryption.md says what to do about them.`,
		RunE: func(command *cobra.Command, _ []string) error {
			if !yes {
				return usagef("what is shredded is lost for good: add --yes")
			}
			keys, err := flags.openProfile(c, profile)
			if err != nil {
				return err
			}
			var n int
			if err := flags.whileStopped(c, func() (err error) {
				n, err = keys.Shred(command.Context(), profile)
				return err
			}); err != nil {
				return err
			}
			if flags.json {
				return c.json(map[string]any{"profile": profile, "keys": n})
			}
			return c.printf("profile %s: %s forgotten", profile, count(int64(n), "key"))
		},
	}
	command.Flags().StringVar(&profile, "profile", "", "the `profile`")
	command.Flags().BoolVar(&yes, "yes", false, "lose its messages")
	flags.add(command)
	return command
}

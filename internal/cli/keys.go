package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
)

func newKeys(c *console) *cobra.Command {
	command := &cobra.Command{
		Use: "keys", Short: "Make and change the keys that a profile signs and encrypts with", RunE: onlySubcommands,
		Long: `Keys makes and changes a file with private keys, which wire formats sign, encrypt and
decrypt with. It is named by --keys, or by keys.file of a profile in the
configuration. Its passphrase comes from --passphrase-file, from the variable
` + agent.EnvPassphrase + `, or from the configuration. Private halves are never
shown. A daemon that runs finds new keys; one that was deleted works until the daemon
starts again.`,
		Example: `  outrider keys create ed25519 --keys keys.json --passphrase-file passphrase
  outrider keys list --config outrider.yaml --profile acme
  outrider keys import @key.pem --id did:example:acme#key-1 --keys keys.json`,
	}
	for _, sub := range []*cobra.Command{newKeysCreate(c), newKeysList(c), newKeysShow(c), newKeysImport(c), newKeysDelete(c)} {
		sub.ValidArgsFunction = cobra.NoFileCompletions
		command.AddCommand(sub)
	}
	return command
}

// moduleFlags say which file with keys.
type moduleFlags struct {
	config, profile      string
	file, passphraseFile string
}

func (f *moduleFlags) add(set *pflag.FlagSet) {
	set.StringVar(&f.config, "config", "", "read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	set.StringVar(&f.profile, "profile", profile.DefaultID, "the `profile` in the configuration")
	set.StringVar(&f.file, "keys", "", "the `file` with keys (default keys.file of the profile)")
	set.StringVar(&f.passphraseFile, "passphrase-file", "", "read the passphrase of the keys from a `file` (default $"+agent.EnvPassphrase+")")
}

// load reads the configuration, with the file with keys that the flags name.
func (f *moduleFlags) load(c *console) (agent.Config, error) {
	config, err := loadConfig(c, f.config, nil)
	if err != nil {
		return config, err
	}
	return f.apply(c, config)
}

// apply puts the file with keys that the flags name into a configuration.
func (f *moduleFlags) apply(c *console, config agent.Config) (agent.Config, error) {
	options, known := config.Profiles[f.profile]
	if !known && f.profile != profile.DefaultID {
		return config, usagef("--profile: %w %q", profile.ErrUnknown, f.profile)
	}
	switch {
	case f.file == "" && f.passphraseFile == "":
		return config, nil
	case f.file == "":
		return config, usagef("--passphrase-file needs --keys")
	}
	passphrase, err := f.passphrase(c)
	if err != nil {
		return config, err
	}
	options.KeyFile = profile.KeyFile{Path: f.file, Passphrase: passphrase}
	profiles := maps.Clone(config.Profiles)
	if profiles == nil {
		profiles = map[string]profile.Options{}
	}
	profiles[f.profile] = options
	config.Profiles = profiles
	return config, nil
}

func (f *moduleFlags) passphrase(c *console) (transport.Secret, error) {
	text := c.getenv(agent.EnvPassphrase)
	if f.passphraseFile != "" {
		content, err := os.ReadFile(f.passphraseFile)
		if err != nil {
			return transport.Secret{}, fmt.Errorf("--passphrase-file: %w", err)
		}
		text = strings.TrimRight(string(content), "\r\n")
	}
	if text == "" {
		return transport.Secret{}, usagef("there is no passphrase: give --passphrase-file, or set %s", agent.EnvPassphrase)
	}
	return transport.NewSecret(text), nil
}

// keysFlags are the flags of the commands below keys.
type keysFlags struct {
	moduleFlags

	json bool
}

func (f *keysFlags) add(command *cobra.Command) {
	f.moduleFlags.add(command.Flags())
	addJSON(command, &f.json)
}

// with opens the module for as long as use runs.
func (f *keysFlags) with(ctx context.Context, c *console, create bool, use func(*secmod.File) error) (err error) {
	config, err := f.load(c)
	if err != nil {
		return err
	}
	file := config.Profiles[f.profile].KeyFile
	if file.Path == "" {
		return usagef("there is no file with keys: give --keys, or a configuration with keys.file")
	}
	module, err := secmod.NewFile(file.Path, secmod.FileOptions{Create: create})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, module.Close(context.WithoutCancel(ctx))) }()
	if err := module.Open(ctx); err != nil {
		return err
	}
	if err := module.Unlock(ctx, file.Passphrase); err != nil {
		return err
	}
	return use(module)
}

// keyView is what is shown of a key: all that is public.
type keyView struct {
	No        int             `json:"no"`
	Type      profile.KeyType `json:"type"`
	ID        string          `json:"id"`
	PublicKey string          `json:"public_key"` // hex
	DID       string          `json:"did,omitempty"`
	Verkey    string          `json:"verkey,omitempty"`
	Address   string          `json:"address,omitempty"`
}

func viewOfKey(key secmod.Key) keyView {
	no, _ := key.No()
	names := secmod.Names(key)
	return keyView{
		No: no, Type: key.Type(), ID: key.ID(), PublicKey: hex.EncodeToString(key.PublicKey()),
		DID: names.DID, Verkey: names.Verkey, Address: names.Address,
	}
}

func (f *keysFlags) show(c *console, keys ...keyView) error {
	if f.json {
		return c.json(map[string][]keyView{"keys": append([]keyView{}, keys...)})
	}
	grid := newTable(c.style, ">NO", "TYPE", "ID")
	for _, key := range keys {
		grid.add(plain(fmt.Sprint(key.No), string(key.Type), key.ID)...)
	}
	return grid.writeTo(c.out, "")
}

// added shows a key that was made.
func (f *keysFlags) added(c *console, module *secmod.File, no int) error {
	key, err := module.Key(no)
	if err != nil {
		return err
	}
	if f.json {
		return c.json(viewOfKey(key))
	}
	return c.printf("key %d of type %s: %s", no, key.Type(), key.ID())
}

func newKeysCreate(c *console) *cobra.Command {
	var flags keysFlags
	var id string
	command := &cobra.Command{
		Use: "create TYPE", Short: "Make a key, and the file where there is none", Args: arguments("TYPE"),
		Long: `Create makes a key of the type ed25519, eth, x25519, p-256, p-384 or p-521. A file
that is not there is made, with this passphrase.`,
		RunE: func(command *cobra.Command, args []string) error {
			key, err := secmod.NewKey(profile.KeyType(args[0]), id)
			if err != nil {
				return &exitError{ExitUsage, err}
			}
			return flags.with(command.Context(), c, true, func(module *secmod.File) error {
				no, err := module.AddKey(command.Context(), key)
				if err != nil {
					return err
				}
				return flags.added(c, module, no)
			})
		},
	}
	command.Flags().StringVar(&id, "id", "", "what the key is found by, such as a DID URL (`text`, default its public half)")
	flags.add(command)
	return command
}

func newKeysList(c *console) *cobra.Command {
	var flags keysFlags
	command := &cobra.Command{
		Use: "list", Short: "List the keys", Args: arguments(),
		RunE: func(command *cobra.Command, _ []string) error {
			return flags.with(command.Context(), c, false, func(module *secmod.File) error {
				var keys []keyView
				for _, key := range module.All() {
					keys = append(keys, viewOfKey(key))
				}
				return flags.show(c, keys...)
			})
		},
	}
	flags.add(command)
	return command
}

func newKeysShow(c *console) *cobra.Command {
	var flags keysFlags
	command := &cobra.Command{
		Use: "show ID", Short: "Show the public half of a key", Args: arguments("ID"),
		RunE: func(command *cobra.Command, args []string) error {
			return flags.with(command.Context(), c, false, func(module *secmod.File) error {
				key, err := findKey(command.Context(), module, args[0])
				if err != nil {
					return err
				}
				view := viewOfKey(key)
				if flags.json {
					return c.json(view)
				}
				grid := newTable(c.style, "FIELD", "VALUE")
				for _, row := range [][2]string{
					{"no", fmt.Sprint(view.No)}, {"type", string(view.Type)}, {"id", view.ID}, {"public key", view.PublicKey},
					{"did", view.DID}, {"verkey", view.Verkey}, {"address", view.Address},
				} {
					if row[1] != "" {
						grid.add(plain(row[0], row[1])...)
					}
				}
				return grid.writeTo(c.out, "")
			})
		},
	}
	flags.add(command)
	return command
}

// findKey finds a key by any of its names.
func findKey(ctx context.Context, module *secmod.File, id string) (secmod.Key, error) {
	found, err := module.Find(ctx, id)
	key, ok := found.(secmod.Key)
	if err == nil && !ok {
		err = fmt.Errorf("%w %q", profile.ErrNoKey, id)
	}
	if errors.Is(err, profile.ErrNoKey) {
		return nil, &exitError{ExitNotFound, err}
	}
	return key, err
}

func newKeysImport(c *console) *cobra.Command {
	var flags keysFlags
	var id, of string
	command := &cobra.Command{
		Use: "import @FILE|@-", Short: "Take a key that was made elsewhere", Args: arguments("FILE"),
		Long: `Import reads a private key from a file, or from standard input: hex or base58 (with
--type; default ed25519), a JSON Web Key, PEM (PKCS #8, SEC 1, OpenSSH), or a key
file of autobahn. A file with keys that is not there is made, with this passphrase.`,
		RunE: func(command *cobra.Command, args []string) error {
			name, isFile := strings.CutPrefix(args[0], "@")
			if !isFile {
				return usagef("a private key does not belong on the command line: give @FILE, or @- for standard input")
			}
			text, err := readAll(name, io.LimitReader(c.in, 1<<20))
			if err != nil {
				return err
			}
			key, err := secmod.ParseKey(profile.KeyType(of), id, transport.NewSecret(string(text)))
			clear(text)
			if err != nil {
				return err
			}
			return flags.with(command.Context(), c, true, func(module *secmod.File) error {
				no, err := module.AddKey(command.Context(), key)
				if err != nil {
					return err
				}
				return flags.added(c, module, no)
			})
		},
	}
	command.Flags().StringVar(&id, "id", "", "what the key is found by (`text`, default the key's own, or its public half)")
	command.Flags().StringVar(&of, "type", "", "its `type`: ed25519, eth, x25519, p-256, p-384 or p-521")
	flags.add(command)
	return command
}

func newKeysDelete(c *console) *cobra.Command {
	var flags keysFlags
	var yes bool
	command := &cobra.Command{
		Use: "delete ID --yes", Short: "Forget a key for good", Args: arguments("ID"),
		RunE: func(command *cobra.Command, args []string) error {
			if !yes {
				return usagef("what is deleted is lost for good: add --yes")
			}
			return flags.with(command.Context(), c, false, func(module *secmod.File) error {
				key, err := findKey(command.Context(), module, args[0])
				if err != nil {
					return err
				}
				view := viewOfKey(key)
				if err := module.DeleteKey(command.Context(), view.No); err != nil {
					return err
				}
				if flags.json {
					return c.json(view)
				}
				return c.printf("key %d forgotten: %s", view.No, view.ID)
			})
		},
	}
	command.Flags().BoolVar(&yes, "yes", false, "forget it")
	flags.add(command)
	return command
}

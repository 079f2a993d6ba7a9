package cli

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outrider-go/outrider/agent"
)

// defaultDir says where the queue is by default, as agent.DefaultDir has it.
const defaultDir = "$STATE_DIRECTORY, $XDG_STATE_HOME/outrider or ~/.local/state/outrider"

// configFlags are the flags that set keys of the configuration. Those that were
// given beat the environment, which beats the file.
type configFlags struct {
	file string
	set  *pflag.FlagSet
	keys map[string]string // of each flag
}

func (f *configFlags) add(command *cobra.Command) {
	f.set, f.keys = command.Flags(), map[string]string{}
	f.set.StringVar(&f.file, "config", "", "read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	f.text("dir", "dir", "keep the queue in this `directory` (default "+defaultDir+")")
	f.set.Bool("memory", false, "keep the queue in memory: it is lost when the program ends")
	f.keys["memory"] = "memory"
	f.text("api", "api.listen", "serve the API at this `address`, or off (default "+agent.DefaultListen+")")
	f.text("retry", "retry", "default retry `policy`: standard, acapy, exponential, none or fields such as attempts=3,base=1s")
	f.text("shutdown-timeout", "shutdown_timeout", "how long attempts may go on at the end (`duration`, default 30s)")
	f.text("log-level", "log.level", "debug, info, warn or error (`level`, default info)")
	f.text("log-format", "log.format", "json or console (`format`, default json)")
	f.list("in", "inbound.listen", "receive messages at this `URL` (http, https, ws, wss), or from it (amqp, amqps); may be repeated")
	f.text("in-handler", "inbound.handler", "what becomes of messages that come in: forward, print or drop (`word`); needed with --in unless --forward is given")
	f.text("forward", "inbound.forward", "forward messages that come in to this `URI`")
	f.set.Bool("allow-private", false, "let messages go to addresses that are not public, this machine included")
	f.keys["allow-private"] = "allow_private"
}

// text adds a flag whose text the configuration reads itself.
func (f *configFlags) text(name, key, usage string) {
	f.set.String(name, "", usage)
	f.keys[name] = key
}

// isQueue reports a URL that messages are received from, and not at.
func isQueue(url string) bool {
	return strings.HasPrefix(url, "amqp:") || strings.HasPrefix(url, "amqps:")
}

// list adds a flag that may be repeated.
func (f *configFlags) list(name, key, usage string) {
	f.set.StringArray(name, nil, usage)
	f.keys[name] = key
}

// load reads the configuration.
func (f *configFlags) load(c *console) (agent.Config, error) {
	given := map[string]any{}
	f.set.Visit(func(flag *pflag.Flag) {
		key, ok := f.keys[flag.Name]
		if list, isList := flag.Value.(pflag.SliceValue); ok && isList {
			for _, value := range list.GetSlice() {
				key := key
				if flag.Name == "in" && isQueue(value) {
					key = "inbound.from"
				}
				values, _ := given[key].([]any)
				given[key] = append(values, value)
			}
		} else if ok {
			given[key] = flag.Value.String()
		}
	})
	return loadConfig(c, f.file, given)
}

// loadConfig reads the configuration. What is wrong with it is a usage error.
func loadConfig(c *console, file string, flags map[string]any) (agent.Config, error) {
	config, err := agent.LoadConfig(agent.Sources{
		File: cmp.Or(file, c.getenv(agent.EnvConfig)), Env: c.env, Flags: flags,
	})
	if err != nil {
		return agent.Config{}, &exitError{code: ExitUsage, err: &configError{err}}
	}
	return config, nil
}

func newConfig(c *console) *cobra.Command {
	command := &cobra.Command{Use: "config", Short: "Show the configuration", RunE: onlySubcommands}
	var asJSON bool
	flags := configFlags{}
	show := &cobra.Command{
		Use: "print", Short: "Print the configuration in force, without its secrets", Args: arguments(),
		Long: `Print shows what serve would run with, from flags, environment, file and defaults,
and so tells whether a configuration is valid: it fails where serve would. It reads
the files that the configuration names, but for those with keys of a profile, and
opens no store and no port. Secrets show as ***. A key without a value is not shown:
it does not limit, or names nothing. Of a profile, only what it says itself is shown.

The key api.listen is the variable OUTRIDER_API_LISTEN. One that is no key is an
error, unless Kubernetes has made it of a Service called outrider, such as
OUTRIDER_SERVICE_HOST and OUTRIDER_PORT.`,
		RunE: func(*cobra.Command, []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			if config.Dir == "" && !config.Memory {
				if _, err := agent.DefaultDir(); err != nil {
					return &exitError{code: ExitUsage, err: err}
				}
			}
			settings := settingsOf(config)
			if asJSON {
				return c.json(nested(settings))
			}
			return writeSettings(c, settings)
		},
	}
	flags.add(show)
	addJSON(show, &asJSON)
	command.AddCommand(show)
	return command
}

func writeSettings(c *console, settings []setting) error {
	grid := newTable(c.style, "KEY", "VALUE")
	for _, s := range settings {
		value := fmt.Sprint(s.value)
		if list, ok := s.value.([]string); ok {
			value = strings.Join(list, ", ")
		}
		grid.add(plain(strings.Join(s.path, "."), oneLine(value))...)
	}
	return grid.writeTo(c.out, "")
}

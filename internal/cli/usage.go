package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/outrider-go/outrider/internal/suggest"
)

// arguments requires the named arguments, no more and no less.
func arguments(names ...string) cobra.PositionalArgs {
	return func(command *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usagef("%s is missing: %s", names[len(args)], command.UseLine())
		case len(args) > len(names):
			return usagef("too many arguments: %s", command.UseLine())
		}
		return nil
	}
}

// unknownCommand says which command was meant, perhaps. It repeats only what
// looks like a command: a URI may hold a password.
func unknownCommand(parent *cobra.Command, args []string) error {
	name := ""
	for _, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			name = arg
			break
		}
	}
	if strings.ContainsAny(name, ":/@") {
		return usagef("a URI is not a command: to send to it: outrider send URI -d STR")
	}
	var names []string
	for _, command := range parent.Commands() {
		if command.IsAvailableCommand() {
			names = append(names, command.Name())
		}
	}
	return usagef("unknown command %q%s", name, didYouMean(suggest.Closest(name, names)))
}

// onlySubcommands is for a command that does nothing itself.
func onlySubcommands(command *cobra.Command, args []string) error {
	if len(args) > 0 {
		return unknownCommand(command, args)
	}
	return command.Help()
}

// addHelpers adds help and completion, which refuse what they do not know as all
// commands do.
func addHelpers(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, command := range root.Commands() {
		switch command.Name() {
		case "help":
			command.RunE = showHelp
		case "completion":
			command.Args, command.RunE = cobra.ArbitraryArgs, onlySubcommands
			for _, shell := range command.Commands() {
				shell.Args = arguments()
			}
		}
	}
}

// showHelp shows the help of the command that args name.
func showHelp(command *cobra.Command, args []string) error {
	about, unknown, err := command.Root().Find(args)
	if err != nil || len(unknown) > 0 {
		return unknownCommand(about, unknown)
	}
	about.InitDefaultHelpFlag()
	about.InitDefaultVersionFlag()
	return about.Help()
}

// flagError is an error in a flag, with the flag that was meant, perhaps.
func flagError(command *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return usagef("%w", err)
	}
	if shorthands := unknown.GetSpecifiedShortnames(); shorthands != "" {
		return usagef("unknown flag -%s", unknown.GetSpecifiedName())
	}
	var names []string
	command.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	name := unknown.GetSpecifiedName()
	meant := suggest.Closest(name, names)
	if meant != "" {
		meant = "--" + meant
	}
	return usagef("unknown flag --%s%s", name, didYouMean(meant))
}

func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %s?)", name)
}

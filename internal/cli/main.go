package cli

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// Groups of commands in the help text.
const (
	groupRun      = "run"
	groupMessages = "messages"
	groupDaemon   = "daemon"
)

// Main runs the command that args name, without the program's own name, and
// returns the exit code. env holds "NAME=value" entries as os.Environ does. When
// ctx ends the command winds up: a daemon drains, a listener stops.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env []string) int {
	root := newRoot(newConsole(stdin, stdout, stderr, env))
	root.SetArgs(append([]string{}, args...)) // nil would mean the process's own
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return ExitOK
	}
	if own := (*exitError)(nil); command == root && !errors.As(err, &own) {
		err = unknownCommand(root, args) // nothing else fails there
	}
	report(ctx, stderr, command.CommandPath(), err)
	return exitCode(err)
}

func newRoot(c *console) *cobra.Command {
	root := &cobra.Command{
		Use:   "outrider",
		Short: "Deliver payloads to URIs, reliably",
		Long: `Outrider delivers a payload to a URI, whatever its scheme: it queues the message,
attempts it, retries it, and says what is known of its arrival.

Try it:      outrider demo
Run it:      outrider serve
Send:        outrider send https://example.com/inbox -d 'hello'

` + exitCodes,
		SilenceErrors:      true,
		SilenceUsage:       true,
		DisableSuggestions: true, // unknownCommand makes them, on one line
	}
	root.SetIn(c.in)
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(
		&cobra.Group{ID: groupRun, Title: "Run and try:"},
		&cobra.Group{ID: groupMessages, Title: "Messages:"},
		&cobra.Group{ID: groupDaemon, Title: "The daemon:"},
	)
	addGroup(root, groupRun, newServe(c), newDemo(c), newListen(c), newVerify(c), newConfig(c), newDoctor(c), newStore(c), newKey(c), newKeys(c), newVersion(c))
	addGroup(root, groupMessages, newSend(c), newStatus(c), newList(c), newCancel(c), newReplay(c), newPack(c), newUnpack(c))
	addGroup(root, groupDaemon, newTail(c), newStats(c), newDestinations(c), newSessions(c), newPickups(c))
	root.SetHelpCommandGroupID(groupRun)
	root.SetCompletionCommandGroupID(groupRun)
	addHelpers(root)
	addVersion(root)
	return root
}

func addGroup(parent *cobra.Command, group string, commands ...*cobra.Command) {
	for _, command := range commands {
		command.GroupID = group
		if command.ValidArgsFunction == nil {
			command.ValidArgsFunction = cobra.NoFileCompletions
		}
		parent.AddCommand(command)
	}
}

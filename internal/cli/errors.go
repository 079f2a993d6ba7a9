package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/outrider-go/outrider/queue"
)

// Exit codes of the program.
const (
	ExitOK           = iota // delivered; queued, where a daemon delivers later
	ExitFailure             // the command failed
	ExitUsage               // the command line is wrong, or the configuration
	ExitNotDelivered        // a message was not delivered
	ExitNotFound            // there is no such message, session or key
	ExitLocked              // another process has the store
	ExitIncomplete          // an export has not all that the store keeps
)

// exitCodes is what users are told of them.
const exitCodes = `Exit codes: 0 done: a message is delivered, or queued where a daemon delivers
later; 1 the command failed; 2 the command line or the configuration is wrong;
3 a message was not delivered; 4 there is no such message, session or key;
5 another process has the store; 6 an export is not all that the store keeps.`

// exitError is an error with its exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *exitError) Unwrap() error { return e.err }

// usagef is an error in the command line.
func usagef(format string, args ...any) error {
	return &exitError{ExitUsage, fmt.Errorf(format, args...)}
}

// configError is all that is wrong with a configuration, a fault on each line.
type configError struct{ err error }

func (e *configError) Error() string { return e.err.Error() }

// Unwrap returns the faults.
func (e *configError) Unwrap() error { return e.err }

// list gives each fault a line of its own, where there are several.
func (e *configError) list() string {
	faults := strings.Split(e.Error(), "\n")
	if len(faults) == 1 {
		return oneLine(faults[0])
	}
	for i, fault := range faults {
		faults[i] = oneLine(fault)
	}
	return fmt.Sprintf("the configuration has %d faults:\n  %s", len(faults), strings.Join(faults, "\n  "))
}

// exitCode returns the code of an error.
func exitCode(err error) int {
	var withCode *exitError
	switch {
	case err == nil:
		return ExitOK
	case errors.As(err, &withCode):
		return withCode.code
	case errors.Is(err, queue.ErrLocked):
		return ExitLocked
	case errors.Is(err, queue.ErrNotFound):
		return ExitNotFound
	default:
		return ExitFailure
	}
}

// report writes an error as one line, and the faults of a configuration as one line
// each.
func report(ctx context.Context, w io.Writer, command string, err error) {
	text, separator := oneLine(err.Error()), "; "
	if faults, ok := errors.AsType[*configError](err); ok {
		if text = faults.list(); strings.Contains(text, "\n") {
			separator = "\n"
		}
	}
	if ctx.Err() != nil { // say it in the user's words
		text = strings.ReplaceAll(text, context.Canceled.Error(), "interrupted")
	}
	if exitCode(err) == ExitUsage {
		text += separator + "see: " + command + " --help"
	}
	_, _ = fmt.Fprintln(w, "outrider: "+text)
}

// oneLine joins the lines of a text, since errors.Join puts each fault on its
// own, and takes out other control characters: a peer's words may be among it.
func oneLine(text string) string {
	lines := strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
	return strings.Map(printable, strings.Join(lines, "; "))
}

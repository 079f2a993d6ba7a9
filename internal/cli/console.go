package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
)

// console is what a command reads from and writes to.
type console struct {
	in       io.Reader
	out, err io.Writer
	env      []string
	style    style     // of out
	shown    time.Time // when progress was shown last, or first asked for
}

// progressEvery is how often progress is shown where stderr is no terminal: only a
// command that would be silent for minutes writes it there.
const progressEvery = time.Minute

func newConsole(in io.Reader, out, err io.Writer, env []string) *console {
	c := &console{in: in, out: out, err: err, env: env}
	c.style = style{colour: isTerminal(out) && c.wantsColour()}
	return c
}

// wantsColour reports whether the environment lets a terminal have colour: see
// no-color.org.
func (c *console) wantsColour() bool {
	return c.getenv("NO_COLOR") == "" && c.getenv("TERM") != "dumb"
}

// getenv returns a variable of the environment the command was given. The last
// one of a name counts, as in a process.
func (c *console) getenv(name string) string {
	for _, variable := range slices.Backward(c.env) {
		if key, value, _ := strings.Cut(variable, "="); key == name {
			return value
		}
	}
	return ""
}

// isTerminal reports whether a reader or writer is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// printf writes a line for people to stdout.
func (c *console) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(c.out, format+"\n", args...)
	return err
}

// notef writes a line about what goes on to stderr.
func (c *console) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(c.err, "outrider: "+format+"\n", args...)
}

// progress shows how far a command is: where stderr is a terminal in one line that
// the next one replaces, else in a line a minute. One goroutine calls it.
func (c *console) progress(text string) {
	now := time.Now()
	switch {
	case isTerminal(c.err):
		_, _ = fmt.Fprintf(c.err, "\r\x1b[K%s", text)
	case text == "", c.shown.IsZero():
		c.shown = now
	case now.Sub(c.shown) >= progressEvery:
		c.shown = now
		c.notef("%s", text)
	}
}

// progressDone takes the line away.
func (c *console) progressDone() { c.progress("") }

// json writes a value as one line of JSON to stdout.
func (c *console) json(value any) error { return writeJSON(c.out, value) }

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// style colours text on terminals.
type style struct{ colour bool }

func (s style) bold(text string) string   { return s.paint("1", text) }
func (s style) dim(text string) string    { return s.paint("2", text) }
func (s style) red(text string) string    { return s.paint("31", text) }
func (s style) green(text string) string  { return s.paint("32", text) }
func (s style) yellow(text string) string { return s.paint("33", text) }

func (s style) paint(code, text string) string {
	if !s.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

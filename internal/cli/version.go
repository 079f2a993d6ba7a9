package cli

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases:
// -ldflags "-X github.com/outrider-go/outrider/internal/cli.version=1.2.3".
var version string

// build says what the program was made from.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"` // of the revision
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersion(c *console) *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use: "version", Short: "Print the version", Args: arguments(),
		RunE: func(*cobra.Command, []string) error {
			b := thisBuild()
			if asJSON {
				return c.json(b)
			}
			return c.printf("%s", b.line())
		},
	}
	addJSON(command, &asJSON)
	return command
}

// addVersion adds the flag that prints what the command does.
func addVersion(root *cobra.Command) {
	root.Flags().Bool("version", false, "print the version")
	root.Version = thisBuild().line()
	root.SetVersionTemplate("{{.Version}}\n")
}

func thisBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		b.Version = cmp.Or(b.Version, "unknown")
		return b
	}
	b.Version = cmp.Or(b.Version, info.Main.Version, "(devel)")
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

// line is what people are shown.
func (b build) line() string { return fmt.Sprintf("outrider %s (%s %s)", b.text(), b.Go, b.Platform) }

// text leaves out what the version says already: Go puts the revision into it
// where there is no tag.
func (b build) text() string {
	text := b.Version
	if revision := b.Revision[:min(len(b.Revision), 12)]; !strings.Contains(text, revision) {
		text += " " + revision
	}
	if b.Modified && !strings.HasSuffix(text, "+dirty") {
		text += " with changes"
	}
	return text
}

package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/transport"
)

// defaultServer is where a daemon listens that was not told otherwise.
const defaultServer = "http://" + agent.DefaultListen

// daemonFlags say which daemon to talk to. There is no flag for the token:
// command lines are seen by other users.
type daemonFlags struct {
	server    string
	tokenFile string
}

func (f *daemonFlags) add(command *cobra.Command, fallback string) {
	command.Flags().StringVar(&f.server, "server", "", "`URL` of the daemon (default $OUTRIDER_SERVER"+fallback+")")
	command.Flags().StringVar(&f.tokenFile, "token-file", "", "read the daemon's token from this `file` (default $OUTRIDER_TOKEN)")
}

// open returns a client of the daemon. It connects to nothing.
func (f *daemonFlags) open(c *console) (*client.Client, error) {
	token, err := f.token(c)
	if err != nil {
		return nil, err
	}
	daemon, err := client.New(cmp.Or(f.server, c.getenv(agent.EnvServer), defaultServer), token)
	if err != nil {
		return nil, usagef("%w", err)
	}
	return daemon, nil
}

func (f *daemonFlags) token(c *console) (transport.Secret, error) {
	if f.tokenFile == "" {
		return transport.NewSecret(c.getenv(agent.EnvToken)), nil
	}
	text, err := os.ReadFile(f.tokenFile)
	if err != nil {
		return transport.Secret{}, fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return transport.Secret{}, fmt.Errorf("--token-file: %s is empty", f.tokenFile)
	}
	return transport.NewSecret(token), nil
}

// daemonCommand makes the RunE of a command that asks a daemon.
func daemonCommand(c *console, flags *daemonFlags, run func(*cobra.Command, *client.Client, []string) error) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		daemon, err := flags.open(c)
		if err != nil {
			return err
		}
		defer daemon.Close()
		return invalidIsUsage(flags.explain(c, run(command, daemon, args)))
	}
}

// explain says what to do about what a daemon answered, or that there is none.
func (f *daemonFlags) explain(c *console, err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) && dial.Op == "dial" {
		return fmt.Errorf("%w; start a daemon with: outrider serve, or name another with --server", err)
	}
	refused, ok := errors.AsType[*client.Error](err)
	if !ok {
		return err
	}
	switch refused.Status {
	case http.StatusUnauthorized:
		return f.unauthorized(c)
	case http.StatusNotFound:
		return &exitError{ExitNotFound, err}
	default:
		return err
	}
}

// unauthorized says what is wrong with the token.
func (f *daemonFlags) unauthorized(c *console) error {
	switch {
	case f.tokenFile != "":
		return fmt.Errorf("the daemon does not take the token in %s: give its own with --token-file", f.tokenFile)
	case c.getenv(agent.EnvToken) != "":
		return fmt.Errorf("the daemon does not take the token in %s: set it to the daemon's own, or use --token-file", agent.EnvToken)
	default:
		return fmt.Errorf("the daemon wants its token: set %s, or use --token-file", agent.EnvToken)
	}
}

// invalidIsUsage makes a usage error of what a daemon did not understand: what was
// asked came from the command line.
func invalidIsUsage(err error) error {
	refused, ok := errors.AsType[*client.Error](err)
	if ok && refused.Status == http.StatusBadRequest {
		return &exitError{ExitUsage, err}
	}
	return err
}

// flagIsUsage makes a usage error of what is refused of a command line. A payload
// that is refused is a failure, and so is a session that is not there: the command
// line was right.
func flagIsUsage(err error) error {
	refused, ok := errors.AsType[*client.Error](err)
	if ok && refused.Status == http.StatusBadRequest && !slices.Contains([]string{"", "payload", "session", "session_only"}, refused.Field) {
		return &exitError{ExitUsage, err}
	}
	return err
}

func addJSON(command *cobra.Command, asJSON *bool) {
	command.Flags().BoolVar(asJSON, "json", false, "print JSON, for programs")
}

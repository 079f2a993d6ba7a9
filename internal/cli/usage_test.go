package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const someID = "0198c0de-5b1e-7abc-8def-0123456789ab"

// The readme says that every command that answers has --json.
func TestEveryCommandHasJSON(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	look = func(command *cobra.Command) {
		for _, sub := range command.Commands() {
			if name := sub.Name(); name != "help" && name != "completion" {
				look(sub)
			}
		}
		if !command.HasSubCommands() && command.Flags().Lookup("json") == nil {
			t.Errorf("%s has no --json", command.CommandPath())
		}
	}
	look(newRoot(newConsole(nil, io.Discard, io.Discard, nil)))
}

func TestUsageErrors(t *testing.T) {
	t.Parallel()
	const uri = "https://example.com/inbox"
	tests := map[string]struct {
		args []string
		want string
	}{
		"unknown command":           {[]string{"sned"}, `unknown command "sned" (did you mean send?); see: outrider --help`},
		"shortened command":         {[]string{"destin"}, "did you mean destinations?"},
		"command like none":         {[]string{"frobnicate"}, `unknown command "frobnicate"; see: outrider --help`},
		"unknown command and flags": {[]string{"sned", uri, "-d", "x"}, "did you mean send?"},
		"URI in place of a command": {[]string{"https://user:canary@example.com"}, "outrider send URI"},
		"unknown subcommand":        {[]string{"destinations", "puase"}, "did you mean pause?"},
		"unknown flag":              {[]string{"serve", "--jsn"}, "unknown flag --jsn (did you mean --json?); see: outrider serve --help"},
		"flag like none":            {[]string{"serve", "--frobnicate"}, "unknown flag --frobnicate;"},
		"unknown short flag":        {[]string{"send", "-x"}, "unknown flag -x"},
		"flag without its value":    {[]string{"serve", "--api"}, "--api"},
		"flag with a wrong value":   {[]string{"send", uri, "--wait", "soon"}, "--wait"},
		"no URI":                    {[]string{"send", "-d", "x"}, "URI is missing"},
		"two URIs":                  {[]string{"send", uri, uri, "-d", "x"}, "too many arguments"},
		"not a URI":                 {[]string{"send", "example.com/canary", "-d", "x"}, "has no scheme"},
		"no payload":                {[]string{"send", uri}, "-d is missing"},
		"no file":                   {[]string{"send", uri, "-d", "@"}, "@FILE"},
		"header without a colon":    {[]string{"send", uri, "-d", "x", "-H", "canary"}, "-H number 1"},
		"no time to live":           {[]string{"send", uri, "-d", "x", "--ttl", "0s"}, "--ttl"},
		"negative wait":             {[]string{"send", uri, "-d", "x", "--wait", "-1s"}, "--wait"},
		"no wait and no daemon":     {[]string{"send", uri, "-d", "x", "--wait", "0"}, "--server"},
		"unknown retry policy":      {[]string{"send", uri, "-d", "x", "--retry", "often"}, "--retry"},
		"allow-private of a daemon": {[]string{"send", uri, "-d", "x", "--allow-private", "--server", "http://127.0.0.1:1"}, "outrider serve"},
		"server that is no URL":     {[]string{"list", "--server", "127.0.0.1:8480"}, "http://127.0.0.1:8480"},
		"status without an id":      {[]string{"status"}, "ID is missing"},
		"status of what is no id":   {[]string{"status", "canary"}, "not a message id"},
		"cancel of what is no id":   {[]string{"cancel", "canary"}, "not a message id"},
		"replay of what is no id":   {[]string{"replay", "canary"}, "not a message id"},
		"replay of nothing":         {[]string{"replay"}, "--dead"},
		"replay of one and all":     {[]string{"replay", someID, "--dead"}, "not both"},
		"since without dead":        {[]string{"replay", someID, "--since", "1h"}, "--dead"},
		"listen at nothing":         {[]string{"listen"}, "URL is missing"},
		"listen with a wrong code":  {[]string{"listen", "http://127.0.0.1:0", "--status", "99"}, "200 to 599"},
		"listen with a wrong delay": {[]string{"listen", "http://127.0.0.1:0", "--delay", "-1s"}, "--delay"},
		"listen by no scheme":       {[]string{"listen", "http://127.0.0.1:0", "foo://x"}, `listen: scheme "foo": want http, ws, amqp, amqps`},
		"listen without a scheme":   {[]string{"listen", "127.0.0.1:9000"}, "listen: want a URL such as http://127.0.0.1:8020;"},
		"listen with a password":    {[]string{"listen", "http://user:canary@127.0.0.1:0"}, "listen: user information"},
		"listen with TLS":           {[]string{"listen", "https://127.0.0.1:0"}, `listen: scheme "https": want http, ws, amqp, amqps`},
		"listen twice":              {[]string{"listen", "http://127.0.0.1:9000", "http://127.0.0.1:9000"}, "listen: http://127.0.0.1:9000 is there twice"},
		"listen at no host":         {[]string{"listen", "amqp:queue"}, "listen: "},
		"misbehave over ws":         {[]string{"listen", "ws://127.0.0.1:0", "--status", "500"}, `listen: to misbehave on purpose: scheme "ws": want http;`},
		"misbehave from a queue":    {[]string{"listen", "amqp://127.0.0.1/q", "--delay", "1s"}, `listen: to misbehave on purpose: scheme "amqp": want http;`},
		"list of none":              {[]string{"list", "--limit", "0"}, "--limit is 0: want 1 to 1000"},
		"list of fewer than none":   {[]string{"list", "--limit", "-1"}, "--limit is -1: want 1 to 1000"},
		"completion of no shell":    {[]string{"completion", "bsah"}, `unknown command "bsah" (did you mean bash?); see: outrider completion --help`},
		"help for no command":       {[]string{"help", "sned"}, `unknown command "sned" (did you mean send?); see: outrider help --help`},
		"help for no subcommand":    {[]string{"help", "store", "chekc"}, `unknown command "chekc" (did you mean check?)`},
		"completion of more":        {[]string{"completion", "bash", "canary"}, "too many arguments"},
		"argument of serve":         {[]string{"serve", "canary"}, "too many arguments"},
		"configuration in a flag":   {[]string{"serve", "--api", "nowhere"}, "api.listen"},
		"retry policy of serve":     {[]string{"serve", "--retry", "often"}, "retry"},
		"receiver without handler":  {[]string{"serve", "--memory", "--api", "off", "--in", "http://127.0.0.1:0"}, "inbound.handler: is missing"},
		"what the handler may be":   {[]string{"serve", "--memory", "--api", "off", "--in", "amqp://127.0.0.1/q"}, "(--forward URI), or say print or, for peers that only fetch, drop (--in-handler drop)"},
		"API open to the world":     {[]string{"serve", "--api", "0.0.0.0:0"}, "api.token"},
		"argument of the demo":      {[]string{"demo", "canary"}, "too many arguments"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shell{}.want(t, ExitUsage, test.args...)
			if !strings.HasPrefix(got.stderr, "outrider: ") || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("stderr is not one line: %q", got.stderr)
			}
			if !strings.Contains(got.stderr, test.want) || !strings.Contains(got.stderr, " --help\n") {
				t.Errorf("stderr: got %q, want %q and a hint", got.stderr, test.want)
			}
			if strings.Contains(got.stderr, "canary") {
				t.Errorf("stderr repeats what may be secret: %q", got.stderr)
			}
			if got.stdout != "" {
				t.Errorf("stdout: got %q, want nothing", got.stdout)
			}
		})
	}
}

func TestUnknownVariable(t *testing.T) {
	t.Parallel()
	got := shell{env: []string{"OUTRIDER_WORKER=3"}}.want(t, ExitUsage, "config", "print")
	if !strings.Contains(got.stderr, "OUTRIDER_WORKERS") {
		t.Errorf("stderr: got %q, want a suggestion", got.stderr)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	tests := map[string][]string{
		"no command":          nil,
		"flag":                {"--help"},
		"command":             {"help", "send"},
		"help alone":          {"help"},
		"subcommand":          {"help", "destinations", "list"},
		"completion":          {"completion"},
		"completion of help":  {"__complete", "help", "destinations", "pa"},
		"group of commands":   {"destinations"},
		"flag of a command":   {"send", "-h"},
		"completion of bash":  {"completion", "bash"},
		"completion of words": {"__complete", "sta"},
	}
	for name, args := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := shell{}.want(t, ExitOK, args...)
			if len(got.stdout) < 20 {
				t.Errorf("stdout: got %q, want help", got.stdout)
			}
		})
	}
}

// Command lines are seen by other users of a machine.
func TestNoFlagTakesAToken(t *testing.T) {
	t.Parallel()
	var look func(*cobra.Command)
	commands := 0
	look = func(command *cobra.Command) {
		commands++
		command.Flags().VisitAll(func(f *pflag.Flag) {
			if strings.Contains(f.Name, "token") && f.Name != "token-file" || strings.Contains(f.Name, "secret") {
				t.Errorf("%s has the flag --%s", command.CommandPath(), f.Name)
			}
		})
		for _, sub := range command.Commands() {
			look(sub)
		}
	}
	look(newRoot(newConsole(nil, nil, nil, nil)))
	if commands < 15 {
		t.Errorf("looked at %d commands only", commands)
	}
}

func TestColour(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		env  []string
		want bool
	}{
		"nothing set":    {nil, true},
		"NO_COLOR":       {[]string{"NO_COLOR=1"}, false},
		"NO_COLOR empty": {[]string{"NO_COLOR="}, true},
		"dumb terminal":  {[]string{"TERM=dumb"}, false},
		"last one wins":  {[]string{"TERM=dumb", "TERM=xterm"}, true},
	}
	for name, test := range tests {
		c := newConsole(nil, nil, nil, test.env)
		if got := c.wantsColour(); got != test.want {
			t.Errorf("%s: got %v, want %v", name, got, test.want)
		}
		if c.style.colour {
			t.Errorf("%s: what is no terminal got colour", name)
		}
	}
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/receiver"
	"github.com/outrider-go/outrider/transport/outbound"
)

func newServe(c *console) *cobra.Command {
	var asJSON bool
	flags := configFlags{}
	command := &cobra.Command{
		Use: "serve", Short: "Run the daemon", Args: arguments(),
		Long: `Serve runs the daemon: it takes messages over its HTTP API and delivers them. A
line on stdout says when it is ready; the log is on stderr.

The first SIGTERM, interrupt or hang-up takes no more messages, begins no more
attempts and lets those under way end. A second one, half a second later or more,
ends the program at once. The configuration is read once: to change it, restart.`,
		Example: `  outrider serve
  outrider serve --config outrider.yaml --api 127.0.0.1:9480`,
		RunE: func(command *cobra.Command, _ []string) error {
			config, err := flags.load(c)
			if err != nil {
				return err
			}
			return serve(command.Context(), c, config, asJSON)
		},
	}
	flags.add(command)
	addJSON(command, &asJSON)
	return command
}

// serve runs an agent until ctx ends.
func serve(ctx context.Context, c *console, config agent.Config, asJSON bool) error {
	logger, err := config.Log.NewLogger(c.err)
	if err != nil {
		return err
	}
	options := agent.Options{Logger: logger}
	if config.Inbound.Handler == agent.HandlerPrint {
		options.Handler = printer(func(message receiver.Received) error { return c.json(message) })
	}
	daemon, err := agent.New(config, options)
	if wrong, ok := errors.AsType[*agent.KeyError](err); ok && wrong.Key == "inbound.handler" {
		return &exitError{ExitUsage, err}
	}
	if err != nil {
		return err
	}
	// The end of ctx starts the draining: it must not cut attempts short.
	lasting := context.WithoutCancel(ctx)
	if err := daemon.Start(lasting); err != nil {
		return explainStart(err)
	}
	if err := announce(c, daemon, asJSON); err != nil {
		_, stopErr := daemon.Stop(lasting)
		return errors.Join(err, stopErr)
	}
	<-ctx.Done()
	left, err := daemon.Stop(lasting)
	return errors.Join(err, reportLeft(c, left, asJSON))
}

// explainStart says what to do about an address that is taken.
func explainStart(err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	flag := "--in"
	if key, ok := errors.AsType[*agent.KeyError](err); ok && key.Key == "api.listen" {
		flag = "--api"
	}
	return fmt.Errorf("%w; is a daemon running there already? choose another address with %s", err, flag)
}

// announce tells that the daemon is ready, and where.
func announce(c *console, daemon *agent.Agent, asJSON bool) error {
	api, schemes, receives := daemon.Addr(), daemon.Manager().Schemes(), daemon.Inbound().Addresses()
	if api != "" {
		api = "http://" + api
	}
	if asJSON {
		return c.json(struct {
			Ready    bool     `json:"ready"`
			API      string   `json:"api,omitempty"`
			Schemes  []string `json:"schemes"`
			Receives []string `json:"receives,omitempty"`
		}{true, api, schemes, receives})
	}
	if api == "" {
		api = "off"
	}
	text := fmt.Sprintf("outrider ready: api %s, schemes %s", api, strings.Join(schemes, " "))
	if len(receives) > 0 {
		text += ", receives at " + strings.Join(receives, " ")
	}
	return c.printf("%s", text)
}

// reportLeft tells what a daemon that has stopped has not delivered.
func reportLeft(c *console, left outbound.Left, asJSON bool) error {
	if asJSON {
		return c.json(struct {
			Stopped bool          `json:"stopped"`
			Left    outbound.Left `json:"left"`
		}{true, left})
	}
	text := "nothing is left to deliver"
	if left.Messages > 0 {
		text = fmt.Sprintf("%s (%s) left", count(left.Messages, "message"), size(left.Bytes))
	}
	if left.InFlight > 0 {
		text += fmt.Sprintf(", %s under way", count(left.InFlight, "attempt"))
	}
	if left.Unrecorded > 0 {
		text += fmt.Sprintf(", %s not recorded: the disk is full", count(left.Unrecorded, "outcome"))
	}
	c.notef("stopped: %s", text)
	return nil
}

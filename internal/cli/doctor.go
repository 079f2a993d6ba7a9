package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	config       string
	profile      string
	allowPrivate bool
	timeout      time.Duration
	json         bool
}

func newDoctor(c *console) *cobra.Command {
	var flags doctorFlags
	command := &cobra.Command{
		Use: "doctor URI", Short: "Connect to an AMQP broker and say what is wrong", Args: arguments("URI"),
		Long: `Doctor connects to an AMQP 1.0 peer as a profile would, logs in, attaches a link to
the node of the URI, and shows what it has seen: TLS, SASL, who the peer is, its
limits and capabilities. It sends no message.`,
		Example: `  outrider doctor amqp://user:password@broker.example/queue1
  outrider doctor amqps://broker.example/queue1 --config outrider.yaml --profile tenant1`,
		RunE: func(command *cobra.Command, args []string) error { return flags.run(command.Context(), c, args[0]) },
	}
	set := command.Flags()
	set.StringVar(&flags.config, "config", "", "read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	set.StringVar(&flags.profile, "profile", profile.DefaultID, "connect as this `profile`")
	set.BoolVar(&flags.allowPrivate, "allow-private", false, "let it connect to addresses that are not public")
	set.DurationVar(&flags.timeout, "timeout", 20*time.Second, "give up after this long")
	addJSON(command, &flags.json)
	return command
}

func (f *doctorFlags) run(ctx context.Context, c *console, uri string) error {
	endpoint, err := transport.ParseEndpoint(uri)
	if err != nil {
		return usagef("%w", err)
	}
	given := map[string]any{}
	if f.allowPrivate {
		given["allow_private"] = true
	}
	config, err := loadConfig(c, f.config, given)
	if err != nil {
		return err
	}
	prober, err := agent.New(deliveryOnly(config), agent.Options{})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, f.timeout, errors.New("the peer took too long"))
	defer cancel()
	p, err := prober.ProbeAMQP(ctx, f.profile, endpoint)
	if err != nil {
		return &exitError{ExitUsage, err}
	}
	show := writeProbe
	if f.json {
		show = func(c *console, p *agent.Probe) error { return c.json(p) }
	}
	if err := show(c, &p); err != nil {
		return err
	}
	if !p.OK {
		return errors.New(joinNonEmpty("; ", "doctor: "+p.Error, p.Advice))
	}
	return nil
}

func writeProbe(c *console, p *agent.Probe) error {
	var rows [][2]string
	add := func(name, value string) {
		if value != "" && value != "0" {
			rows = append(rows, [2]string{name, value})
		}
	}
	add("endpoint", p.Endpoint)
	add("node", p.Node)
	add("address", p.Address)
	add("tls", p.TLS)
	add("certificate", p.Fingerprint)
	add("sasl", p.SASL)
	add("container", p.ContainerID)
	for _, name := range slices.Sorted(maps.Keys(p.Properties)) {
		add(name, oneLine(p.Properties[name]))
	}
	add("capabilities", strings.Join(p.Capabilities, " "))
	add("max frame", fmt.Sprint(p.MaxFrameSize))
	add("channel max", fmt.Sprint(p.ChannelMax))
	add("idle timeout", p.IdleTimeout)
	add("max message", fmt.Sprint(p.MaxMessageSize))
	if p.OK {
		add("credit", fmt.Sprintf("%d messages", p.Credit))
	}
	for _, phase := range p.Phases {
		add(phase.Name, milliseconds(phase.MS))
	}
	for _, row := range rows {
		if err := c.printf("%s %s", c.style.dim(fmt.Sprintf("%-13s", row[0])), row[1]); err != nil {
			return err
		}
	}
	if !p.OK { // the error says the rest
		return nil
	}
	return c.printf("\n%s", joinNonEmpty("\n", c.style.green("ok: messages can be sent to it"), p.Advice))
}

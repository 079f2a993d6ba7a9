package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	demoTime     = 18 * time.Second // for all of it
	demoAttempts = 4                // for a message
	demoFailures = 2                // of the flaky receiver
	demoIDHeader = "Message-Id"
	demoPeer     = "mobile" // is known by a token
)

func newDemo(c *console) *cobra.Command {
	var asJSON bool
	var amqp string
	command := &cobra.Command{
		Use: "demo", Short: "Show it all at work on this machine, and check the outcome", Args: arguments(),
		Long: `Demo starts an agent and receivers on free ports of this machine: one is healthy,
one answers 503 twice, one is down, one takes WebSockets, one is behind an AMQP
broker, and one has no address: what is for it waits until it connects. It sends
them messages, shows what happens and checks that every outcome is the expected
one. The queue is in a directory of its own, which is removed at the end. It
touches no network, unless --amqp names a broker.`,
		RunE: func(command *cobra.Command, _ []string) error {
			return runDemo(command.Context(), c, amqp, asJSON)
		},
	}
	command.Flags().StringVar(&amqp, "amqp", "", "use the node of an AMQP broker at this `URL` (default a broker in the program)")
	addJSON(command, &asJSON)
	return command
}

// demo is one run.
type demo struct {
	console *console
	json    bool
	own     *ownAgent
	places  []*place
	letters []*letter
	secret  transport.Secret // by which the peer without an address is known
	began   time.Time
	stats   agent.StatsView
	elapsed time.Duration
}

// runDemo sends the sample and reports. The error says what was not as expected.
func runDemo(ctx context.Context, c *console, amqp string, asJSON bool) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTime, errors.New("the demo took too long"))
	defer cancel()
	d := &demo{console: c, json: asJSON, secret: transport.NewSecret(rand.Text())}
	d.places, err = openPlaces(ctx, amqp)
	defer func() { err = errors.Join(err, closePlaces(ctx, d.places)) }()
	if err != nil {
		return err
	}
	if d.letters, err = sampleLetters(d.places); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "outrider-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	config := demoConfig(d.secret)
	config.Dir = dir
	if d.own, err = startOwn(ctx, config); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.own.stop(ctx)) }()
	if err := d.deliver(ctx); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return d.report(d.check(ctx))
}

// demoConfig is an agent that may reach this machine and soon tries again, also
// the one that is down.
func demoConfig(secret transport.Secret) agent.Config {
	return agent.Config{
		HTTP:    agent.HTTPConfig{MessageIDHeader: demoIDHeader},
		WS:      agent.WSConfig{Ack: "ping"},
		Inbound: agent.InboundConfig{Listen: []string{"ws://127.0.0.1:0"}, Handler: agent.HandlerDrop}, // the peer only fetches
		Retry:   fmt.Sprintf("attempts=%d,base=200ms,factor=2", demoAttempts),
		Breaker: outbound.Breaker{Disabled: true},
		Profiles: map[string]profile.Options{profile.DefaultID: {
			Egress:  profile.Egress{AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}},
			Inbound: profile.Inbound{Tokens: map[string]transport.Secret{demoPeer: secret}},
			Pickup:  profile.Pickup{Enabled: true},
		}},
	}
}

// deliver sends the letters, shows what happens to them until all are done, and
// fetches what there is to know then.
func (d *demo) deliver(ctx context.Context) error {
	events, err := d.own.Events().Subscribe("outbound-message::.*", event.SubscribeOptions{})
	if err != nil {
		return err
	}
	defer events.Close()
	if err := d.intro(); err != nil {
		return err
	}
	d.began = time.Now()
	if err := d.send(ctx); err != nil {
		return err
	}
	if err := d.connect(ctx); err != nil {
		return err
	}
	if err := d.watch(ctx, events); err != nil {
		return err
	}
	for _, p := range d.places {
		if p.name == "broker" { // which has taken them, and hands them on
			if err := p.await(ctx, len(d.lettersTo(p))); err != nil {
				return err
			}
		}
	}
	d.elapsed = time.Since(d.began)
	return d.fetch(ctx)
}

// lettersTo lists the letters to a place.
func (d *demo) lettersTo(p *place) []*letter {
	var letters []*letter
	for _, letter := range d.letters {
		if letter.place == p {
			letters = append(letters, letter)
		}
	}
	return letters
}

// send queues all letters in one commit.
func (d *demo) send(ctx context.Context) error {
	batch, err := batchOf(d.letters)
	if err != nil {
		return err
	}
	accepted, err := d.own.client.SendBatch(ctx, batch)
	if err != nil {
		return err
	}
	if len(accepted) != len(d.letters) {
		return fmt.Errorf("sent %d messages, and %d were accepted", len(d.letters), len(accepted))
	}
	for i, letter := range d.letters {
		letter.id = accepted[i].ID
	}
	return nil
}

// connect has the peer without an address connect, and ask for what waits for it.
func (d *demo) connect(ctx context.Context) error {
	endpoint, err := transport.ParseEndpoint(d.own.Inbound().Addresses()[0] + "/#" + d.secret.Reveal())
	if err != nil {
		return err
	}
	for _, p := range d.places {
		if p.name != demoPeer {
			continue
		}
		_, err = p.peer.Manager().Send(ctx, outbound.Message{
			Endpoint: endpoint, Payload: []byte("hello"), Text: true, Metadata: transport.Metadata{inbound.HeaderReturnRoute: "all"},
		})
	}
	return err
}

// watch shows events until every letter is done.
func (d *demo) watch(ctx context.Context, events *event.Subscription) error {
	byID := map[transport.ID]*letter{}
	for _, letter := range d.letters {
		byID[letter.id] = letter
	}
	for open := len(d.letters); open > 0; {
		e, err := events.Wait(ctx, nil)
		if err != nil {
			return fmt.Errorf("%s not done: %w", count(open, "message"), err)
		}
		about, ok := e.Payload.(outbound.MessageEvent)
		if !ok || byID[about.ID] == nil {
			continue
		}
		if err := d.show(e.Topic, e.Time, byID[about.ID], &about); err != nil {
			return err
		}
		if e.Topic == outbound.TopicDelivered || e.Topic == outbound.TopicDead {
			open--
		}
	}
	return nil
}

// fetch asks the agent for each letter, and for its statistics.
func (d *demo) fetch(ctx context.Context) (err error) {
	for _, letter := range d.letters {
		if letter.view, err = d.own.client.Get(ctx, letter.id, false); err != nil {
			return err
		}
	}
	d.stats, err = d.own.client.Stats(ctx)
	return err
}

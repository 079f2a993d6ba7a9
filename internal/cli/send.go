package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/internal/client"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// ownWait is how long send waits for an agent of its own.
const ownWait = time.Minute

// sendFlags are the flags of send.
type sendFlags struct {
	daemonFlags
	config         string
	allowPrivate   bool
	data           string
	text           bool
	contentType    string
	headers        []string
	idempotencyKey string
	notBefore      string
	ttl            time.Duration
	wireFormat     string
	profile        string
	retry          string
	alternates     []string
	priority       string
	orderingKey    string
	onBlocked      string
	minEvidence    string
	recipients     []string
	routingKeys    []string
	senderKey      string
	keys           moduleFlags // without a daemon
	session        string
	threadID       string
	sessionOnly    bool
	direct         bool
	wait           time.Duration
	json           bool

	own bool // it delivers the message itself
}

func newSend(c *console) *cobra.Command {
	var flags sendFlags
	command := &cobra.Command{
		Use: "send [URI] -d STR|@FILE|@-", Short: "Send a message", Args: flags.arguments,
		Long: `Send queues a message with a daemon, where --server or OUTRIDER_SERVER names one.
Otherwise it delivers the message itself, and waits until that is done. It then
takes from the configuration how to deliver, receives nothing and keeps nothing.

The URI may be left out where --recipient or --session says whom the message is for.

Exit codes: 0 delivered, or queued with a daemon; 1 failure, such as no session
for --session-only; 2 usage, with a URI that is refused; 3 not delivered.`,
		Example: `  outrider send https://example.com/inbox -d 'hello'
  outrider send https://example.com/orders -d @order.json
  outrider send https://one.example/inbox -d 'hello' --alternate https://two.example/inbox
  outrider send https://example.com/inbox -d @- --server http://127.0.0.1:8480 --wait 30s < photo.jpg`,
		RunE: func(command *cobra.Command, args []string) error {
			uri := ""
			if len(args) > 0 {
				uri = args[0]
			}
			request, err := flags.request(c, command, uri)
			if err != nil {
				return err
			}
			return flags.run(command.Context(), c, command.Flags().Changed("wait"), request)
		},
	}
	flags.add(command)
	return command
}

// arguments requires a URI, unless a recipient or a session takes its place.
func (f *sendFlags) arguments(command *cobra.Command, args []string) error {
	switch {
	case len(args) > 0:
		return arguments("URI")(command, args)
	case len(f.recipients) == 0 && f.session == "":
		return usagef("URI is missing: give one, or say with --recipient or --session whom the message is for")
	}
	return nil
}

func (f *sendFlags) add(command *cobra.Command) {
	set := command.Flags()
	set.StringVarP(&f.data, "data", "d", "", "the payload: a `text`, @FILE, or @- for standard input")
	set.BoolVar(&f.text, "text", false, "the file is text, as one called .json is anyway")
	set.StringVar(&f.contentType, "content-type", "", "the payload's media `type` (default by wire format: for JSON, also from a file called .json, application/json)")
	set.StringArrayVarP(&f.headers, "header", "H", nil, "metadata to send along, as `'name: value'`; may be repeated")
	set.StringVar(&f.idempotencyKey, "idempotency-key", "", "a second message with the same `key` is not queued")
	set.StringVar(&f.notBefore, "not-before", "", "make the first attempt then: an RFC 3339 `time`, or a duration from now such as 90s (default now)")
	set.DurationVar(&f.ttl, "ttl", 0, "give up after this long (default never)")
	set.StringVar(&f.wireFormat, "wire-format", "", "encode with this wire `format` (default raw)")
	set.StringVar(&f.profile, "profile", "", "send as this `profile` (default \"default\")")
	set.StringVar(&f.retry, "retry", "", "retry `policy`: standard, acapy, exponential, none or fields such as attempts=3,base=1s")
	set.StringArrayVar(&f.alternates, "alternate", nil, "go to this `URI` when the one before fails for good or too often, or is known to be down; may be repeated")
	set.StringVar(&f.priority, "priority", "", "low, normal or high: before others that wait for the same destination (`word`, default normal)")
	set.StringVar(&f.orderingKey, "ordering-key", "", "messages to a destination with the same `key` go one at a time, in order")
	set.StringVar(&f.onBlocked, "on-blocked", "", "what those behind it do while it waits for a retry: wait or skip (`word`, default wait)")
	set.StringVar(&f.minEvidence, "min-evidence", "", "the least that counts as delivered: written, acknowledged or accepted (`word`)")
	set.StringArrayVar(&f.recipients, "recipient", nil, "a `key` of whom it is for: its sessions are tried first; may be repeated")
	set.StringArrayVar(&f.routingKeys, "routing-key", nil, "a `key` on the way to the recipient, outermost last; may be repeated")
	set.StringVar(&f.senderKey, "sender-key", "", "the `key` to send as")
	set.StringVar(&f.session, "session", "", "try the session with this `id` first")
	set.StringVar(&f.threadID, "thread", "", "the `id` of the thread it belongs to, for sessions that take only their own")
	set.BoolVar(&f.sessionOnly, "session-only", false, "to a session, or nowhere")
	set.BoolVar(&f.direct, "direct", false, "not by the external queue of the profile")
	set.DurationVar(&f.wait, "wait", 0, "wait so long for the delivery (default 1m0s without a daemon, none with one)")
	f.daemonFlags.add(command, "; without, send itself")
	set.StringVar(&f.config, "config", "", "without a daemon: read the configuration from a YAML `file` (default $OUTRIDER_CONFIG)")
	set.StringVar(&f.keys.file, "keys", "", "without a daemon: the `file` with keys (default keys.file of the profile)")
	set.StringVar(&f.keys.passphraseFile, "passphrase-file", "", "without a daemon: read the passphrase of the keys from a `file` (default $"+agent.EnvPassphrase+")")
	set.BoolVar(&f.allowPrivate, "allow-private", false, "without a daemon: let the message go to addresses that are not public")
	addJSON(command, &f.json)
}

// check finds what is wrong with the command line before anything is read.
func (f *sendFlags) check(command *cobra.Command, uri string) error {
	switch {
	case !command.Flags().Changed("data"):
		return usagef("-d is missing: give the payload as -d STR, -d @FILE, or -d @- for standard input")
	case command.Flags().Changed("ttl") && f.ttl <= 0:
		return usagef("--ttl: want a duration above zero")
	case f.wait < 0:
		return usagef("--wait is negative")
	}
	if _, err := transport.ParseEndpoint(uri); err != nil && command.Flags().NArg() > 0 {
		return usagef("%w", err)
	}
	for _, alternate := range f.alternates {
		if _, err := transport.ParseEndpoint(alternate); err != nil {
			return usagef("--alternate: %w", err)
		}
	}
	if f.retry != "" {
		if _, err := outbound.ParseRetryPolicy(f.retry); err != nil {
			return usagef("--retry: %w", err)
		}
	}
	return nil
}

// request makes the request that the command line describes.
func (f *sendFlags) request(c *console, command *cobra.Command, uri string) (agent.SendRequest, error) {
	if err := f.check(command, uri); err != nil {
		return agent.SendRequest{}, err
	}
	headers, err := parseHeaders(f.headers)
	if err != nil {
		return agent.SendRequest{}, err
	}
	body, err := readPayload(f.data, f.text, c.in)
	if err != nil {
		return agent.SendRequest{}, err
	}
	request := agent.SendRequest{
		Endpoint: uri, ContentType: f.contentType, Metadata: headers, Profile: f.profile, WireFormat: f.wireFormat,
		IdempotencyKey: f.idempotencyKey, Retry: f.retry, Alternates: f.alternates,
		Priority: f.priority, OrderingKey: f.orderingKey, OnBlocked: f.onBlocked, MinEvidence: f.minEvidence,
		Recipients: f.recipients, RoutingKeys: f.routingKeys, SenderKey: f.senderKey,
		Session: f.session, ThreadID: f.threadID, SessionOnly: f.sessionOnly, Direct: f.direct,
	}
	if request.NotBefore, err = parseNotBefore(f.notBefore, time.Now()); err != nil {
		return agent.SendRequest{}, err
	}
	if f.ttl > 0 {
		request.ExpiresIn = f.ttl.String()
	}
	if body.text || len(body.data) == 0 { // empty base64 would be none
		text := string(body.data)
		request.Payload = &text
	} else {
		request.PayloadBase64 = body.data
	}
	return request, nil
}

// parseNotBefore reads when the first attempt is to be made; empty is the zero time.
func parseNotBefore(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if wait, err := time.ParseDuration(text); err == nil && wait >= 0 {
		return now.Add(wait), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, usagef("--not-before: want a time such as 2026-01-31T15:04:05Z, or a duration from now such as 90s or 24h")
	}
	return at, nil
}

// run sends through a daemon where one is named, and otherwise by itself.
func (f *sendFlags) run(ctx context.Context, c *console, waitGiven bool, request agent.SendRequest) error {
	if f.server != "" || c.getenv(agent.EnvServer) != "" {
		return f.throughDaemon(ctx, c, request)
	}
	if !waitGiven {
		f.wait = ownWait
	}
	if f.wait == 0 {
		return usagef("--wait 0 needs a daemon to deliver the message: name it with --server")
	}
	return f.byItself(ctx, c, request)
}

func (f *sendFlags) throughDaemon(ctx context.Context, c *console, request agent.SendRequest) error {
	if f.allowPrivate || f.config != "" || f.keys.file != "" || f.keys.passphraseFile != "" {
		return usagef("--allow-private, --config and --keys are for sending without a daemon: give them to outrider serve")
	}
	daemon, err := f.open(c)
	if err != nil {
		return err
	}
	defer daemon.Close()
	return f.explain(c, flagIsUsage(f.deliver(ctx, c, daemon, request)))
}

func (f *sendFlags) byItself(ctx context.Context, c *console, request agent.SendRequest) error {
	if f.tokenFile != "" {
		return usagef("--token-file is for sending through a daemon: name that with --server")
	}
	f.own = true
	flags := map[string]any{}
	if f.allowPrivate {
		flags["allow_private"] = true
	}
	config, err := loadConfig(c, f.config, flags)
	if err != nil {
		return err
	}
	if f.keys.file != "" || f.keys.passphraseFile != "" {
		f.keys.profile = cmp.Or(f.profile, profile.DefaultID)
		if config, err = f.keys.apply(c, config); err != nil {
			return err
		}
	}
	if config.Retry == "standard" { // it takes days, and nobody asked for it
		config.Retry = "exponential,age=" + f.wait.String()
	}
	own, err := startOwn(ctx, deliveryOnly(config))
	if err != nil {
		return err
	}
	return errors.Join(flagIsUsage(f.deliver(ctx, c, own.client, request)), own.stop(ctx))
}

// deliver sends and, where it is to wait, tells what became of the message.
func (f *sendFlags) deliver(ctx context.Context, c *console, daemon *client.Client, request agent.SendRequest) error {
	deadline := time.Now().Add(f.wait)
	accepted, err := daemon.Send(ctx, request)
	if err != nil {
		return err
	}
	if f.wait == 0 {
		return f.reportQueued(c, accepted)
	}
	message, err := await(ctx, daemon, accepted.ID, deadline)
	if err != nil {
		return f.cutShort(c, accepted, err)
	}
	return f.report(c, &message)
}

// cutShort says what becomes of a message for which nobody waits any more: a daemon
// has it, and goes on.
func (f *sendFlags) cutShort(c *console, accepted agent.SendResponse, err error) error {
	if errors.Is(err, context.Canceled) {
		err = context.Canceled // whatever it was that this cut short
	}
	if f.own {
		return fmt.Errorf("%w; message %s is given up, and it is not known whether it arrived: without a daemon nothing is kept", err, accepted.ID)
	}
	if f.json {
		if err := c.json(accepted); err != nil {
			return err
		}
	}
	return fmt.Errorf("message %s is queued with the daemon, but waiting for it has ended: %w; see: outrider status %s", accepted.ID, err, accepted.ID)
}

// await returns a message when it is done, or as it is at the deadline.
func await(ctx context.Context, daemon *client.Client, id transport.ID, deadline time.Time) (agent.MessageView, error) {
	waiting, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	message, err := daemon.Wait(waiting, id)
	if err != nil && waiting.Err() != nil && ctx.Err() == nil {
		return daemon.Get(ctx, id, false)
	}
	return message, err
}

package agent

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/transport/ingress"
	"github.com/outrider-go/outrider/wireformat"
)

// What becomes of what comes in.
const (
	HandlerForward = "forward" // it is queued for an endpoint
	HandlerPrint   = "print"   // the program prints it
	HandlerDrop    = "drop"    // it is taken, and nothing is done with it
)

// InboundConfig is what the agent receives, and what becomes of it. Zero values are
// the defaults of package inbound and its drivers.
type InboundConfig struct {
	// Listen are the URLs to receive at (inbound.listen), with the schemes http,
	// https, ws and wss. A ws and an http URL with the same host and port share it.
	// Default: nowhere.
	Listen []string
	// From are the nodes of brokers to receive from (inbound.from), with the schemes
	// amqp and amqps. What they may reach, and the credentials that they do not have
	// themselves, are the default profile's. Default: none.
	From []transport.Endpoint
	// Handler is what becomes of messages (inbound.handler): forward, print or drop.
	// Default: forward where Forward is set. Else it is required where Listen or From
	// is set and Options have no handler; what peers answer on connections that the
	// agent has opened is dropped.
	Handler string
	// Forward is the endpoint that they are queued for (inbound.forward).
	Forward transport.Endpoint
	// TLS secures https and wss (inbound.tls.cert_file, inbound.tls.key_file,
	// inbound.tls.client_ca_file, inbound.tls.client_optional).
	TLS ingress.TLS
	// AllowedOrigins are the pages whose scripts may connect
	// (inbound.allowed_origins). Default: those of the same host.
	AllowedOrigins []string
	// AllowedHosts are names by which peers may call what listens on a loopback
	// address without TLS, beside the name it listens at, localhost and IP addresses
	// (inbound.allowed_hosts). Default: none.
	AllowedHosts []string
	// Subprotocols of WebSockets, in the order of preference (inbound.subprotocols).
	Subprotocols []string
	// Concurrency is how many messages of one WebSocket are handled at once
	// (inbound.concurrency). More than one gives up their order. Default: 1.
	Concurrency int
	// MaxMessageBytes bounds one message (inbound.max_message_bytes).
	MaxMessageBytes int64
	// MaxSessions bounds the open sessions (inbound.max_sessions), and
	// MaxSessionsPerProfile those of one profile (inbound.max_sessions_per_profile).
	MaxSessions, MaxSessionsPerProfile int
}

// options are the manager's.
func (c InboundConfig) options() inbound.Options {
	return inbound.Options{MaxSessions: c.MaxSessions, MaxSessionsPerProfile: c.MaxSessionsPerProfile}
}

func (c InboundConfig) validate() (faults []error) {
	add := func(key string, err error) { faults = append(faults, &KeyError{"inbound." + key, err}) }
	if !slices.Contains([]string{"", HandlerForward, HandlerPrint, HandlerDrop}, c.Handler) {
		add("handler", fmt.Errorf("%q is unknown: want %s, %s or %s", c.Handler, HandlerForward, HandlerPrint, HandlerDrop))
	}
	if c.Handler == HandlerForward && c.Forward.IsZero() {
		add("forward", errors.New("is missing: say where to forward to"))
	}
	if !c.Forward.IsZero() && c.HandlerInForce() != HandlerForward {
		add("forward", fmt.Errorf("says nothing with handler %s: leave one of them out", c.Handler))
	}
	if err := ingress.Hosts(c.AllowedHosts).Validate(); err != nil {
		add("allowed_hosts", err)
		c.AllowedHosts = nil // every listener would repeat it
	}
	if c.Concurrency < 0 {
		add("concurrency", errors.New("is negative"))
		c.Concurrency = 0 // every listener would repeat it
	}
	if c.MaxMessageBytes < 0 || c.MaxSessions < 0 || c.MaxSessionsPerProfile < 0 {
		add("max_*", errors.New("is negative"))
	}
	if int64(int(c.MaxMessageBytes)) != c.MaxMessageBytes { // an int may have 32 bits
		add("max_message_bytes", fmt.Errorf("want at most %d", math.MaxInt))
	}
	if _, err := c.receivers(); err != nil {
		faults = append(faults, err)
	}
	return faults
}

// receives reports whether there is a URL to receive at, or from.
func (c InboundConfig) receives() bool { return len(c.Listen)+len(c.From) > 0 }

// HandlerInForce says what becomes of messages: Handler, or its default.
func (c InboundConfig) HandlerInForce() string {
	switch {
	case c.Handler != "":
		return c.Handler
	case !c.Forward.IsZero():
		return HandlerForward
	default:
		return HandlerDrop
	}
}

// listener is one URL of Listen.
type listener struct{ scheme, address string }

func (l listener) String() string { return l.scheme + "://" + l.address }

// secure reports whether it is one with TLS.
func (l listener) secure() bool { return l.scheme == "https" || l.scheme == "wss" }

func (l listener) webSocket() bool { return l.scheme == "ws" || l.scheme == "wss" }

// anyPort reports whether it takes a port of its own, whichever is free.
func (l listener) anyPort() bool { return strings.HasSuffix(l.address, ":0") }

// listeners reads the URLs.
func (c InboundConfig) listeners() ([]listener, error) {
	var all []listener
	for _, text := range c.Listen {
		scheme, address, err := ingress.Address(text, "http", "https", "ws", "wss")
		if err != nil {
			return nil, &KeyError{"inbound.listen", err}
		}
		l := listener{scheme, address}
		if !l.anyPort() && slices.Contains(all, l) {
			return nil, &KeyError{"inbound.listen", fmt.Errorf("%v is there twice", l)}
		}
		all = append(all, l)
	}
	return all, nil
}

// receivers makes a receiver for each address. They open nothing before they
// start. A WebSocket URL whose address is that of an HTTP URL, too, has the
// receiver of that one take the handshakes.
func (c InboundConfig) receivers() ([]inbound.Transport, error) {
	all, err := c.listeners()
	if err != nil {
		return nil, err
	}
	var receivers []inbound.Transport
	sockets := map[string]*wsin.Transport{} // those that share an address, by it
	for _, l := range all {
		if !l.webSocket() {
			continue
		}
		shared := slices.ContainsFunc(all, func(other listener) bool {
			return !other.webSocket() && other.secure() == l.secure() && other.address == l.address && !l.anyPort()
		})
		socket, err := c.webSocket(l, shared)
		if err != nil {
			return nil, err
		}
		if shared {
			sockets[l.address] = socket
		}
		receivers = append(receivers, socket)
	}
	for _, l := range all {
		if l.webSocket() {
			continue
		}
		receiver, err := c.http(l, sockets[l.address])
		if err != nil {
			return nil, err
		}
		receivers = append(receivers, receiver)
	}
	return receivers, nil
}

func (c InboundConfig) http(l listener, socket *wsin.Transport) (inbound.Transport, error) {
	server, err := c.server(l)
	if err != nil {
		return nil, err
	}
	options := httpin.Options{Server: server, MaxMessageBytes: int(c.MaxMessageBytes), AllowedOrigins: c.AllowedOrigins}
	if socket != nil {
		options.WebSocket = socket
	}
	receiver, err := httpin.New(l.address, options)
	return receiver, c.wrong(l, err)
}

func (c InboundConfig) webSocket(l listener, shared bool) (*wsin.Transport, error) {
	options := wsin.Options{
		MaxMessageBytes: int(c.MaxMessageBytes), AllowedOrigins: c.AllowedOrigins, Concurrency: c.Concurrency, NoListener: shared,
	}
	for _, name := range c.Subprotocols {
		options.Subprotocols = append(options.Subprotocols, wsin.Subprotocol{Name: name})
	}
	var err error
	if options.Server, err = c.server(l); err != nil {
		return nil, err
	}
	receiver, err := wsin.New(l.address, options)
	return receiver, c.wrong(l, err)
}

// server are the options of the server of a listener.
func (c InboundConfig) server(l listener) (ingress.Options, error) {
	if !l.secure() {
		return ingress.Options{AllowedHosts: c.AllowedHosts}, nil
	}
	config, err := c.TLS.Config()
	if err != nil {
		return ingress.Options{}, &KeyError{"inbound.tls", err}
	}
	return ingress.Options{TLS: config}, nil
}

func (InboundConfig) wrong(l listener, err error) error {
	if err != nil {
		return &KeyError{"inbound.listen", fmt.Errorf("%v: %w", l, err)}
	}
	return nil
}

// tenants says whom messages are for: by what the profiles say of that or, where
// none says anything, all for the default profile.
func (c Config) tenants(directory *profile.Static, formats *wireformat.Registry) (inbound.Tenants, error) {
	var tokens []inbound.Token
	paths, subjects, keys := map[string]*profile.Profile{}, map[string]*profile.Profile{}, map[string]*profile.Profile{}
	var faults []error
	claim := func(all map[string]*profile.Profile, kind, name string, p *profile.Profile) {
		if other := all[name]; other != nil {
			faults = append(faults, &KeyError{"profiles." + p.ID() + ".inbound." + kind, fmt.Errorf("%q is that of profile %s, too", name, other.ID())})
		}
		all[name] = p
	}
	for _, p := range directory.All() {
		by := p.Inbound()
		for _, path := range by.Paths {
			claim(paths, "paths", path, p)
		}
		for _, subject := range by.Certificates {
			claim(subjects, "certificates", subject, p)
		}
		for _, key := range by.Keys {
			claim(keys, "keys", key, p)
		}
		for _, name := range sortedKeys(by.Tokens) {
			tokens = append(tokens, inbound.Token{Name: name, Secret: by.Tokens[name], Profile: p})
		}
	}
	var rules []inbound.Tenants
	if len(keys) > 0 {
		rules = append(rules, inbound.ByRecipientKeys(formats, func(_ context.Context, wanted []string) (*profile.Profile, error) {
			return oneOf(keys, wanted)
		}))
	}
	if len(tokens) > 0 {
		byToken, err := inbound.ByToken(tokens...)
		if err != nil {
			faults = append(faults, &KeyError{"profiles", err})
		}
		rules = append(rules, byToken)
	}
	if len(subjects) > 0 {
		rules = append(rules, inbound.ByCertificate(func(_ context.Context, certificate *x509.Certificate) (*profile.Profile, error) {
			return subjects[certificate.Subject.CommonName], nil
		}))
	}
	if len(paths) > 0 {
		rules = append(rules, inbound.ByPath(paths))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if len(rules) == 0 {
		fallback, err := directory.Lookup(context.Background(), profile.DefaultID)
		return inbound.Fixed(fallback), err
	}
	return inbound.FirstOf(rules...), nil
}

// oneOf returns the one profile whose keys are wanted. A message for several is for
// nobody: which of them was meant is not known.
func oneOf(all map[string]*profile.Profile, wanted []string) (*profile.Profile, error) {
	var found *profile.Profile
	for _, key := range wanted {
		switch p := all[key]; {
		case p == nil || p == found:
		case found != nil:
			return nil, fmt.Errorf("%w: the message is for several profiles", inbound.ErrUnknownRecipient)
		default:
			found = p
		}
	}
	return found, nil
}

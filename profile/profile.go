package profile

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
)

// DefaultID is the id of the profile that is used where none is named.
const DefaultID = "default"

// Options describe a profile. Only the id, given to [New], is required.
type Options struct {
	// Name is for people. Default: the id.
	Name string
	// Settings are the profile's own, in front of those of Base.
	Settings map[string]string
	// Base is the scope behind Settings. Default: none.
	Base Settings
	// Secrets by name: API keys, signing secrets.
	Secrets map[string]transport.Secret
	// Keys holds the profile's private keys. Whoever made it closes it. Default:
	// none.
	Keys Keys
	// KeyFile names a file with keys, which an agent opens as the profile's Keys.
	// Default: none.
	KeyFile KeyFile
	// Egress says where the profile's messages may go. Default: public
	// addresses, any port.
	Egress Egress
	// TLS says how the profile's connections are secured. Default: system roots,
	// no client certificate.
	TLS TLS
	// Limits bound what the profile may send, and how often. Default: no limits
	// but those of the manager.
	Limits Limits
	// Retry is the text of the profile's retry policy. Default: the manager's.
	Retry string
	// WireFormat is the name of the profile's wire format. Default: "raw".
	WireFormat string
	// MinEvidence is the least that counts as delivered, for messages that do not
	// say so themselves. Default: whatever the transport gives.
	MinEvidence transport.Evidence
	// Pickup says which messages wait for their recipient. Default: none.
	Pickup Pickup
	// Inbound says which of the messages that come in are for the profile. Default:
	// those that are for no other, where none says anything.
	Inbound Inbound
	// Route is where the profile's messages go in place of their endpoints: a queue
	// of somebody else, who delivers them. Default: to their endpoints.
	Route transport.Endpoint
}

// Inbound says by what a message that comes in is recognised as one for the
// profile. Any of them is enough.
type Inbound struct {
	Keys         []string                    // recipient keys of the envelope
	Tokens       map[string]transport.Secret // bearer tokens, by the name of who has them
	Certificates []string                    // common names of client certificates
	Paths        []string                    // of the URL
}

// Pickup says which messages wait until their recipient has a session: those to a
// recipient whose endpoint is missing, or cannot be delivered to.
type Pickup struct {
	// Enabled has them wait. Otherwise they are refused.
	Enabled bool
	// Exhausted has those wait, too, that their retry policy has given up.
	Exhausted bool
	// TTL is how long a message waits that does not say itself when it expires.
	// Default: seven days.
	TTL time.Duration
}

// DefaultPickupTTL is how long a message waits to be picked up where nobody says
// otherwise.
const DefaultPickupTTL = 7 * 24 * time.Hour

// Egress is what a profile's connections may reach.
type Egress struct {
	// AllowNetworks are reachable although they are not public.
	AllowNetworks []netip.Prefix
	// AllowPorts, when not empty, are the only ports that may be dialled.
	AllowPorts []uint16
	// Proxy is the URL of an HTTP proxy that every connection goes through; empty is
	// none. The proxy resolves the names, so the guard sees literal addresses only: the
	// policy moves there.
	Proxy transport.Secret
}

// KeyFile is a file of package secmod.
type KeyFile struct {
	Path       string
	Passphrase transport.Secret // that opens it
}

// TLS is how a profile's connections are secured. Paths are read when the
// connection pool of the profile is made.
type TLS struct {
	CAFile     string // PEM: trusted in place of the system's roots
	CertFile   string // PEM: client certificate
	KeyFile    string // PEM: its key
	ServerName string // expected in place of the endpoint's host
	// InsecureSkipVerify accepts any certificate. It is logged as a warning.
	InsecureSkipVerify bool
}

// slowestRate is one attempt a day.
const slowestRate = 1.0 / (24 * 60 * 60)

// Limits bound one profile. Zero does not limit.
type Limits struct {
	MaxMessageBytes int64 // of one payload; 0: the manager's limit
	// MaxMessages and MaxBytes bound what waits in the queue.
	MaxMessages, MaxBytes int64
	// MaxDestinations bounds the destinations that messages wait for.
	MaxDestinations int64
	// MaxRate is how many messages are accepted per second, on average. One that
	// is refused does not count.
	MaxRate float64
	// Burst is how many messages are accepted at once before MaxRate tells, and so
	// the largest batch. Default: MaxRate, at least 1.
	Burst int64

	// MaxPickupMessages and MaxPickupBytes bound what waits to be picked up by one
	// recipient. 0: 1,000 messages, 16 MiB.
	MaxPickupMessages, MaxPickupBytes int64

	// RatePerDestination is the number of attempts a second to one destination, in
	// the long run, at least one a day. 0: the manager's rate.
	RatePerDestination float64
	// BurstPerDestination is how many of them may begin at once after a rest. 0: 1.
	BurstPerDestination int
}

// validate names the first limit that is wrong.
func (l Limits) validate() error {
	for _, limit := range []struct {
		name  string
		value float64
	}{
		{"max_message_bytes", float64(l.MaxMessageBytes)},
		{"max_messages", float64(l.MaxMessages)},
		{"max_bytes", float64(l.MaxBytes)},
		{"max_destinations", float64(l.MaxDestinations)},
		{"max_rate", l.MaxRate},
		{"burst", float64(l.Burst)},
		{"max_pickup_messages", float64(l.MaxPickupMessages)},
		{"max_pickup_bytes", float64(l.MaxPickupBytes)},
		{"rate_per_destination", l.RatePerDestination},
		{"burst_per_destination", float64(l.BurstPerDestination)},
	} {
		if !(limit.value >= 0) || math.IsInf(limit.value, 1) {
			return fmt.Errorf("limits.%s is negative, or no number", limit.name)
		}
	}
	if l.Burst > 0 && l.MaxRate == 0 {
		return errors.New("limits.burst says nothing without limits.max_rate: give one, or leave it out")
	}
	if rate := l.RatePerDestination; rate > 0 && rate < slowestRate {
		return errors.New("limits.rate_per_destination: want at least one attempt a day")
	}
	if l.BurstPerDestination > 0 && l.RatePerDestination == 0 {
		return errors.New("limits.burst_per_destination says nothing without limits.rate_per_destination: give one, or leave it out")
	}
	return nil
}

func (p Pickup) validate() error {
	switch {
	case p.TTL < 0:
		return errors.New("pickup.ttl is negative")
	case p.Exhausted && !p.Enabled:
		return errors.New("pickup.exhausted says nothing without pickup.enabled: turn that on, or leave it out")
	}
	return nil
}

// Profile is a tenant.
type Profile struct {
	id      string
	options Options
	scope   Settings
}

// ErrUnknown is returned by a [Directory] for an id it does not know.
var ErrUnknown = errors.New("unknown profile")

var idPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$`)

// New returns a profile. Its id is 1 to 128 letters, digits, ".", "_", ":" and
// "-", and starts with a letter or digit.
func New(id string, options Options) (*Profile, error) {
	if !idPattern.MatchString(id) {
		return nil, fmt.Errorf("profile id %q: want 1 to 128 letters, digits, '.', '_', ':' or '-', starting with a letter or digit", id)
	}
	if (options.TLS.CertFile == "") != (options.TLS.KeyFile == "") {
		return nil, fmt.Errorf("profile %s: tls needs both a certificate file and a key file", id)
	}
	if (options.KeyFile.Path == "") != options.KeyFile.Passphrase.IsZero() {
		return nil, fmt.Errorf("profile %s: keys need both a file and its passphrase", id)
	}
	if err := options.Limits.validate(); err != nil {
		return nil, fmt.Errorf("profile %s: %w", id, err)
	}
	if options.MinEvidence > transport.Accepted {
		return nil, fmt.Errorf("profile %s: min_evidence %s: want written, acknowledged or accepted", id, options.MinEvidence)
	}
	if err := options.Pickup.validate(); err != nil {
		return nil, fmt.Errorf("profile %s: %w", id, err)
	}
	if options.Name == "" {
		options.Name = id
	}
	options.Secrets = maps.Clone(options.Secrets)
	options.Inbound.Tokens = maps.Clone(options.Inbound.Tokens)
	for _, list := range []*[]string{&options.Inbound.Keys, &options.Inbound.Certificates, &options.Inbound.Paths} {
		*list = slices.Clone(*list)
	}
	options.Egress.AllowNetworks = slices.Clone(options.Egress.AllowNetworks)
	options.Egress.AllowPorts = slices.Clone(options.Egress.AllowPorts)
	return &Profile{id: id, options: options, scope: options.Base.Scope(options.Settings)}, nil
}

// Default returns the profile that is used where none is named: id "default",
// no settings, public addresses only.
func Default() *Profile {
	return &Profile{id: DefaultID, options: Options{Name: DefaultID}}
}

// ID identifies the profile. Records keep it; a [Directory] resolves it.
func (p *Profile) ID() string { return p.id }

// Name is for people.
func (p *Profile) Name() string { return p.options.Name }

// Settings returns the profile's scope.
func (p *Profile) Settings() Settings { return p.scope }

// Secret returns the secret of that name, and whether there is one.
func (p *Profile) Secret(name string) (transport.Secret, bool) {
	secret, ok := p.options.Secrets[name]
	return secret, ok
}

// Keys returns the profile's private keys. It is never nil.
func (p *Profile) Keys() Keys {
	if p.options.Keys == nil {
		return noKeys{}
	}
	return p.options.Keys
}

// Egress returns what the profile may reach. The slices are not to be changed.
func (p *Profile) Egress() Egress { return p.options.Egress }

// TLS returns how the profile's connections are secured.
func (p *Profile) TLS() TLS { return p.options.TLS }

// Limits returns the profile's limits.
func (p *Profile) Limits() Limits { return p.options.Limits }

// Retry returns the text of the profile's retry policy, empty for the manager's.
func (p *Profile) Retry() string { return p.options.Retry }

// WireFormat returns the name of the profile's wire format, empty for none.
func (p *Profile) WireFormat() string { return p.options.WireFormat }

// MinEvidence returns the least that counts as delivered, None for whatever the
// transport gives.
func (p *Profile) MinEvidence() transport.Evidence { return p.options.MinEvidence }

// Pickup says which messages wait for their recipient. Its TTL is set.
func (p *Profile) Pickup() Pickup {
	pickup := p.options.Pickup
	pickup.TTL = cmp.Or(pickup.TTL, DefaultPickupTTL)
	return pickup
}

// Inbound says which of the messages that come in are for the profile. It is not
// to be changed.
func (p *Profile) Inbound() Inbound { return p.options.Inbound }

// Route is where the profile's messages go in place of their endpoints, zero for
// to these.
func (p *Profile) Route() transport.Endpoint { return p.options.Route }

// String returns the id and, where it differs, the name.
func (p *Profile) String() string {
	if strings.EqualFold(p.id, p.options.Name) {
		return p.id
	}
	return p.id + " (" + p.options.Name + ")"
}

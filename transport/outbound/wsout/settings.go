package wsout

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
)

// The profile's settings.
const (
	SettingMode         = "ws.mode"          // shared or single
	SettingAck          = "ws.ack"           // none, ping or reply
	SettingAckPointer   = "ws.ack_pointer"   // a JSON pointer, for reply
	SettingConnections  = "ws.connections"   // to one destination
	SettingSubprotocols = "ws.subprotocols"  // offered to peers, the best one first: "a, b"
	SettingCloseCodes   = "ws.close_codes"   // classes of the codes 3000 to 4999: "4001=permanent, 4100-4199=temporary"
	SettingPermanent4xx = "ws.permanent_4xx" // a refused handshake is permanent, as http.permanent_4xx has it
)

// SettingNames lists the settings of a profile that this transport reads.
func SettingNames() []string {
	return []string{
		SettingMode, SettingAck, SettingAckPointer, SettingConnections, SettingSubprotocols, SettingCloseCodes, SettingPermanent4xx,
	}
}

// Mode says whether messages share connections.
type Mode string

// The modes.
const (
	// Shared has messages share long-lived connections.
	Shared Mode = "shared"
	// Single gives each message a connection of its own, as ACA-Py does.
	Single Mode = "single"
)

func (m Mode) validate() error {
	switch m {
	case "", Shared, Single:
		return nil
	}
	return fmt.Errorf("mode %q is unknown: want shared or single", string(m))
}

// Ack is what acknowledges a message. WebSocket has no acknowledgements of its
// own (RFC 6455): without one, a delivery is written and no more.
type Ack string

// The acknowledgements.
const (
	// AckNone: a delivery has the evidence written.
	AckNone Ack = "none"
	// AckPing sends a ping behind the messages; its pong says that the peer's
	// WebSocket stack has read them. What the application does with them it does
	// not say, unless the peer is one that pongs later, as Outrider is.
	AckPing Ack = "ping"
	// AckReply waits for a message of the peer with the id, or the idempotency key,
	// of the one that it acknowledges.
	AckReply Ack = "reply"
)

func (a Ack) validate() error {
	switch a {
	case "", AckNone, AckPing, AckReply:
		return nil
	}
	return fmt.Errorf("ack %q is unknown: want none, ping or reply", string(a))
}

// tenant is a profile as this transport needs it.
type tenant struct {
	profile      *profile.Profile
	dialer       *egress.Dialer
	mode         Mode
	ack          Ack
	pointer      pointer
	connections  int
	subprotocols []string
	codes        codeClasses
	strict       bool
}

// CheckSettings reports what is wrong with the settings of a profile that belong
// to this transport, each by its name.
func CheckSettings(s profile.Settings) error {
	_, err := readSettings(s, Options{}.withDefaults())
	return err
}

// newTenant reads the profile's settings, and makes its dialer.
func newTenant(p *profile.Profile, o Options, dialing egress.Options) (*tenant, error) {
	t, err := readSettings(p.Settings(), o)
	if err != nil {
		return nil, err
	}
	t.profile = p
	t.dialer, err = egress.New(p, dialing)
	return t, err
}

// readSettings returns a tenant without profile and dialer. The error names what
// is wrong.
func readSettings(settings profile.Settings, o Options) (*tenant, error) {
	t := &tenant{
		mode: cmp.Or(Mode(settings.String(SettingMode, "")), o.Mode),
		ack:  cmp.Or(Ack(settings.String(SettingAck, "")), o.Ack),
	}
	var faults []error
	check := func(setting string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("setting %q: %w", setting, err))
		}
	}
	check(SettingMode, t.mode.validate())
	check(SettingAck, t.ack.validate())
	var err error
	t.pointer, err = parsePointer(settings.String(SettingAckPointer, o.AckPointer))
	check(SettingAckPointer, err)
	t.subprotocols, err = parseSubprotocols(settings.String(SettingSubprotocols, ""))
	check(SettingSubprotocols, err)
	t.codes, err = parseCodeClasses(settings.String(SettingCloseCodes, ""))
	check(SettingCloseCodes, err)
	if t.connections, err = settings.Int(SettingConnections, o.Connections); err != nil {
		faults = append(faults, err)
	} else if t.connections < 1 || t.connections > o.MaxConnsPerHost {
		check(SettingConnections, fmt.Errorf("want 1 to %d", o.MaxConnsPerHost))
	}
	if t.strict, err = settings.Bool(SettingPermanent4xx, false); err != nil {
		faults = append(faults, err)
	}
	return t, errors.Join(faults...)
}

func parseSubprotocols(text string) (names []string, err error) {
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if !httprules.IsToken(name) {
			return nil, fmt.Errorf("%q is not a sub-protocol: use letters, digits, dots and hyphens, and commas between them", name)
		}
		names = append(names, name)
	}
	return names, nil
}

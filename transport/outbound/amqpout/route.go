package amqpout

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/amqp1"
)

// Settings and secrets of a profile.
const (
	settingUsername      = "amqp.username"
	settingAuthorization = "amqp.authzid"
	settingMechanisms    = "amqp.sasl"
	settingInsecure      = "amqp.allow_insecure"
	settingContainerID   = "amqp.container_id"
	secretPassword       = "amqp.password"
	secretToken          = "amqp.token"
)

// route is what an endpoint and its profile say: whom to connect to, which node to
// send to, and how the messages are to be.
type route struct {
	remote   amqp1.Remote // without a dialer
	target   amqp1.Target
	template template
	settled  bool
	relay    bool   // over the anonymous terminus
	node     string // the address, also where the link has none
}

// linkOptions are the options that are not fields of the message.
var linkOptions = []struct {
	name string
	set  func(r *route, value string) error
}{
	{"address", func(r *route, v string) error { r.node = v; return nil }},
	{"relay", func(r *route, v string) error { return setBool(v, func(is bool) { r.relay = is }) }},
	{"settled", func(r *route, v string) error { return setBool(v, func(is bool) { r.settled = is }) }},
	{"exactly-once", func(r *route, v string) error { return setBool(v, func(is bool) { r.target.SettleSecond = is }) }},
	{"hostname", func(r *route, v string) error { r.remote.Hostname = v; return nil }},
	{"vhost", func(r *route, v string) error { r.remote.Hostname = "vhost:" + v; return nil }},
	{"container-id", func(r *route, v string) error { r.remote.ContainerID = v; return nil }},
	{"sasl", func(r *route, v string) error { return r.setMechanisms(v) }},
	{"authzid", func(r *route, v string) error { r.remote.Credentials.AuthorizationID = v; return nil }},
	{"allow-insecure", func(r *route, v string) error {
		return setBool(v, func(is bool) { r.remote.Credentials.AllowInsecure = is })
	}},
	{"window", func(r *route, v string) error {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > amqp1.MaxWindow {
			return fmt.Errorf("want a whole number of 1 to %d", amqp1.MaxWindow)
		}
		r.target.Window = n
		return nil
	}},
	{"durability", setDurability},
	{"expiry-policy", func(r *route, v string) error {
		policy := amqp1.ExpiryPolicy(v)
		if !slices.Contains([]amqp1.ExpiryPolicy{amqp1.ExpiryLinkDetach, amqp1.ExpirySessionEnd, amqp1.ExpiryConnectionClose, amqp1.ExpiryNever}, policy) {
			return errors.New("want link-detach, session-end, connection-close or never")
		}
		r.target.ExpiryPolicy = policy
		return nil
	}},
	{"expiry-timeout", func(r *route, v string) error {
		d, err := readDuration(v)
		r.target.ExpiryTimeout = uint32(min(d.Seconds(), 1<<32-1))
		return err
	}},
	{"capabilities", func(r *route, v string) error { r.target.Capabilities = listed(v); return nil }},
}

func setBool(value string, set func(bool)) error {
	is, err := strconv.ParseBool(value)
	if err != nil {
		return errors.New("want true or false")
	}
	set(is)
	return nil
}

func setDurability(r *route, value string) error {
	durability := slices.Index([]string{"none", "configuration", "unsettled-state"}, value)
	if durability < 0 {
		return errors.New("want none, configuration or unsettled-state")
	}
	r.target.Durability = amqp1.Durability(durability) //nolint:gosec // 0 to 2
	return nil
}

func (r *route) setMechanisms(value string) error {
	r.remote.Credentials.NoSASL = value == "none"
	if value != "none" {
		r.remote.Credentials.Mechanisms = listed(strings.ToUpper(value))
	}
	return nil
}

// newRoute reads an endpoint for a profile. The error repeats no value.
func newRoute(p *profile.Profile, e transport.Endpoint) (*route, error) {
	if scheme := e.Scheme(); scheme != "amqp" && scheme != "amqps" {
		return nil, fmt.Errorf("scheme %q: want amqp or amqps", scheme)
	}
	r := &route{remote: amqp1.Remote{Address: e.Address(), TLS: e.Scheme() == "amqps", Tenant: p.ID()}}
	if err := r.readProfile(p); err != nil {
		return nil, err
	}
	u := e.URL()
	if u.User != nil {
		password, _ := u.User.Password()
		r.remote.Credentials.Username, r.remote.Credentials.Password = u.User.Username(), transport.NewSecret(password)
		r.remote.Credentials.Token = transport.Secret{} // the profile's goes with the profile's name
	}
	var err error
	if r.node, err = url.PathUnescape(strings.TrimPrefix(u.EscapedPath(), "/")); err != nil {
		return nil, errors.New("the path is not percent-encoded")
	}
	if err := r.readQuery(u.RawQuery); err != nil {
		return nil, err
	}
	if err := r.finish(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *route) readProfile(p *profile.Profile) error {
	settings, c := p.Settings(), &r.remote.Credentials
	insecure, err := settings.Bool(settingInsecure, false)
	if err != nil {
		return err
	}
	c.Username, c.AuthorizationID = settings.String(settingUsername, ""), settings.String(settingAuthorization, "")
	c.Password, _ = p.Secret(secretPassword)
	c.Token, _ = p.Secret(secretToken)
	c.AllowInsecure = insecure
	r.remote.ContainerID = settings.String(settingContainerID, "")
	if mechanisms := settings.String(settingMechanisms, ""); mechanisms != "" {
		return r.setMechanisms(mechanisms)
	}
	return nil
}

// readQuery takes the options. Each may be there once.
func (r *route) readQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("the query cannot be read: percent-encode it")
	}
	for name, values := range query {
		if len(values) > 1 {
			return fmt.Errorf("option %q is there more than once", name)
		}
		if err := r.set(name, values[0]); err != nil {
			return err
		}
	}
	return nil
}

func (r *route) set(name, value string) error {
	for _, option := range linkOptions {
		if option.name != name {
			continue
		}
		if err := option.set(r, value); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
		return nil
	}
	err := r.template.setField(name, value)
	if errors.Is(err, errUnknownField) && value == "" {
		return errors.New("an option without a value is not known") // it may be a token
	}
	if errors.Is(err, errUnknownField) {
		return fmt.Errorf("option %q is not known: want %s", name, strings.Join(optionNames(), ", "))
	}
	if err != nil {
		return fmt.Errorf("option %w", err)
	}
	return nil
}

func optionNames() []string {
	var names []string
	for _, option := range linkOptions {
		names = append(names, option.name)
	}
	return append(names, fieldNames()...)
}

// finish settles what the options say together.
func (r *route) finish() error {
	switch {
	case r.node == "":
		return errors.New("the address is missing: write it as the path, such as amqp://host/queue")
	case r.relay && r.settled:
		return errors.New("option relay with option settled: nobody would learn that there is no such node")
	case !r.relay:
		r.target.Address = r.node
	}
	if r.template.to == "" {
		r.template.to = r.node
	}
	return r.remote.Credentials.Validate()
}

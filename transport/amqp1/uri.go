package amqp1

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// Settings and secrets of a profile that say who we are.
const (
	SettingUsername      = "amqp.username"
	SettingAuthorization = "amqp.authzid"
	SettingMechanisms    = "amqp.sasl"
	SettingInsecure      = "amqp.allow_insecure"
	SettingContainerID   = "amqp.container_id"
	SecretPassword       = "amqp.password"
	SecretToken          = "amqp.token"
)

// SettingNames lists the settings of a profile that are read here.
func SettingNames() []string {
	return []string{SettingUsername, SettingAuthorization, SettingMechanisms, SettingInsecure, SettingContainerID}
}

// URI is what an amqp or amqps URI says of a peer and a node, with what the
// profile adds.
type URI struct {
	// Remote is the peer, without a dialer.
	Remote Remote
	// Node is the address: the path without its first slash, or the option address.
	Node string
	// Options are those of the query that say nothing of the peer.
	Options map[string]string
}

// remoteOptions are those of the query that say whom to connect to, and as whom.
var remoteOptions = map[string]func(u *URI, value string) error{
	"address":        func(u *URI, v string) error { u.Node = v; return nil },
	"hostname":       func(u *URI, v string) error { u.Remote.Hostname = v; return nil },
	"vhost":          func(u *URI, v string) error { u.Remote.Hostname = "vhost:" + v; return nil },
	"container-id":   func(u *URI, v string) error { u.Remote.ContainerID = v; return nil },
	"sasl":           func(u *URI, v string) error { u.setMechanisms(v); return nil },
	"authzid":        func(u *URI, v string) error { u.Remote.Credentials.AuthorizationID = v; return nil },
	"allow-insecure": func(u *URI, v string) error { return ReadBool(&u.Remote.Credentials.AllowInsecure, v) },
}

// RemoteOptionNames lists the options of a URI that are about the peer.
func RemoteOptionNames() []string {
	return []string{"address", "hostname", "vhost", "container-id", "sasl", "authzid", "allow-insecure"}
}

// ParseURI reads an endpoint for a profile. The error repeats no value.
func ParseURI(p *profile.Profile, e transport.Endpoint) (URI, error) {
	if scheme := e.Scheme(); scheme != "amqp" && scheme != "amqps" {
		return URI{}, fmt.Errorf("scheme %q: want amqp or amqps", scheme)
	}
	u := URI{
		Remote:  Remote{Address: e.Address(), TLS: e.Scheme() == "amqps", Tenant: p.ID()},
		Options: map[string]string{},
	}
	if err := u.readProfile(p); err != nil {
		return URI{}, err
	}
	parsed := e.URL()
	if parsed.User != nil {
		password, _ := parsed.User.Password()
		u.Remote.Credentials.Username, u.Remote.Credentials.Password = parsed.User.Username(), transport.NewSecret(password)
		u.Remote.Credentials.Token = transport.Secret{} // the profile's goes with the profile's name
	}
	var err error
	if u.Node, err = url.PathUnescape(strings.TrimPrefix(parsed.EscapedPath(), "/")); err != nil {
		return URI{}, errors.New("the path is not percent-encoded")
	}
	if err := u.readQuery(parsed.RawQuery); err != nil {
		return URI{}, err
	}
	return u, u.Remote.Credentials.Validate()
}

func (u *URI) readProfile(p *profile.Profile) error {
	settings, c := p.Settings(), &u.Remote.Credentials
	insecure, err := settings.Bool(SettingInsecure, false)
	if err != nil {
		return err
	}
	c.Username, c.AuthorizationID = settings.String(SettingUsername, ""), settings.String(SettingAuthorization, "")
	c.Password, _ = p.Secret(SecretPassword)
	c.Token, _ = p.Secret(SecretToken)
	c.AllowInsecure = insecure
	u.Remote.ContainerID = settings.String(SettingContainerID, "")
	if mechanisms := settings.String(SettingMechanisms, ""); mechanisms != "" {
		u.setMechanisms(mechanisms)
	}
	return nil
}

func (u *URI) setMechanisms(value string) {
	c := &u.Remote.Credentials
	if c.NoSASL = value == "none"; !c.NoSASL {
		ReadNames(&c.Mechanisms, strings.ToUpper(value))
	}
}

// readQuery takes the options. Each may be there once.
func (u *URI) readQuery(raw string) error {
	query, err := url.ParseQuery(raw)
	if err != nil {
		return errors.New("the query cannot be read: percent-encode it")
	}
	for name, values := range query {
		if len(values) > 1 {
			return fmt.Errorf("option %q is there more than once", name)
		}
		set, ours := remoteOptions[name]
		if !ours {
			u.Options[name] = values[0]
			continue
		}
		if err := set(u, values[0]); err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
	}
	return nil
}

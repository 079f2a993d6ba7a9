package wampout

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/wamp2"
)

// Methods of authentication, as WAMP calls them.
const (
	methodAnonymous  = "anonymous"
	methodTicket     = "ticket"
	methodCRA        = "wampcra"
	methodCryptosign = "cryptosign"
)

// Settings of the profile.
const (
	SettingAuthMethod = "wamp.authmethod"
	SettingAuthID     = "wamp.authid"
	SettingKey        = "wamp.key"
	SettingBind       = "wamp.bind"
	// SecretName is the profile's secret for tickets and WAMP-CRA.
	SecretName = "wamp.secret"
)

// SettingNames lists the settings of a profile that this transport reads.
func SettingNames() []string {
	return []string{
		SettingAuthMethod, SettingAuthID, SettingKey, SettingBind, SettingCryptoboxKey, SettingCryptoboxPeer, SettingStyle,
	}
}

// credentials are who joins, and how it is proved.
type credentials struct {
	method string // empty: what fits
	authID string
	secret transport.Secret
	keyID  string
	bind   bool
}

// CheckSettings says what is wrong with the settings of a profile that are this
// transport's, before any endpoint is known.
func CheckSettings(settings profile.Settings) error {
	c, err := settingsOf(settings)
	if err == nil && c.method == methodCryptosign {
		err = c.check()
	}
	_, encryptionErr := encryptionOf(settings)
	return errors.Join(err, encryptionErr)
}

// settingsOf reads a profile's settings.
func settingsOf(settings profile.Settings) (credentials, error) {
	c := credentials{
		method: strings.ToLower(settings.String(SettingAuthMethod, "")),
		authID: settings.String(SettingAuthID, ""),
		keyID:  settings.String(SettingKey, ""),
	}
	switch c.method {
	case "", methodAnonymous, methodTicket, methodCRA, methodCryptosign:
	default:
		return c, fmt.Errorf("setting %q: want anonymous, ticket, wampcra or cryptosign", SettingAuthMethod)
	}
	var err error
	c.bind, err = settings.Bool(SettingBind, false)
	return c, err
}

// credentialsFor reads an endpoint and its profile. What the endpoint says goes
// before what the profile says.
func credentialsFor(e transport.Endpoint, p *profile.Profile) (credentials, error) {
	c, err := settingsOf(p.Settings())
	if err != nil {
		return c, err
	}
	c.secret, _ = p.Secret(SecretName)
	u := e.URL()
	if u.User != nil {
		c.authID, c.secret = u.User.Username(), e.APIKey()
		if password, ok := u.User.Password(); ok && password != "" {
			c.secret = transport.NewSecret(password)
		}
	} else if key := e.APIKey(); !key.IsZero() {
		c.secret = key
	}
	return c, c.check()
}

// check says what the method lacks.
func (c credentials) check() error {
	switch {
	case (c.method == methodTicket || c.method == methodCRA) && c.secret.IsZero():
		return fmt.Errorf("setting %q is %s, which needs a secret: the profile's %s, or one in the endpoint", SettingAuthMethod, c.method, SecretName)
	case c.method == methodCryptosign && c.keyID == "":
		return fmt.Errorf("setting %q is %s, which needs a key: the setting %s", SettingAuthMethod, c.method, SettingKey)
	}
	return nil
}

// authenticators returns the methods to offer.
func (c credentials) authenticators(ctx context.Context, p *profile.Profile, secured bool) ([]wamp2.Authenticator, error) {
	method := c.method
	switch {
	case method != "":
	case c.keyID != "":
		method = methodCryptosign
	case c.secret.IsZero():
		method = methodAnonymous
	}
	switch method {
	case methodAnonymous:
		return []wamp2.Authenticator{wamp2.Anonymous{}}, nil
	case methodTicket:
		return []wamp2.Authenticator{wamp2.Ticket{Ticket: c.secret}}, nil
	case methodCRA:
		return []wamp2.Authenticator{wamp2.CRA{Secret: c.secret}}, nil
	case methodCryptosign:
		key, err := p.Keys().Find(ctx, c.keyID)
		if err == nil && key.Type() != profile.Ed25519 {
			err = fmt.Errorf("it is of type %s: want %s", key.Type(), profile.Ed25519)
		}
		if err != nil {
			return nil, fmt.Errorf("key of the setting %q: %w", SettingKey, err)
		}
		return []wamp2.Authenticator{wamp2.Cryptosign{Key: key, Bind: c.bind}}, nil
	}
	offered := []wamp2.Authenticator{wamp2.CRA{Secret: c.secret}}
	if secured {
		offered = append(offered, wamp2.Ticket{Ticket: c.secret})
	}
	return offered, nil
}

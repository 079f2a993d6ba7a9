package wampout

import (
	"context"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/wamp2"
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

// credentials are who joins, and how it is proved.
type credentials struct {
	method string // empty: what fits
	authID string
	secret transport.Secret
	keyID  string
	bind   bool
}

// credentialsFor reads an endpoint and its profile. What the endpoint says goes
// before what the profile says.
func credentialsFor(e transport.Endpoint, p *profile.Profile) (credentials, error) {
	settings := p.Settings()
	c := credentials{
		method: strings.ToLower(settings.String(SettingAuthMethod, "")),
		authID: settings.String(SettingAuthID, ""),
		keyID:  settings.String(SettingKey, ""),
	}
	c.secret, _ = p.Secret(SecretName)
	var err error
	if c.bind, err = settings.Bool(SettingBind, false); err != nil {
		return c, err
	}
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

func (c credentials) check() error {
	missing := func(what string) error {
		return fmt.Errorf("setting %q is %s, which needs %s", SettingAuthMethod, c.method, what)
	}
	switch c.method {
	case "", "anonymous":
	case "ticket", "wampcra":
		if c.secret.IsZero() {
			return missing("a secret: the profile's " + SecretName + ", or one in the endpoint")
		}
	case "cryptosign":
		if c.keyID == "" {
			return missing("a key: the setting " + SettingKey)
		}
	default:
		return fmt.Errorf("setting %q: want anonymous, ticket, wampcra or cryptosign", SettingAuthMethod)
	}
	return nil
}

// authenticators returns the methods to offer.
func (c credentials) authenticators(ctx context.Context, p *profile.Profile, secured bool) ([]wamp2.Authenticator, error) {
	method := c.method
	switch {
	case method != "":
	case c.keyID != "":
		method = "cryptosign"
	case c.secret.IsZero():
		method = "anonymous"
	}
	switch method {
	case "anonymous":
		return []wamp2.Authenticator{wamp2.Anonymous{}}, nil
	case "ticket":
		return []wamp2.Authenticator{wamp2.Ticket{Ticket: c.secret}}, nil
	case "wampcra":
		return []wamp2.Authenticator{wamp2.CRA{Secret: c.secret}}, nil
	case "cryptosign":
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

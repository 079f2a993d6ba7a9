package inbound

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat"
)

// Tenants says whom a message is for. It is asked for each message, so that one
// connection may bring messages for many.
type Tenants interface {
	// Resolve returns the tenant, or an error: [ErrUnknownRecipient] where the
	// message is for nobody it knows, [ErrRefused] where the sender may not send
	// to the tenant. Neither o nor f is to be changed.
	Resolve(ctx context.Context, o *Origin, f *wireformat.Frame) (Tenant, error)
}

// Tenant is whom a message is for.
type Tenant struct {
	Profile *profile.Profile
	// Peer is the key of the sender, as far as the connection has proven it. It
	// counts where the wire format proves no other. Empty: the subject of its
	// certificate, where it has one.
	Peer string
}

// TenantsFunc is a function that is a [Tenants].
type TenantsFunc func(ctx context.Context, o *Origin, f *wireformat.Frame) (Tenant, error)

// Resolve implements [Tenants].
func (t TenantsFunc) Resolve(ctx context.Context, o *Origin, f *wireformat.Frame) (Tenant, error) {
	return t(ctx, o, f)
}

// Fixed has every message for one profile.
func Fixed(p *profile.Profile) Tenants {
	return TenantsFunc(func(context.Context, *Origin, *wireformat.Frame) (Tenant, error) {
		return Tenant{Profile: p}, nil
	})
}

// ByPath finds the profile by the path of the URL, with or without a slash at the
// end.
func ByPath(profiles map[string]*profile.Profile) Tenants {
	byPath := make(map[string]*profile.Profile, len(profiles))
	for path, p := range profiles {
		byPath[strings.Trim(path, "/")] = p
	}
	return TenantsFunc(func(_ context.Context, o *Origin, _ *wireformat.Frame) (Tenant, error) {
		if p := byPath[strings.Trim(o.Path, "/")]; p != nil {
			return Tenant{Profile: p}, nil
		}
		return Tenant{}, ErrUnknownRecipient
	})
}

// Token lets a sender in: who shows Secret is known as Name, and sends to Profile.
type Token struct {
	Name    string
	Secret  transport.Secret
	Profile *profile.Profile
}

// PrefixToken and PrefixCertificate begin the keys of peers that are known by
// their connection, so that they are nobody's key in a wire format.
const (
	PrefixToken       = "token:"
	PrefixCertificate = "x509:"
)

// ByToken finds the profile by the bearer token or API key. Who shows a token that
// is not known is refused; who shows none is not known. How long it takes says
// nothing of the tokens there are.
func ByToken(tokens ...Token) (Tenants, error) {
	byHash := make(map[[sha256.Size]byte]Tenant, len(tokens))
	for i, token := range tokens {
		if token.Name == "" || token.Secret.IsZero() || token.Profile == nil {
			return nil, fmt.Errorf("token %d needs a name, a secret and a profile", i+1)
		}
		hash := sha256.Sum256([]byte(token.Secret.Reveal()))
		if _, taken := byHash[hash]; taken {
			return nil, fmt.Errorf("token %q has the secret of another token", token.Name)
		}
		byHash[hash] = Tenant{Profile: token.Profile, Peer: PrefixToken + token.Name}
	}
	return TenantsFunc(func(_ context.Context, o *Origin, _ *wireformat.Frame) (Tenant, error) {
		if o.Token.IsZero() {
			return Tenant{}, fmt.Errorf("%w: it has no token", ErrUnknownRecipient)
		}
		// What is compared is a hash, of which a guess tells nothing.
		tenant, known := byHash[sha256.Sum256([]byte(o.Token.Reveal()))]
		if !known {
			return Tenant{}, fmt.Errorf("%w: its token is not known", ErrRefused)
		}
		return tenant, nil
	}), nil
}

// ByCertificate finds the profile by the peer's certificate. A nil profile without
// an error is nobody known.
func ByCertificate(lookup func(ctx context.Context, certificate *x509.Certificate) (*profile.Profile, error)) Tenants {
	return TenantsFunc(func(ctx context.Context, o *Origin, _ *wireformat.Frame) (Tenant, error) {
		if o.Certificate == nil {
			return Tenant{}, fmt.Errorf("%w: it has no certificate", ErrUnknownRecipient)
		}
		return found(lookup(ctx, o.Certificate))
	})
}

// ByRecipientKeys finds the profile by the keys that the message is for, which the
// wire format reads from its envelope. A message without such keys is for nobody
// known, and so is one with a nil profile without an error.
func ByRecipientKeys(formats *wireformat.Registry, lookup func(ctx context.Context, keys []string) (*profile.Profile, error)) Tenants {
	return TenantsFunc(func(ctx context.Context, o *Origin, f *wireformat.Frame) (Tenant, error) {
		format, err := formatFor(formats, o.format, nil, f)
		if err != nil {
			return Tenant{}, err
		}
		reader, ok := wireformat.As[wireformat.Recipienter](format)
		if !ok {
			return Tenant{}, fmt.Errorf("%w: the wire format %s has no recipient keys", ErrUnknownRecipient, format.Name())
		}
		keys, err := reader.RecipientKeys(*f)
		if err != nil {
			return Tenant{}, err
		}
		if len(keys) == 0 {
			return Tenant{}, fmt.Errorf("%w: the message has no recipient keys", ErrUnknownRecipient)
		}
		return found(lookup(ctx, keys))
	})
}

func found(p *profile.Profile, err error) (Tenant, error) {
	if err == nil && p == nil {
		err = ErrUnknownRecipient
	}
	return Tenant{Profile: p}, err
}

// FirstOf asks one after the other, until one knows the recipient or fails
// otherwise than by not knowing it.
func FirstOf(all ...Tenants) Tenants {
	return TenantsFunc(func(ctx context.Context, o *Origin, f *wireformat.Frame) (Tenant, error) {
		for _, tenants := range all {
			tenant, err := tenants.Resolve(ctx, o, f)
			if err == nil || !errors.Is(err, ErrUnknownRecipient) {
				return tenant, err
			}
		}
		return Tenant{}, ErrUnknownRecipient
	})
}

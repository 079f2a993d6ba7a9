package inbound_test

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/wireformat"
)

func newProfile(t *testing.T, id string) *profile.Profile {
	t.Helper()
	p, err := profile.New(id, profile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// addressed is a wire format whose frames begin with the recipient's key.
type addressed struct{ wireformat.Raw }

func (*addressed) Name() string         { return "addressed" }
func (*addressed) MediaTypes() []string { return []string{"application/addressed"} }
func (*addressed) RecipientKeys(f wireformat.Frame) ([]string, error) {
	if len(f.Body) == 0 {
		return nil, wireformat.ErrRecipientKeys
	}
	return []string{string(f.Body[:1])}, nil
}

func TestTenants(t *testing.T) {
	t.Parallel()
	a, b := newProfile(t, "a"), newProfile(t, "b")
	byToken, err := inbound.ByToken(
		inbound.Token{Name: "one", Secret: transport.NewSecret("s1"), Profile: a},
		inbound.Token{Name: "two", Secret: transport.NewSecret("s2"), Profile: b})
	send(t, err)
	formats, err := wireformat.NewRegistry(append(wireformat.Builtin(), &addressed{})...)
	send(t, err)
	byKeys := inbound.ByRecipientKeys(formats, func(_ context.Context, keys []string) (*profile.Profile, error) {
		return map[string]*profile.Profile{"A": a, "B": b}[keys[0]], nil
	})
	byCertificate := inbound.ByCertificate(func(_ context.Context, c *x509.Certificate) (*profile.Profile, error) {
		return map[string]*profile.Profile{"a": a}[c.Subject.CommonName], nil
	})
	byPath := inbound.ByPath(map[string]*profile.Profile{"/in/a/": a, "b": b})
	certificate := func(name string) *x509.Certificate {
		c := &x509.Certificate{}
		c.Subject.CommonName = name
		return c
	}
	envelope := func(body string) wireformat.Frame {
		return wireformat.Frame{ContentType: "application/addressed", Body: []byte(body)}
	}
	tests := []struct {
		name    string
		tenants inbound.Tenants
		origin  inbound.Origin
		frame   wireformat.Frame
		want    string
		peer    string
		err     error
	}{
		{name: "fixed", tenants: inbound.Fixed(b), want: "b"},
		{name: "path", tenants: byPath, origin: inbound.Origin{Path: "/in/a"}, want: "a"},
		{name: "path with a slash", tenants: byPath, origin: inbound.Origin{Path: "/b/"}, want: "b"},
		{name: "path below", tenants: byPath, origin: inbound.Origin{Path: "/b/c"}, err: inbound.ErrUnknownRecipient},
		{name: "token", tenants: byToken, origin: inbound.Origin{Token: transport.NewSecret("s2")}, want: "b", peer: "token:two"},
		{name: "wrong token", tenants: byToken, origin: inbound.Origin{Token: transport.NewSecret("s3")}, err: inbound.ErrRefused},
		{name: "no token", tenants: byToken, err: inbound.ErrUnknownRecipient},
		{name: "certificate", tenants: byCertificate, origin: inbound.Origin{Certificate: certificate("a")}, want: "a"},
		{name: "unknown certificate", tenants: byCertificate, origin: inbound.Origin{Certificate: certificate("x")}, err: inbound.ErrUnknownRecipient},
		{name: "no certificate", tenants: byCertificate, err: inbound.ErrUnknownRecipient},
		{name: "recipient keys", tenants: byKeys, frame: envelope("B..."), want: "b"},
		{name: "unknown recipient key", tenants: byKeys, frame: envelope("C..."), err: inbound.ErrUnknownRecipient},
		{name: "unreadable envelope", tenants: byKeys, frame: envelope(""), err: wireformat.ErrRecipientKeys},
		{name: "format without keys", tenants: byKeys, frame: wireformat.Frame{Body: []byte("A")}, err: inbound.ErrUnknownRecipient},
		{name: "JSON has no keys", tenants: byKeys, frame: wireformat.Frame{ContentType: "application/json"}, err: inbound.ErrUnknownRecipient},
		{name: "first of", tenants: inbound.FirstOf(byToken, byPath), origin: inbound.Origin{Path: "b"}, want: "b"},
		{name: "first of, wrong token", tenants: inbound.FirstOf(byToken, inbound.Fixed(a)), origin: inbound.Origin{Token: transport.NewSecret("s3")}, err: inbound.ErrRefused},
		{name: "first of none", tenants: inbound.FirstOf(), err: inbound.ErrUnknownRecipient},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := test.tenants.Resolve(t.Context(), &test.origin, &test.frame)
			if test.err != nil || err != nil {
				if !errors.Is(err, test.err) {
					t.Fatalf("%v, want %v", err, test.err)
				}
				return
			}
			if got.Profile.ID() != test.want || got.Peer != test.peer {
				t.Errorf("%v, %q, want %s, %q", got.Profile, got.Peer, test.want, test.peer)
			}
		})
	}
}

func TestTokensMustDiffer(t *testing.T) {
	t.Parallel()
	a := newProfile(t, "a")
	secret := transport.NewSecret("same")
	if _, err := inbound.ByToken(inbound.Token{Name: "one", Secret: secret, Profile: a}, inbound.Token{Name: "two", Secret: secret, Profile: a}); err == nil {
		t.Error("two tokens with one secret are taken")
	}
	if _, err := inbound.ByToken(inbound.Token{Name: "one", Profile: a}); err == nil {
		t.Error("a token without a secret is taken")
	}
}

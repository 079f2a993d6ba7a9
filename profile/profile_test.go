package profile_test

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

const canary = "s3cr3tcanary"

func newProfile(t *testing.T, id string, options profile.Options) *profile.Profile {
	t.Helper()
	p, err := profile.New(id, options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIDs(t *testing.T) {
	t.Parallel()
	tests := []struct {
		id string
		ok bool
	}{
		{"a", true},
		{"9", true},
		{"tenant-1", true},
		{"did:web:example.com", true},
		{"a.b_c:d-E", true},
		{strings.Repeat("a", 128), true},
		{strings.Repeat("a", 129), false},
		{"", false},
		{"-a", false},
		{".a", false},
		{"_a", false},
		{":a", false},
		{"a b", false},
		{"a/b", false},
		{"a\n", false},
		{"a\x00", false},
		{"ä", false},
		{"a%", false},
	}
	for _, tt := range tests {
		t.Run(tt.id, func(t *testing.T) {
			t.Parallel()
			p, err := profile.New(tt.id, profile.Options{})
			if (err == nil) != tt.ok || (p != nil) != tt.ok {
				t.Fatalf("got %v, %v", p, err)
			}
			if tt.ok && (p.ID() != tt.id || p.Name() != tt.id) {
				t.Errorf("id %q, name %q", p.ID(), p.Name())
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for want, options := range map[string]profile.Options{
		"certificate":                         {TLS: profile.TLS{CertFile: "cert.pem"}},
		"key file":                            {TLS: profile.TLS{KeyFile: "key.pem"}},
		"limits.max_message_bytes":            {Limits: profile.Limits{MaxMessageBytes: -1}},
		"limits.max_messages":                 {Limits: profile.Limits{MaxMessages: -1}},
		"limits.max_bytes":                    {Limits: profile.Limits{MaxBytes: -1}},
		"limits.max_destinations":             {Limits: profile.Limits{MaxDestinations: -1}},
		"limits.max_rate":                     {Limits: profile.Limits{MaxRate: -0.5}},
		"limits.max_rate is":                  {Limits: profile.Limits{MaxRate: math.NaN()}},
		"limits.max_rate is neg":              {Limits: profile.Limits{MaxRate: math.Inf(1)}},
		"limits.burst is negative":            {Limits: profile.Limits{MaxRate: 1, Burst: -1}},
		"limits.burst says":                   {Limits: profile.Limits{Burst: 5}},
		"min_evidence":                        {MinEvidence: transport.Accepted + 1},
		"limits.rate_per_destination is":      {Limits: profile.Limits{RatePerDestination: -1}},
		"rate_per_destination: want at least": {Limits: profile.Limits{RatePerDestination: 1e-6}},
		"limits.burst_per_destination is":     {Limits: profile.Limits{RatePerDestination: 1, BurstPerDestination: -1}},
		"limits.burst_per_destination says":   {Limits: profile.Limits{BurstPerDestination: 1}},
	} {
		p, err := profile.New("tenant", options)
		if p != nil || err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "tenant") {
			t.Errorf("want an error about %s: got %v, %v", want, p, err)
		}
	}
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	options := profile.Options{
		Name:     "Tenant One",
		Settings: map[string]string{"a": "1"},
		Base:     profile.NewSettings(map[string]string{"a": "0", "b": "2"}),
		Secrets:  map[string]transport.Secret{"key": transport.NewSecret(canary)},
		Egress: profile.Egress{
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			AllowPorts:    []uint16{443},
			Proxy:         transport.NewSecret("http://u:" + canary + "@proxy:3128"),
		},
		TLS:        profile.TLS{CertFile: "c", KeyFile: "k", ServerName: "s"},
		Limits:     profile.Limits{MaxMessageBytes: 7, MaxRate: 0.5, Burst: 3},
		Retry:      "acapy",
		WireFormat: "json",

		MinEvidence: transport.Written,
	}
	p := newProfile(t, "t1", options)
	if p.Name() != "Tenant One" || p.String() != "t1 (Tenant One)" || p.Retry() != "acapy" || p.WireFormat() != "json" || p.MinEvidence() != transport.Written {
		t.Errorf("got %v, %q, %q", p, p.Retry(), p.WireFormat())
	}
	if p.TLS() != options.TLS || p.Limits() != options.Limits {
		t.Errorf("got %+v, %+v", p.TLS(), p.Limits())
	}
	if a, b := p.Settings().String("a", ""), p.Settings().String("b", ""); a != "1" || b != "2" {
		t.Errorf("settings %q, %q", a, b)
	}
	if key, ok := p.Secret("key"); !ok || key.Reveal() != canary {
		t.Errorf("secret %q, %v", key.Reveal(), ok)
	}
	if none, ok := p.Secret("other"); ok || !none.IsZero() {
		t.Errorf("a secret that is not there: %q, %v", none.Reveal(), ok)
	}
	if e := p.Egress(); len(e.AllowNetworks) != 1 || len(e.AllowPorts) != 1 || !strings.Contains(e.Proxy.Reveal(), "proxy") {
		t.Errorf("egress %+v", e)
	}
}

func TestProfileKeepsItsOwnCopy(t *testing.T) {
	t.Parallel()
	options := profile.Options{
		Settings: map[string]string{"a": "1"},
		Secrets:  map[string]transport.Secret{"key": transport.NewSecret("1")},
		Egress: profile.Egress{
			AllowNetworks: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
			AllowPorts:    []uint16{443},
		},
	}
	p := newProfile(t, "tenant", options)
	options.Settings["a"] = "2"
	options.Secrets["key"] = transport.NewSecret("2")
	options.Egress.AllowNetworks[0] = netip.MustParsePrefix("0.0.0.0/0")
	options.Egress.AllowPorts[0] = 22
	if got := p.Settings().String("a", ""); got != "1" {
		t.Errorf("the setting became %q", got)
	}
	if key, _ := p.Secret("key"); key.Reveal() != "1" {
		t.Errorf("the secret became %q", key.Reveal())
	}
	if e := p.Egress(); e.AllowNetworks[0].String() != "10.0.0.0/8" || e.AllowPorts[0] != 443 {
		t.Errorf("the egress policy became %+v", e)
	}
}

func TestProfileHidesItsSecrets(t *testing.T) {
	t.Parallel()
	options := profile.Options{
		Secrets: map[string]transport.Secret{"key": transport.NewSecret(canary)},
		Egress:  profile.Egress{Proxy: transport.NewSecret(canary)},
	}
	p := newProfile(t, "tenant", options)
	type hidden struct{ p *profile.Profile }
	for _, value := range []any{p, *p, options, hidden{p}, &hidden{p}, p.Egress(), p.Session(nil)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t"} {
			if got := fmt.Sprintf(verb, value); strings.Contains(got, canary) || strings.Contains(got, fmt.Sprintf("%x", canary)) {
				t.Errorf("%s: a secret shows in %q", verb, got)
			}
		}
	}
}

func TestDefault(t *testing.T) {
	t.Parallel()
	p := profile.Default()
	if p.ID() != profile.DefaultID || p.Name() != profile.DefaultID || p.String() != "default" {
		t.Errorf("got %v", p)
	}
	if len(p.Settings().All()) != 0 || len(p.Egress().AllowNetworks) != 0 || p.TLS().InsecureSkipVerify || p.Retry() != "" || p.WireFormat() != "" {
		t.Errorf("it has %+v", p)
	}
	if _, ok := p.Secret(""); ok {
		t.Error("it has a secret")
	}
}

func FuzzID(f *testing.F) {
	f.Add("tenant-1")
	f.Add("")
	f.Add("a\n")
	f.Fuzz(func(t *testing.T, id string) {
		p, err := profile.New(id, profile.Options{})
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		good := id != "" && len(id) <= 128 && strings.Trim(id, letters+"._:-") == "" && strings.ContainsRune(letters, rune(id[0]))
		if (err == nil) != good {
			t.Errorf("%q: %v, %v", id, p, err)
		}
	})
}

package egress_test

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

var networkInText = regexp.MustCompile(`add ([0-9a-f.:]+/\d+) to the profile's egress.allow_networks, or start with --allow-private`)

func TestCheckEndpointRefusesLiteralsThatAreNotPublic(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255",
		"169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
		"[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[::ffff:a9fe:a9fe]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001::1]",
		"[2001:db8::1]", "[3fff::1]", "[fc00::1]", "[fd00::1]", "[fe80::1]", "[fe80::1%25eth0]", "[::1%25lo]",
		"[fec0::1]", "[ff02::1]", "[5f00::1]", "localhost", "LOCALHOST", "localhost.", "api.localhost",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			to := endpoint(t, "http://"+host+"/inbox")
			err := egress.CheckEndpoint(newProfile(t, profile.Options{}), to)
			var blocked *egress.BlockedError
			if !errors.As(err, &blocked) || !errors.Is(err, egress.ErrBlocked) {
				t.Fatalf("got %v, want a BlockedError", err)
			}
			// What the text says to add must be enough.
			advice := networkInText.FindStringSubmatch(err.Error())
			if advice == nil {
				t.Fatalf("text %q does not say what to add", err)
			}
			if err := egress.CheckEndpoint(newProfile(t, profile.Options{}, advice[1]), to); err != nil {
				t.Errorf("with %s allowed: %v", advice[1], err)
			}
		})
	}
}

func TestCheckEndpointRefusesNumbersThatAreNoAddress(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"2130706433", "0x7f000001", "0X7F.1", "0x7f.0.0.1", "017700000001", "127.1", "127.0.1", "127.0.0.01",
		"127.0.0.1.", "0177.0.0.1", "1.2.3.4.5", "example.0x7f", "example.1", "0x", "256.256.256.256",
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			p := newProfile(t, profile.Options{}, "0.0.0.0/0", "::/0")
			err := egress.CheckEndpoint(p, endpoint(t, "http://"+host+"/"))
			if !errors.Is(err, egress.ErrBlocked) || !strings.Contains(err.Error(), "four decimal numbers") {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckEndpointAllows(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		uri      string
		networks []string
		ports    []uint16
	}{
		"name":                       {uri: "https://example.com/inbox"},
		"name with digits":           {uri: "https://a1.example.com2/"},
		"name outside ASCII":         {uri: "https://bücher.example/"},
		"public IPv4":                {uri: "http://93.184.216.34/"},
		"public IPv6":                {uri: "http://[2606:2800:220:1::1]/"},
		"allowed loopback":           {uri: "http://127.0.0.1:8080/", networks: []string{"127.0.0.0/8"}},
		"allowed loopback, mapped":   {uri: "http://[::ffff:127.0.0.1]/", networks: []string{"127.0.0.0/8"}},
		"allowed as a mapped prefix": {uri: "http://127.0.0.1/", networks: []string{"::ffff:127.0.0.0/104"}},
		"allowed localhost, IPv6":    {uri: "http://localhost/", networks: []string{"::1/128"}},
		"allowed with a zone":        {uri: "http://[fe80::1%25eth0]/", networks: []string{"fe80::/10"}},
		"allowed port":               {uri: "https://example.com/", ports: []uint16{443}},
		"allowed written port":       {uri: "amqp://example.com:5672/q", ports: []uint16{5672}},
		"scheme without a port":      {uri: "mem://example.com/", ports: []uint16{443}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProfile(t, profile.Options{Egress: profile.Egress{AllowPorts: test.ports}}, test.networks...)
			if err := egress.CheckEndpoint(p, endpoint(t, test.uri)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCheckEndpointRefuses(t *testing.T) {
	t.Parallel()
	proxied := profile.Egress{Proxy: secret("http://proxy.example:3128")}
	for name, test := range map[string]struct {
		uri    string
		egress profile.Egress
		want   string
	}{
		"port":               {"https://example.com/", profile.Egress{AllowPorts: []uint16{80}}, "add 443 to them"},
		"literal to a proxy": {"http://127.0.0.1/", proxied, "loopback"},
		"number to a proxy":  {"http://2130706433/", proxied, "four decimal numbers"},
		"full-width digits":  {"http://１２７.０.０.１/", proxied, "xn--"},
		"more than a name":   {"http://127.0.0.1;x/", proxied, "no host name has"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newProfile(t, profile.Options{Egress: test.egress})
			err := egress.CheckEndpoint(p, endpoint(t, test.uri))
			if !errors.Is(err, egress.ErrBlocked) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want it to say %q", err, test.want)
			}
		})
	}
}

// FuzzCheckEndpoint: whatever net/url lets through, nothing that Go would dial
// as an address without DNS passes, unless the address is public.
func FuzzCheckEndpoint(f *testing.F) {
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:10.0.0.1]", "0x7f.1", "localhost", "[fe80::1%25a]", "a.b", "１.0.0.1"} {
		f.Add(host)
	}
	p := newProfile(f, profile.Options{})
	private := netip.MustParsePrefix("127.0.0.0/8")
	f.Fuzz(func(t *testing.T, host string) {
		e, err := parseEndpoint("http://" + host + "/")
		if err != nil {
			return
		}
		if egress.CheckEndpoint(p, e) != nil {
			return
		}
		addr, err := netip.ParseAddr(e.Host())
		if err == nil && (private.Contains(addr.Unmap()) || addr.IsPrivate() || addr.IsLoopback() || addr.Is4In6() && addr.Unmap().IsPrivate()) {
			t.Errorf("%q passed", e.Host())
		}
	})
}

func TestCheckEndpointRefusesNoEndpoint(t *testing.T) {
	t.Parallel()
	if err := egress.CheckEndpoint(profile.Default(), transport.Endpoint{}); !errors.Is(err, egress.ErrBlocked) {
		t.Errorf("got %v", err)
	}
}

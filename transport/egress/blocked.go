package egress

import (
	"errors"
	"net/netip"
	"strings"

	"code.dny.dev/ssrf"
)

// ErrBlocked is the kind of every [*BlockedError].
var ErrBlocked = errors.New("blocked by the egress policy")

// BlockedError says what the profile's egress policy refused, and why.
type BlockedError struct {
	Host   string // as it was to be dialled: an address, or a name
	Reason string // "is a loopback address"
	Allow  string // what to do to allow it; empty where nothing helps
}

// Error returns the host, the reason and the remedy.
func (e *BlockedError) Error() string {
	var b strings.Builder
	b.WriteString(e.Host)
	if e.Host != "" {
		b.WriteByte(' ')
	}
	b.WriteString(e.Reason)
	if e.Allow != "" {
		b.WriteString(": " + e.Allow)
	}
	return b.String()
}

// Unwrap returns ErrBlocked.
func (e *BlockedError) Unwrap() error { return ErrBlocked }

// blockedAddress names the network to allow: the registered one around the
// address, so that one line in the profile is enough.
func blockedAddress(host string, addr netip.Addr) *BlockedError {
	network, kind := networkOf(addr)
	return &BlockedError{
		Host:   host,
		Reason: "is " + kind + ", not a public address",
		Allow:  "add " + network.String() + " to the profile's egress.allow_networks, or start with --allow-private",
	}
}

// kinds names the networks that people meet; the rest are "a reserved address".
var kinds = map[string]string{
	"0.0.0.0/8":       "an address of this host",
	"10.0.0.0/8":      "a private address",
	"100.64.0.0/10":   "a carrier NAT address",
	"127.0.0.0/8":     "a loopback address",
	"169.254.0.0/16":  "a link-local address",
	"172.16.0.0/12":   "a private address",
	"192.168.0.0/16":  "a private address",
	"198.18.0.0/15":   "a benchmarking address",
	"192.0.2.0/24":    "a documentation address",
	"198.51.100.0/24": "a documentation address",
	"203.0.113.0/24":  "a documentation address",
	"224.0.0.0/4":     "a multicast address",
	"::/128":          "an address of this host",
	"::1/128":         "a loopback address",
	"64:ff9b::/96":    "a NAT64 address",
	"64:ff9b:1::/48":  "a NAT64 address",
	"2001:db8::/32":   "a documentation address",
	"3fff::/20":       "a documentation address",
	"2002::/16":       "a 6to4 address",
	"fc00::/7":        "a private address",
	"fe80::/10":       "a link-local address",
	"fec0::/10":       "a site-local address",
	"ff00::/8":        "a multicast address",
}

// outsideGlobal are the networks outside 2000::/3 that have a name; the guard
// refuses everything there without listing it.
var outsideGlobal = []netip.Prefix{
	netip.MustParsePrefix("::/128"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("fc00::/7"),
	netip.MustParsePrefix("fe80::/10"),
	netip.MustParsePrefix("fec0::/10"),
	netip.MustParsePrefix("ff00::/8"),
}

// networkOf returns the registered network around an address that is not public,
// or the address alone where there is none.
func networkOf(addr netip.Addr) (network netip.Prefix, kind string) {
	for _, list := range [][]netip.Prefix{ssrf.IPv4DeniedPrefixes, ssrf.IPv6DeniedPrefixes, outsideGlobal} {
		for _, p := range list {
			if p.Contains(addr) {
				network = p
				break
			}
		}
	}
	if !network.IsValid() {
		network = netip.PrefixFrom(addr, addr.BitLen())
	}
	if kind = kinds[network.String()]; kind == "" {
		kind = "a reserved address"
	}
	return network, kind
}

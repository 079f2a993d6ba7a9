package egress

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"code.dny.dev/ssrf"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// CheckEndpoint reports whether p's policy can ever let a connection to e
// through: e's port, and e's host where it is a literal address or a name of
// this machine. It looks nothing up. An endpoint without a host is refused. The
// error is a [*BlockedError].
//
// [Dialer.CheckEndpoint] does the same without preparing the policy each time.
func CheckEndpoint(p *profile.Profile, e transport.Endpoint) error {
	return newGuard(p.Egress()).hostPort(e.Host(), e.Port())
}

// guard is a profile's egress policy.
type guard struct {
	guardian *ssrf.Guardian // for the address
	ports    []uint16       // empty: any
	proxied  bool           // names are resolved by a proxy, out of the guard's sight
}

func newGuard(e profile.Egress) guard {
	var v4, v6 []netip.Prefix
	for _, network := range e.AllowNetworks {
		network = unmapPrefix(network)
		if network.Addr().Is4() {
			v4 = append(v4, network)
		} else {
			v6 = append(v6, network)
		}
	}
	return guard{
		guardian: ssrf.New(ssrf.WithAnyPort(), ssrf.WithAllowedV4Prefixes(v4...), ssrf.WithAllowedV6Prefixes(v6...)),
		ports:    e.AllowPorts,
		proxied:  !e.Proxy.IsZero(),
	}
}

// unmapPrefix turns ::ffff:a.b.c.d/n into the IPv4 network that it means, since
// that is the form in which addresses are checked.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// control is asked about each address just before a socket connects to it.
func (g guard) control(network, address string) error {
	if network != "tcp4" && network != "tcp6" {
		return &BlockedError{Host: address, Reason: "is to be reached over " + network + ", not over TCP"}
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &BlockedError{Host: address, Reason: "is not an IP address and a port"}
	}
	if err := g.port(at.Addr().String(), at.Port()); err != nil {
		return err
	}
	return g.address(at.Addr().String(), at.Addr())
}

// hostPort checks what can be checked without DNS. An empty port is not checked.
func (g guard) hostPort(host, port string) error {
	if host == "" {
		return &BlockedError{Host: "endpoint", Reason: "has no host", Allow: "name the host to connect to"}
	}
	if port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return &BlockedError{Host: host, Reason: "has a port that is not between 1 and 65535"}
		}
		if err := g.port(host, uint16(number)); err != nil {
			return err
		}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return g.address(host, addr)
	}
	return g.name(host)
}

func (g guard) port(host string, port uint16) error {
	if len(g.ports) == 0 || slices.Contains(g.ports, port) {
		return nil
	}
	text := strconv.Itoa(int(port))
	return &BlockedError{
		Host:   host,
		Reason: "is to be reached over port " + text + ", which is not one of the profile's egress.allow_ports",
		Allow:  "add " + text + " to them",
	}
}

// address checks an address in any of its forms: mapped ones count as the IPv4
// address they mean, and a zone changes nothing.
func (g guard) address(host string, addr netip.Addr) error {
	addr = addr.Unmap().WithZone("")
	if g.guardian.SafeAddr(addr) == nil {
		return nil
	}
	return blockedAddress(host, addr)
}

// name checks a host that is not an address.
func (g guard) name(host string) error {
	last := lastLabel(host)
	switch {
	case isNumber(last):
		return &BlockedError{
			Host:   host,
			Reason: "ends in a number but is not an IP address",
			Allow:  "write an IPv4 address as four decimal numbers without leading zeros",
		}
	case strings.EqualFold(last, "localhost") && !g.loopback():
		return blockedAddress(host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	case g.proxied && strings.ContainsFunc(host, isNotOfName):
		// A proxy may read full-width digits as an address, or take "127.0.0.1;x" for
		// what it begins with, and behind it there is no guard. Dialled from here they
		// meet the guard as what they turn into.
		return &BlockedError{
			Host:   host,
			Reason: "has characters that no host name has and goes to a proxy",
			Allow:  "write the name in its xn-- form",
		}
	}
	return nil
}

// isNotOfName reports a character that names in DNS do not have.
func isNotOfName(r rune) bool {
	letter := r|0x20 >= 'a' && r|0x20 <= 'z'
	return !letter && (r < '0' || r > '9') && r != '-' && r != '.' && r != '_'
}

// loopback reports whether any loopback address may be dialled.
func (g guard) loopback() bool {
	return g.guardian.SafeAddr(netip.AddrFrom4([4]byte{127, 0, 0, 1})) == nil ||
		g.guardian.SafeAddr(netip.IPv6Loopback()) == nil
}

func lastLabel(host string) string {
	host = strings.TrimSuffix(host, ".")
	return host[strings.LastIndexByte(host, '.')+1:]
}

// isNumber reports a decimal or hexadecimal number. Browsers, C libraries and
// proxies read a host that ends in one as an IPv4 address (WHATWG URL,
// "ends in a number"); Go looks it up as a name.
func isNumber(label string) bool {
	if label == "" {
		return false
	}
	digits, hex := strings.CutPrefix(strings.ToLower(label), "0x")
	return !strings.ContainsFunc(digits, func(r rune) bool {
		return (r < '0' || r > '9') && (!hex || r < 'a' || r > 'f')
	})
}

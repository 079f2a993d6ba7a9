// Package egress is the one way out: every transport dials through a [Dialer],
// which holds a profile's connections to where the profile may go.
//
// # Policy
//
// Only public addresses are reachable, over any port. A profile's
// egress.allow_networks opens more networks, its egress.allow_ports leaves only
// those ports. The check is made when the socket is about to connect, on the
// address that DNS gave for it, so a name that changes its mind between two
// look-ups gains nothing. Loopback, private and link-local networks, carrier
// NAT, the documentation and reserved ranges, and every IPv6 form that hides an
// IPv4 address (mapped, NAT64, 6to4, Teredo) count as not public.
//
// [Dialer.CheckEndpoint] makes the part of the check that needs no DNS, so that
// a message that can never be delivered is refused when it is accepted. A host
// that ends in a number without being an address (2130706433, 0x7f.1) is
// refused too: some resolvers read it as one.
//
// # Proxy
//
// A proxy is used only when the profile names one, never from the environment.
// Its address is dialled as the operator wrote it, without the guard, and the
// proxy resolves the names: what is reachable by name is then its decision.
// Endpoints with a literal address are still checked here. [Dialer.Connect] and
// [Dialer.ConnectTLS] make a tunnel for protocols that have no proxies of their own.
//
// # TLS
//
// TLS 1.2 or later, the system's roots or the profile's CA file, the profile's
// client certificate, which is read again when its file changes.
//
// # Concurrency
//
// A Dialer is safe for concurrent use and starts no goroutines of its own.
//
// # Errors
//
// What the policy refuses is a [*BlockedError], errors.Is [ErrBlocked], and its
// text says what to add to allow it. Whatever else fails before a connection is
// up is a [*DialError]. [Classify] gives the class and a code for both. No text
// holds a secret.
package egress

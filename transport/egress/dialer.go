package egress

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// Dialer makes the connections of one profile. Make one with [New].
type Dialer struct {
	options Options
	guard   guard
	guarded net.Dialer // for endpoints
	trusted net.Dialer // for the operator's proxy
	tls     tlsFiles
	proxy   *url.URL
}

// New returns a dialer that holds to p's egress policy. It opens nothing: files
// are read when they are needed first. The error names what is wrong in the
// options or in the profile's proxy.
func New(p *profile.Profile, options Options) (*Dialer, error) {
	if err := options.validate(); err != nil {
		return nil, fmt.Errorf("egress options: %w", err)
	}
	proxy, err := parseProxy(p.Egress().Proxy)
	if err != nil {
		return nil, fmt.Errorf("profile %s: %w", p.ID(), err)
	}
	d := &Dialer{
		options: options.withDefaults(),
		guard:   newGuard(p.Egress()),
		proxy:   proxy,
	}
	d.tls = newTLSFiles(p.TLS())
	d.guarded, d.trusted = d.netDialer(d.guard.control), d.netDialer(nil)
	return d, nil
}

// netDialer returns a dialer that asks check about every address it connects to.
func (d *Dialer) netDialer(check func(network, address string) error) net.Dialer {
	return net.Dialer{
		Timeout:         d.options.DialTimeout,
		KeepAliveConfig: d.options.KeepAlive,
		Resolver:        d.options.Resolver,
		ControlContext: func(ctx context.Context, network, address string, c syscall.RawConn) error {
			if clock, ok := ctx.Value(clockKey{}).(*dialClock); ok {
				clock.resolved()
			}
			if check != nil {
				if err := check(network, address); err != nil {
					return err
				}
			}
			return setUserTimeout(c, d.options.UserTimeout)
		},
	}
}

// CheckEndpoint is [CheckEndpoint] for the dialer's profile. It looks nothing up
// and is cheap enough for every message.
func (d *Dialer) CheckEndpoint(e transport.Endpoint) error {
	return d.guard.hostPort(e.Host(), e.Port())
}

// DialContext connects to addr, a host and a port, over TCP. network is "tcp",
// "tcp4" or "tcp6". ctx and Options.DialTimeout bound it. The error is a
// [*DialError], with a [*BlockedError] in it where the policy refused.
func (d *Dialer) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := d.checkAddress(addr); err != nil {
		return nil, err
	}
	return d.dial(ctx, &d.guarded, network, addr)
}

// checkAddress makes the part of the check that needs no DNS.
func (d *Dialer) checkAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		err = d.guard.hostPort(host, port)
	}
	if err != nil {
		return &DialError{Address: addr, Phase: PhaseConnect, Err: err}
	}
	return nil
}

// DialTLS connects to addr as DialContext does, and makes the TLS handshake as
// [Dialer.TLSConfig] says. protocols are offered to the peer by ALPN, the best
// one first.
func (d *Dialer) DialTLS(ctx context.Context, network, addr string, protocols ...string) (*tls.Conn, error) {
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return d.Handshake(ctx, conn, addr, protocols...)
}

// Handshake makes the TLS handshake over conn, which is connected to addr, a
// host and a port. ctx and Options.HandshakeTimeout bound it. When it fails, conn
// is closed, and the error is a [*DialError].
func (d *Dialer) Handshake(ctx context.Context, conn net.Conn, addr string, protocols ...string) (*tls.Conn, error) {
	secured, err := d.handshake(ctx, conn, addr, protocols)
	if err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, &DialError{Address: addr, Phase: PhaseTLS, Err: err}
	}
	return secured, nil
}

func (d *Dialer) handshake(ctx context.Context, conn net.Conn, addr string, protocols []string) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	config, err := d.TLSConfig(host)
	if err != nil {
		return nil, err
	}
	config.NextProtos = protocols
	ctx, cancel := context.WithTimeout(ctx, d.options.HandshakeTimeout)
	defer cancel()
	secured := tls.Client(conn, config)
	began := time.Now()
	err = secured.HandshakeContext(ctx)
	d.options.Observe(PhaseTLS, time.Since(began))
	if err != nil {
		return nil, err
	}
	return secured, nil
}

// dial connects, and tells Observe how long the look-up and the connecting took.
func (d *Dialer) dial(ctx context.Context, dialer *net.Dialer, network, addr string) (net.Conn, error) {
	clock := &dialClock{began: time.Now()}
	conn, err := dialer.DialContext(context.WithValue(ctx, clockKey{}, clock), network, addr)
	d.observe(clock, addr)
	if err != nil {
		return nil, newDialError(addr, err)
	}
	return conn, nil
}

func (d *Dialer) observe(clock *dialClock, addr string) {
	total, dns := time.Since(clock.began), time.Duration(clock.dns.Load())
	if host, _, _ := net.SplitHostPort(addr); !isLiteral(host) {
		if dns == 0 { // no address was ever tried
			d.options.Observe(PhaseDNS, total)
			return
		}
		d.options.Observe(PhaseDNS, dns)
	}
	d.options.Observe(PhaseConnect, total-dns)
}

func isLiteral(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// dialClock notes when the first address was known: the look-up has ended then,
// although net.Dialer does not tell.
type dialClock struct {
	began time.Time
	dns   atomic.Int64
}

type clockKey struct{}

// resolved may be called by two attempts at once, one for each address family.
func (c *dialClock) resolved() {
	c.dns.CompareAndSwap(0, max(1, int64(time.Since(c.began))))
}

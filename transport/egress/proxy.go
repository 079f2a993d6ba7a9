package egress

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/outrider-go/outrider/transport"
)

// parseProxy reads a profile's proxy. Its errors do not repeat the text, which
// may hold a password.
func parseProxy(text transport.Secret) (*url.URL, error) {
	if text.IsZero() {
		return nil, nil
	}
	u, err := url.Parse(text.Reveal())
	if err != nil {
		return nil, errors.New("egress.proxy is not a URL: write it as http://user:password@host:port")
	}
	if u.Scheme != "http" {
		return nil, fmt.Errorf("egress.proxy has the scheme %q: only http is supported", u.Scheme)
	}
	if u.Hostname() == "" {
		return nil, errors.New("egress.proxy has no host: write it as http://user:password@host:port")
	}
	return u, nil
}

// Proxy returns a copy of the profile's proxy, nil for none. It carries the
// proxy's user and password.
func (d *Dialer) Proxy() *url.URL {
	if d.proxy == nil {
		return nil
	}
	proxy := *d.proxy
	return &proxy
}

// proxyAddress is the host and port to dial for the proxy.
func (d *Dialer) proxyAddress() string {
	return net.JoinHostPort(d.proxy.Hostname(), cmp.Or(d.proxy.Port(), "80"))
}

// DialProxy connects to addr as DialContext does, without the guard, since the
// operator chose the proxy. Any other address than the proxy's is refused.
func (d *Dialer) DialProxy(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.proxy == nil || addr != d.proxyAddress() {
		return nil, &DialError{Address: addr, Phase: PhaseConnect,
			Err: &BlockedError{Host: addr, Reason: "is not the profile's proxy"}}
	}
	return d.dial(ctx, &d.trusted, network, addr)
}

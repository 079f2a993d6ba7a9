package egress

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/httprules"
)

// maxProxyAnswer bounds a proxy's answer to CONNECT, in bytes.
const maxProxyAnswer = 16 << 10

// ProxyError says that the profile's proxy does not connect to where it was asked
// to. No text of it is the proxy's.
type ProxyError struct{ Status int } // 0: it did not answer as a proxy does

// Error says what the proxy answered.
func (e *ProxyError) Error() string {
	if e.Status == 0 {
		return "the profile's proxy did not answer CONNECT as it must"
	}
	return fmt.Sprintf("the profile's proxy answered %d %s", e.Status, strings.ToLower(http.StatusText(e.Status)))
}

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

// Connect connects to addr, a host and a port, as the profile does: through a
// tunnel of its proxy where it has one (RFC 9110 section 9.3.6), else as DialContext
// does. Options.HandshakeTimeout bounds the proxy's answer. The error is a
// [*DialError], with a [*ProxyError] in it where the proxy refused.
func (d *Dialer) Connect(ctx context.Context, network, addr string) (net.Conn, error) {
	if d.proxy == nil {
		return d.DialContext(ctx, network, addr)
	}
	if err := d.checkAddress(addr); err != nil { // the proxy would connect to what the guard cannot see
		return nil, err
	}
	conn, err := d.DialProxy(ctx, network, d.proxyAddress())
	if err != nil {
		return nil, err
	}
	if err := d.tunnel(ctx, conn, addr); err != nil {
		_ = conn.Close() // err says more
		return nil, &DialError{Address: addr, Phase: PhaseConnect, Err: err}
	}
	return conn, nil
}

// ConnectTLS connects to addr as Connect does, and makes the TLS handshake with the
// peer there, as [Dialer.Handshake] does. The connection is a [*tls.Conn].
func (d *Dialer) ConnectTLS(ctx context.Context, network, addr string, protocols ...string) (net.Conn, error) {
	conn, err := d.Connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	secured, err := d.Handshake(ctx, conn, addr, protocols...)
	if err != nil {
		return nil, err // not a nil *tls.Conn in an interface
	}
	return secured, nil
}

// tunnel has the proxy at the other end of conn connect to addr.
func (d *Dialer) tunnel(ctx context.Context, conn net.Conn, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, d.options.HandshakeTimeout)
	defer cancel()
	release := transport.AfterCancel(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err := askProxy(conn, d.proxy.User, addr)
	release()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func askProxy(conn net.Conn, user *url.Userinfo, addr string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if user != nil {
		request.Header.Set("Proxy-Authorization", httprules.BasicAuth(user))
	}
	if err := request.Write(conn); err != nil {
		return &ProxyError{}
	}
	answer := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(answer, request) //nolint:bodyclose // what follows is the tunnel, or the end of the connection
	switch {
	case err != nil:
		return &ProxyError{}
	case resp.StatusCode != http.StatusOK:
		return &ProxyError{resp.StatusCode}
	case answer.Buffered() > 0: // in the protocols we speak, who is dialled waits to be spoken to
		return &ProxyError{}
	}
	return nil
}

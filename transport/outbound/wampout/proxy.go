package wampout

import (
	"bufio"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/outrider-go/outrider/transport/egress"
)

// maxProxyAnswer bounds a proxy's answer, in bytes.
const maxProxyAnswer = 16 << 10

// proxyError says that the profile's proxy does not connect to the router.
type proxyError struct{ status int } // 0: it did not answer as a proxy does

func (e *proxyError) Error() string {
	if e.status == 0 {
		return "the profile's proxy gives no answer to CONNECT that can be used"
	}
	return fmt.Sprintf("the profile's proxy refuses to connect: status %d", e.status)
}

// connect connects to a router: directly, or through the profile's proxy, and with
// TLS where the router's URL says so.
func connect(ctx context.Context, d *egress.Dialer, secured bool, network, address string) (net.Conn, error) {
	dial := d.DialContext
	if d.Proxy() != nil {
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			return viaProxy(ctx, d, network, address)
		}
	}
	conn, err := dial(ctx, network, address)
	if err != nil || !secured {
		return conn, err
	}
	encrypted, err := d.Handshake(ctx, conn, address, "http/1.1")
	if err != nil {
		return nil, err // not a nil *tls.Conn in an interface
	}
	return encrypted, nil
}

// viaProxy opens a tunnel (RFC 9110 section 9.3.6).
func viaProxy(ctx context.Context, d *egress.Dialer, network, address string) (net.Conn, error) {
	proxy := d.Proxy()
	conn, err := d.DialProxy(ctx, network, net.JoinHostPort(proxy.Hostname(), cmp.Or(proxy.Port(), "80")))
	if err != nil {
		return nil, err
	}
	detach := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	err = askProxy(conn, proxy.User, address)
	if !detach() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close() // err says more
		return nil, err
	}
	return conn, nil
}

func askProxy(conn net.Conn, user *url.Userinfo, address string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: address}, Host: address, Header: http.Header{}}
	if user != nil {
		password, _ := user.Password()
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	if err := request.Write(conn); err != nil {
		return &proxyError{}
	}
	// A router says nothing before it is asked, so that what is buffered beyond the
	// answer is no part of it.
	answer := bufio.NewReader(io.LimitReader(conn, maxProxyAnswer))
	resp, err := http.ReadResponse(answer, request) //nolint:bodyclose // an answer to CONNECT has none
	switch {
	case err != nil, answer.Buffered() > 0:
		return &proxyError{}
	case resp.StatusCode != http.StatusOK:
		return &proxyError{resp.StatusCode}
	}
	return nil
}

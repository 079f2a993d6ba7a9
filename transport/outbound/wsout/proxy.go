package wsout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/httprules"
)

// proxyError is a proxy's refusal to connect to the endpoint.
type proxyError struct{ status int }

func (e *proxyError) Error() string {
	if e.status == 0 {
		return "the profile's proxy did not answer CONNECT as it must"
	}
	return fmt.Sprintf("the profile's proxy answered %d %s", e.status, strings.ToLower(http.StatusText(e.status)))
}

// dialProxy has the profile's proxy connect to addr (RFC 9110 section 9.3.6).
func dialProxy(ctx context.Context, d *egress.Dialer, network, addr string) (net.Conn, error) {
	proxy := d.Proxy()
	proxyPort := proxy.Port()
	if proxyPort == "" {
		proxyPort = "80"
	}
	conn, err := d.DialProxy(ctx, network, net.JoinHostPort(proxy.Hostname(), proxyPort))
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	if err := tunnel(ctx, conn, proxy, addr); err != nil {
		_ = conn.Close() // the error says more
		return nil, err
	}
	return conn, nil
}

// tunnel asks the proxy at the other end of conn for a connection to addr.
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, addr string) error {
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			return err
		}
	}
	request := http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: http.Header{}}
	if proxy.User != nil {
		request.Header.Set("Proxy-Authorization", httprules.BasicAuth(proxy.User))
	}
	if err := request.Write(conn); err != nil {
		return &proxyError{}
	}
	in := bufio.NewReader(io.LimitReader(conn, maxAnswerBytes))
	resp, err := http.ReadResponse(in, &request) //nolint:bodyclose // what follows is the tunnel, or the end of the connection
	if err != nil {
		return &proxyError{}
	}
	if resp.StatusCode != http.StatusOK {
		return &proxyError{resp.StatusCode}
	}
	if in.Buffered() > 0 { // the peer waits for the handshake
		return &proxyError{}
	}
	return conn.SetDeadline(time.Time{})
}

func isReset(err error) bool {
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

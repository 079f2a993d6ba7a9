package egress_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
)

func TestProxyIsDialledWithoutTheGuard(t *testing.T) {
	t.Parallel()
	addr, accepted := listen(t)
	d := newDialer(t, newProfile(t, profile.Options{Egress: profile.Egress{Proxy: secret("http://user:hunter2@" + addr)}}), egress.Options{})
	conn, err := d.DialProxy(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	hangUp(t, conn)
	if _, err := d.DialProxy(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, egress.ErrBlocked) {
		t.Errorf("another address: got %v", err)
	}
	if _, err := d.DialContext(t.Context(), "tcp", addr); !errors.Is(err, egress.ErrBlocked) {
		t.Errorf("the proxy's address as an endpoint: got %v", err)
	}
	if got := accepted(); got != 1 {
		t.Errorf("%d connections arrived, want 1", got)
	}
}

func TestProxyErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	for _, proxy := range []string{
		"http://user:hunter2@host:bad", "socks5://user:hunter2@host:1", "http://user:hunter2@", "://user:hunter2@host", "hunter2",
	} {
		p := newProfile(t, profile.Options{Egress: profile.Egress{Proxy: secret(proxy)}})
		_, err := egress.New(p, egress.Options{})
		if err == nil || !strings.Contains(err.Error(), "egress.proxy") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("got %v", err)
		}
	}
}

func TestProxyDefaultsItsPort(t *testing.T) {
	t.Parallel()
	for proxy, addr := range map[string]string{"http://127.0.0.1": "127.0.0.1:80", "http://[::1]": "[::1]:80"} {
		p := newProfile(t, profile.Options{Egress: profile.Egress{Proxy: secret(proxy)}})
		d := newDialer(t, p, egress.Options{})
		conn, err := d.DialProxy(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		if errors.Is(err, egress.ErrBlocked) {
			t.Errorf("%s: %v", proxy, err)
		}
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	if got := newDialer(t, profile.Default(), egress.Options{}).Proxy(); got != nil {
		t.Errorf("proxy %v", got)
	}
}

// TestConnectThroughAProxy: the tunnel is asked for with the proxy's own credentials,
// what the guard rules out is not asked for, and a proxy that says nothing is given up.
func TestConnectThroughAProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, addr, answer, code string
		status                   int
	}{
		{name: "opens", addr: "peer.example:443", answer: "HTTP/1.1 200 OK\r\n\r\n"},
		{name: "refuses", addr: "peer.example:443", answer: "HTTP/1.1 407 hunter2\r\n\r\n", code: egress.CodeProxy, status: 407},
		{name: "hangs up", addr: "peer.example:443", answer: "HTTP", code: egress.CodeProxy},
		{name: "is silent", addr: "peer.example:443", code: "dial_timeout"},
		{name: "is not asked", addr: "10.0.0.1:443", code: egress.CodeBlocked},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			asked, hungUp := make(chan string, 1), make(chan struct{})
			proxy := fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
				defer close(hungUp)
				if request, err := http.ReadRequest(in); err == nil {
					asked <- request.Method + " " + request.Host + " " + request.Header.Get("Proxy-Authorization")
				}
				_, _ = io.WriteString(conn, test.answer)
				if test.answer == "" || test.code == "" {
					_, _ = io.Copy(conn, in) // an echo
				}
			})
			p := newProfile(t, profile.Options{Egress: profile.Egress{Proxy: secret("http://user:hunter2@" + proxy)}})
			d := newDialer(t, p, egress.Options{HandshakeTimeout: 500 * time.Millisecond})
			conn, err := d.Connect(t.Context(), "tcp", test.addr)
			if test.code != "" {
				refused, _ := errors.AsType[*egress.ProxyError](err)
				if _, code := egress.Classify(err); code != test.code || strings.Contains(err.Error(), "hunter2") || test.status != 0 && refused.Status != test.status {
					t.Errorf("got %v, code %s", err, code)
				}
				if test.code != egress.CodeBlocked {
					<-hungUp
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = conn.Close() }()
			if got, want := <-asked, "CONNECT peer.example:443 Basic dXNlcjpodW50ZXIy"; got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
			_, _ = io.WriteString(conn, "through")
			echo := make([]byte, len("through"))
			if _, err := io.ReadFull(conn, echo); err != nil || string(echo) != "through" {
				t.Errorf("got %q, %v", echo, err)
			}
		})
	}
}

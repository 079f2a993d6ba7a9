package egress_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
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
// and what the guard rules out is not asked for.
func TestConnectThroughAProxy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, addr, answer, code string
		status                   int
	}{
		{name: "opens", addr: "peer.example:443", answer: egresstest.OpenTunnel},
		{name: "refuses", addr: "peer.example:443", answer: "HTTP/1.1 407 hunter2\r\n\r\n", code: egress.CodeProxy, status: 407},
		{name: "hangs up", addr: "peer.example:443", answer: "HTTP", code: egress.CodeProxy},
		{name: "is not asked", addr: "10.0.0.1:443", answer: egresstest.OpenTunnel, code: egress.CodeBlocked},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			peer, accepted := listen(t)
			proxy := egresstest.NewProxy(t, test.answer, peer)
			d := newDialer(t, newProfile(t, profile.Options{Egress: profile.Egress{Proxy: proxy.URL}}), egress.Options{})
			conn, err := d.Connect(t.Context(), "tcp", test.addr)
			if test.code != "" {
				refused, _ := errors.AsType[*egress.ProxyError](err)
				if _, code := egress.Classify(err); code != test.code || strings.Contains(err.Error(), "hunter2") || test.status != 0 && refused.Status != test.status {
					t.Errorf("got %v, code %s", err, code)
				}
				if got := accepted(); got != 0 {
					t.Errorf("%d connections arrived", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			asked := <-proxy.Asked
			if got, want := asked.Method+" "+asked.Host+" "+asked.Header.Get("Proxy-Authorization"), "CONNECT peer.example:443 Basic dXNlcjpodW50ZXIy"; got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
			hangUp(t, conn)
			if got := accepted(); got != 1 {
				t.Errorf("%d connections arrived, want 1", got)
			}
		})
	}
}

// TestConnectThroughASilentProxy: a proxy that says nothing is given up.
func TestConnectThroughASilentProxy(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	p := newProfile(t, profile.Options{Egress: profile.Egress{Proxy: secret("http://" + listener.Addr().String())}})
	_, err = newDialer(t, p, egress.Options{HandshakeTimeout: time.Millisecond}).Connect(t.Context(), "tcp", "peer.example:443")
	if _, code := egress.Classify(err); code != "dial_timeout" {
		t.Errorf("classified as %s: %v", code, err)
	}
}

package egress_test

import (
	"errors"
	"strings"
	"testing"

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

package wamp2_test

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"time"

	"github.com/outrider-go/outrider/transport/wamp2"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
)

// dial connects to loopback routers without a guard.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, network, address)
}

// dialTLS trusts a router with TLS.
func dialTLS(r *wamptest.Router) wamp2.Dial {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		dialer := tls.Dialer{Config: &tls.Config{RootCAs: r.Roots(), MinVersion: tls.VersionTLS13}}
		return dialer.DialContext(ctx, network, address)
	}
}

func join(t *testing.T, r *wamptest.Router, options wamp2.Options) *wamp2.Session {
	t.Helper()
	s, err := wamp2.Join(t.Context(), dial, r.URL(), wamptest.Realm, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// soon bounds what must happen.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// next returns what a channel has soon.
func next[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-soon(t).Done():
		t.Fatal("nothing came")
	}
	var none T
	return none
}

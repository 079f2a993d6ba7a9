package egress_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

// newProfile returns a profile that may reach the networks given.
func newProfile(t testing.TB, options profile.Options, networks ...string) *profile.Profile {
	t.Helper()
	for _, network := range networks {
		options.Egress.AllowNetworks = append(options.Egress.AllowNetworks, netip.MustParsePrefix(network))
	}
	p, err := profile.New("tenant", options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newDialer(t testing.TB, p *profile.Profile, options egress.Options) *egress.Dialer {
	t.Helper()
	d, err := egress.New(p, options)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func endpoint(t testing.TB, text string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// listen accepts and closes connections, and counts them when the test is over.
func listen(t testing.TB) (addr string, accepted func() int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	count, done := 0, make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			count++
			_ = conn.Close()
		}
	}()
	closeAndCount := func() int {
		_ = listener.Close()
		<-done
		return count
	}
	t.Cleanup(func() { closeAndCount() })
	return listener.Addr().String(), closeAndCount
}

func secret(text string) transport.Secret { return transport.NewSecret(text) }

func parseEndpoint(text string) (transport.Endpoint, error) { return transport.ParseEndpoint(text) }

// hangUp waits for the other side to close conn, which it does after it has
// counted it, and closes this side.
func hangUp(t testing.TB, conn net.Conn) {
	t.Helper()
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	_ = conn.Close()
}

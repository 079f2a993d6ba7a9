package amqp1

import (
	"crypto/tls"
	"errors"
	"net/http"
	"testing"

	"github.com/outrider-go/outrider/internal/amqppeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// proxied is a remote behind a proxy, of a profile that may not reach this machine.
func proxied(t *testing.T, proxy *egresstest.Proxy, settings profile.TLS, address string) Remote {
	t.Helper()
	p, err := profile.New("proxied", profile.Options{TLS: settings, Egress: profile.Egress{Proxy: proxy.URL}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := egress.New(p, egress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return Remote{Dialer: d, Address: address, TLS: settings.CAFile != ""}
}

// sendTo sends a message to a remote, over connections of its own.
func sendTo(t *testing.T, remote Remote) (Outcome, error) {
	t.Helper()
	s, err := newContainer(t, Options{}).Sender(remote, Target{Address: "q"})
	if err != nil {
		t.Fatal(err)
	}
	return s.Send(within(t, soon), text("x"), SendOptions{})
}

func TestProxy(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	secured := &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{Hosts: []string{"broker.example"}})}}
	for name, test := range map[string]struct {
		peer amqppeer.Options
		tls  profile.TLS
	}{
		"amqp":  {},
		"amqps": {amqppeer.Options{TLS: secured}, profile.TLS{CAFile: authority.CAFile}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, startPeer(t, test.peer).Addr())
			o, err := sendTo(t, proxied(t, proxy, test.tls, "broker.example:5672"))
			wantAccepted(t, o, err)
			if asked := <-proxy.Asked; asked.Method != http.MethodConnect || asked.Host != "broker.example:5672" {
				t.Errorf("the proxy was asked for %s %s", asked.Method, asked.Host)
			}
		})
	}
}

func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	proxy := egresstest.NewProxy(t, "HTTP/1.1 403 No\r\n\r\n", "")
	_, err := sendTo(t, proxied(t, proxy, profile.TLS{}, "broker.example:5672"))
	wantFault(t, err, ErrUnreachable, false)
	if _, code := egress.Classify(err); code != egress.CodeProxy {
		t.Errorf("code %s: %v", code, err)
	}
}

// TestProxyIsNotAskedForPrivateAddresses: neither for that of the URI nor for one that
// a peer redirects to.
func TestProxyIsNotAskedForPrivateAddresses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		address, redirect string
		asked             int
	}{
		"address":         {"10.0.0.1:5672", "", 0},
		"redirect":        {"broker.example:5672", "10.0.0.1", 1},
		"redirect, oddly": {"broker.example:5672", "10.0.0.1 x", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := startPeer(t, amqppeer.Options{Refuse: func(string) *amqppeer.Error {
				return &amqppeer.Error{Condition: "amqp:link:redirect", Info: amqppeer.Map{
					amqppeer.Symbol("network-host"), test.redirect, amqppeer.Symbol("port"), uint16(5672),
				}}
			}})
			proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, peer.Addr())
			_, err := sendTo(t, proxied(t, proxy, profile.TLS{}, test.address))
			if asked := len(proxy.Asked); !errors.Is(err, egress.ErrBlocked) || asked != test.asked {
				t.Errorf("the proxy was asked %d times, want %d: %v", asked, test.asked, err)
			}
		})
	}
}

// TestProxyOnThisMachineLeadsElsewhere: a proxy at a loopback address does not make
// what goes through it stay within the machine.
func TestProxyOnThisMachineLeadsElsewhere(t *testing.T) {
	t.Parallel()
	proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, startPeer(t, amqppeer.Options{}).Addr())
	remote := proxied(t, proxy, profile.TLS{}, "broker.example:5672")
	remote.Credentials = Credentials{Username: "alice", Password: secret("geheim"), Mechanisms: []string{Plain}}
	_, err := sendTo(t, remote)
	wantFault(t, err, ErrSASL, false)
	remote.Credentials.AllowInsecure = true
	o, err := sendTo(t, remote)
	wantAccepted(t, o, err)
}

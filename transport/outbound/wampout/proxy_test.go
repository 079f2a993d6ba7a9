package wampout_test

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
)

func TestProxy(t *testing.T) {
	t.Parallel()
	plain, secured := wamptest.New(t, wamptest.Options{}), wamptest.New(t, wamptest.Options{TLS: true})
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate()}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, answer, code string }{
		{"opens", egresstest.OpenTunnel, ""},
		{"refuses", "HTTP/1.1 407 hunter2\r\n\r\n", "proxy"},
		{"redirects", "HTTP/1.1 302 Found\r\nLocation: http://hunter2\r\n\r\n", "proxy"},
		{"says more", "HTTP/1.1 204 OK\r\n\r\nextra", "proxy"},
		{"is none", "SSH-2.0\r\n\r\n", "proxy"},
		{"never ends", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10), "proxy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			proxy := egresstest.NewProxy(t, test.answer, "")
			tr := started(t, wampout.Options{})
			for _, router := range []*wamptest.Router{plain, secured} {
				m := outboundtest.Message(t, base(router)+"com.x", "hello")
				p, err := profile.New("proxied", profile.Options{
					TLS: profile.TLS{CAFile: roots},
					Egress: profile.Egress{
						AllowNetworks: m.Profile.Egress().AllowNetworks, Proxy: proxy.URL,
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				m.Profile = p
				_, err = tr.HandleMessage(t.Context(), m)
				request := <-proxy.Asked
				if _, password, _ := request.BasicAuth(); request.Host != router.URL().Host || password != "" || request.Header.Get("Proxy-Authorization") != "Basic dXNlcjpodW50ZXIy" {
					t.Errorf("the proxy is asked for %s with %v", request.Host, request.Header)
				}
				if test.code == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if fault := faultOf(t, err); fault.Code != test.code || fault.Class != transport.Temporary || fault.MaybeSent || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%+v", fault)
				}
			}
		})
	}
}

func TestProxyDoesNotOpenTheGuard(t *testing.T) {
	t.Parallel()
	proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, "")
	m := outboundtest.Message(t, "wamp+ws://10.0.0.1/realm1/com.x", "hello")
	p, err := profile.New("proxied", profile.Options{Egress: profile.Egress{Proxy: proxy.URL}})
	if err != nil {
		t.Fatal(err)
	}
	m.Profile = p
	_, err = started(t, wampout.Options{}).HandleMessage(t.Context(), m)
	if fault := faultOf(t, err); fault.Code != "blocked" || fault.Class != transport.Permanent {
		t.Errorf("%+v", fault)
	}
}

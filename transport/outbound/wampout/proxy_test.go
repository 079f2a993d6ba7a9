package wampout_test

import (
	"bufio"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound/outboundtest"
	"github.com/outrider-go/outrider/transport/outbound/wampout"
	"github.com/outrider-go/outrider/transport/wamp2/wamptest"
)

// proxyServer answers CONNECT with a line, and opens the tunnel where that is 200.
func proxyServer(t *testing.T, answer string) (address string, asked chan *http.Request) {
	t.Helper()
	asked = make(chan *http.Request, 100)
	address = fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) { tunnel(conn, in, answer, asked) })
	return address, asked
}

func tunnel(conn net.Conn, in *bufio.Reader, answer string, asked chan<- *http.Request) {
	request, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	asked <- request
	_, _ = io.WriteString(conn, answer)
	if !strings.HasPrefix(answer, "HTTP/1.1 200") {
		return
	}
	router, err := net.Dial("tcp", request.Host)
	if err != nil {
		return
	}
	var copying sync.WaitGroup
	copying.Go(func() {
		_, _ = io.Copy(router, in)
		_ = router.Close()
	})
	_, _ = io.Copy(conn, router)
	_ = conn.Close()
	copying.Wait()
}

func TestProxy(t *testing.T) {
	t.Parallel()
	plain, secured := wamptest.New(t, wamptest.Options{}), wamptest.New(t, wamptest.Options{TLS: true})
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secured.Certificate()}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, answer, code string }{
		{"opens", "HTTP/1.1 200 OK\r\n\r\n", ""},
		{"refuses", "HTTP/1.1 407 canary\r\n\r\n", "proxy"},
		{"redirects", "HTTP/1.1 302 Found\r\nLocation: http://canary\r\n\r\n", "proxy"},
		{"says more", "HTTP/1.1 204 OK\r\n\r\nextra", "proxy"},
		{"is none", "SSH-2.0\r\n\r\n", "proxy"},
		{"never ends", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 64<<10), "proxy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			address, asked := proxyServer(t, test.answer)
			tr := started(t, wampout.Options{})
			for _, router := range []*wamptest.Router{plain, secured} {
				m := outboundtest.Message(t, base(router)+"com.x", "hello")
				p, err := profile.New("proxied", profile.Options{
					TLS: profile.TLS{CAFile: roots},
					Egress: profile.Egress{
						AllowNetworks: m.Profile.Egress().AllowNetworks, Proxy: transport.NewSecret("http://user:canary@" + address),
					},
				})
				if err != nil {
					t.Fatal(err)
				}
				m.Profile = p
				_, err = tr.HandleMessage(t.Context(), m)
				request := <-asked
				if _, password, _ := request.BasicAuth(); request.Host != router.URL().Host || password != "" || request.Header.Get("Proxy-Authorization") != "Basic dXNlcjpjYW5hcnk=" {
					t.Errorf("the proxy is asked for %s with %v", request.Host, request.Header)
				}
				if test.code == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				if fault := faultOf(t, err); fault.Code != test.code || fault.Class != transport.Temporary || fault.MaybeSent || strings.Contains(err.Error(), "canary") {
					t.Errorf("%+v", fault)
				}
			}
		})
	}
}

func TestProxyDoesNotOpenTheGuard(t *testing.T) {
	t.Parallel()
	address, _ := proxyServer(t, "HTTP/1.1 200 OK\r\n\r\n")
	m := outboundtest.Message(t, "wamp+ws://10.0.0.1/realm1/com.x", "hello")
	p, err := profile.New("proxied", profile.Options{Egress: profile.Egress{Proxy: transport.NewSecret("http://" + address)}})
	if err != nil {
		t.Fatal(err)
	}
	m.Profile = p
	_, err = started(t, wampout.Options{}).HandleMessage(t.Context(), m)
	if fault := faultOf(t, err); fault.Code != "blocked" || fault.Class != transport.Permanent {
		t.Errorf("%+v", fault)
	}
}

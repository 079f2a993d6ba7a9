package httpout

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// serveProxy is an HTTP proxy that sends everything to target, and notes what it
// was asked for.
func serveProxy(t *testing.T, target string, status int) (uri string, asked <-chan *http.Request) {
	t.Helper()
	requests := make(chan *http.Request, 16)
	address := "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
		request, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		requests <- request
		if status != http.StatusOK {
			_, _ = conn.Write([]byte("HTTP/1.1 407 hunter2 said no\r\nContent-Length: 0\r\n\r\n"))
			return
		}
		upstream, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		defer func() { _ = upstream.Close() }()
		if request.Method != http.MethodConnect {
			_ = request.Write(upstream)
			if answer, err := http.ReadResponse(bufio.NewReader(upstream), request); err == nil {
				_ = answer.Write(conn)
			}
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
		var copying sync.WaitGroup
		copying.Go(func() {
			_, _ = io.Copy(upstream, in)
			_ = upstream.(*net.TCPConn).CloseWrite()
		})
		_, _ = io.Copy(conn, upstream)
		_ = conn.Close()
		copying.Wait()
	})
	return strings.Replace(address, "http://", "http://user:hunter2@", 1), requests
}

func through(t *testing.T, proxy string, settings profile.TLS) *profile.Profile {
	t.Helper()
	p, err := profile.New("proxied", profile.Options{TLS: settings, Egress: profile.Egress{Proxy: transport.NewSecret(proxy)}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProxyForHTTP(t *testing.T) {
	t.Parallel()
	var leaked atomic.Bool
	receiver := serve(t, func(w http.ResponseWriter, r *http.Request) {
		leaked.Store(r.Header.Get("Proxy-Authorization") != "")
		ok(w, r)
	})
	proxy, asked := serveProxy(t, strings.TrimPrefix(receiver.URL, "http://"), http.StatusOK)
	tr := start(t, Options{})
	deliver(t, tr, message(t, through(t, proxy, profile.TLS{}), "http://receiver.example/inbox"))
	request := <-asked
	if request.RequestURI != "http://receiver.example/inbox" || request.Header.Get("Proxy-Authorization") == "" {
		t.Errorf("the proxy was asked for %s with %v", request.RequestURI, request.Header)
	}
}

func TestProxyForHTTPS(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	for name, test := range map[string]struct{ host, code string }{
		"tunnel":            {"receiver.example", ""},
		"certificate wrong": {"other.example", "tls_certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var secret atomic.Value
			receiver := newReceiver(t, func(w http.ResponseWriter, r *http.Request) {
				secret.Store(r.Header.Get("X-Api-Key"))
				ok(w, r)
			})
			receiver.Config.ErrorLog = quiet()
			receiver.TLS = &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{Hosts: []string{test.host}})}}
			receiver.StartTLS()
			t.Cleanup(receiver.Close)
			proxy, asked := serveProxy(t, receiver.Listener.Addr().String(), http.StatusOK)
			tr := start(t, Options{})
			m := message(t, through(t, proxy, profile.TLS{CAFile: authority.CAFile}), "https://receiver.example/inbox#key")
			if test.code == "" {
				deliver(t, tr, m)
				if secret.Load() != "key" {
					t.Errorf("the key arrived as %v", secret.Load())
				}
			} else {
				expect(t, fail(t, t.Context(), tr, m), transport.Temporary, test.code, false)
			}
			request := <-asked
			if request.Method != http.MethodConnect || request.Host != "receiver.example:443" || request.Header.Get("X-Api-Key") != "" {
				t.Errorf("the proxy was asked for %s %s with %v", request.Method, request.Host, request.Header)
			}
		})
	}
}

func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	proxy, _ := serveProxy(t, "", http.StatusProxyAuthRequired)
	tr := start(t, Options{})
	fault := fail(t, t.Context(), tr, message(t, through(t, proxy, profile.TLS{}), "https://receiver.example/"))
	expect(t, fault, transport.Temporary, egress.CodeProxy, false)
	if text := fault.Error(); strings.Contains(text, "hunter2") || !strings.Contains(text, "407") {
		t.Errorf("got %q", text)
	}
}

func TestProxyThatIsDown(t *testing.T) {
	t.Parallel()
	down := "http://user:hunter2@" + fakepeer.Nobody(t)
	for _, scheme := range []string{"http", "https"} {
		fault := fail(t, t.Context(), start(t, Options{}), message(t, through(t, down, profile.TLS{}), scheme+"://receiver.example/"))
		expect(t, fault, transport.Temporary, "connection_refused", false)
		if strings.Contains(fault.Error(), "hunter2") {
			t.Errorf("got %q", fault)
		}
	}
}

// With a proxy the guard sees only the proxy, so literals are checked before.
func TestProxyIsNotAskedForPrivateAddresses(t *testing.T) {
	t.Parallel()
	proxy, asked := serveProxy(t, "", http.StatusOK)
	tr := start(t, Options{})
	for _, uri := range []string{"http://127.0.0.1/", "https://[::ffff:10.0.0.1]/", "http://2130706433/", "http://１２７.０.０.１/", "http://localhost/"} {
		m := message(t, through(t, proxy, profile.TLS{}), uri)
		wantField(t, tr.CheckMessage(t.Context(), m), "endpoint", "")
		expect(t, fail(t, t.Context(), tr, m), transport.Permanent, egress.CodeBlocked, false)
	}
	if len(asked) != 0 {
		t.Errorf("the proxy was asked %d times", len(asked))
	}
}

func TestProxyOfTheEnvironmentIsIgnored(t *testing.T) {
	receiver := serve(t, ok)
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		t.Setenv(name, "http://"+fakepeer.Nobody(t))
	}
	t.Setenv("NO_PROXY", "")
	resolver := egresstest.NewResolver(t, func(string) egresstest.Answer { return answerTo("127.0.0.1") })
	tr := start(t, Options{Egress: egress.Options{Resolver: resolver}})
	_, port, _ := net.SplitHostPort(receiver.Listener.Addr().String())
	deliver(t, tr, message(t, local(t, profile.Options{}), "http://receiver.example:"+port))
}

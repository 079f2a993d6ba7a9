package wsout

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// Whatever goes wrong, and whatever the peer sends back, no error text holds what
// is secret in the endpoint, the metadata or the payload.
func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	basic := base64.StdEncoding.EncodeToString([]byte(canary + "-user:" + canary + "-password"))
	echo := func(answer string) string {
		return "ws://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
			if _, err := http.ReadRequest(in); err == nil {
				_, _ = conn.Write([]byte(strings.ReplaceAll(answer, "ECHO", canary+" "+basic)))
			}
		})
	}
	core, logs := observer.New(zap.DebugLevel)
	options := impatient(AckPing)
	options.Logger = zap.New(core)
	tr, p := start(t, options), local(t, nil)
	for name, address := range map[string]string{
		"status":          echo("HTTP/1.1 500 ECHO\r\nConnection: close\r\n\r\nECHO"),
		"redirect":        echo("HTTP/1.1 302 ECHO\r\nLocation: http://ECHO/\r\nContent-Length: 0\r\n\r\n"),
		"unknown status":  echo("HTTP/1.1 799 ECHO\r\nContent-Length: 0\r\n\r\n"),
		"not HTTP":        echo("ECHO\r\n\r\n"),
		"bad header":      echo("HTTP/1.1 101 OK\r\nECHO\r\n\r\n"),
		"bad upgrade":     echo("HTTP/1.1 101 OK\r\nUpgrade: ECHO\r\nSec-WebSocket-Accept: ECHO\r\n\r\n"),
		"closed":          echo(""),
		"close reason":    misbehave(t, says(frame(closeFrame, []byte("\x03\xf0"+canary)))),
		"not a frame":     misbehave(t, says([]byte(canary))),
		"refused":         "ws://" + fakepeer.Nobody(t),
		"not TLS":         strings.Replace(echo("HTTP/1.1 400 ECHO\r\n\r\n"), "ws://", "wss://", 1),
		"private address": "ws://10.0.0.1",
		"unknown scheme":  "gopher://example.com",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme, host, _ := strings.Cut(address, "://")
			m := message(t, p, fmt.Sprintf("%s://%[2]s-user:%[2]s-password@%[3]s/p?token=%[2]s&%[2]s#%[2]s-key", scheme, canary, host), canary)
			m.Metadata = transport.Metadata{"x-secret": canary}
			fault := fail(t, t.Context(), tr, m)
			for err := error(fault); err != nil; err = next(err) {
				if text := fmt.Sprintf("%s %v %+v", err.Error(), err, err); strings.Contains(text, canary) || strings.Contains(text, basic) {
					t.Errorf("secret in %q", text)
				}
			}
		})
	}
	t.Cleanup(func() {
		for _, entry := range logs.All() {
			if text := fmt.Sprintf("%v %v", entry.Message, entry.ContextMap()); strings.Contains(text, canary) {
				t.Errorf("logged %q", text)
			}
		}
	})
}

// next returns the cause that an error wraps last.
func next(err error) error {
	if multiple, ok := err.(interface{ Unwrap() []error }); ok {
		all := multiple.Unwrap()
		return all[len(all)-1]
	}
	return errors.Unwrap(err)
}

func TestProxy(t *testing.T) {
	t.Parallel()
	received := make(chan string, 1)
	server := serve(t, collect(received))
	proxy := egresstest.NewProxy(t, egresstest.OpenTunnel, server.Listener.Addr().String())
	p := localWith(t, profile.Options{Egress: profile.Egress{Proxy: proxy.URL}})
	deliver(t, start(t, Options{Ack: AckPing}), message(t, p, "ws://peer.example/inbox", "through"))
	if got := <-received; got != "through" {
		t.Errorf("got %q", got)
	}
	r := <-proxy.Asked
	if r.Method != http.MethodConnect || r.Host != "peer.example:80" || r.Header.Get("Proxy-Authorization") != "Basic dXNlcjpodW50ZXIy" {
		t.Errorf("asked for %s %s, %v", r.Method, r.Host, r.Header)
	}
	expect(t, fail(t, t.Context(), start(t, Options{}), message(t, p, "ws://10.0.0.1", "x")), transport.Permanent, "blocked", false)
}

func TestProxyThatRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"status":        "HTTP/1.1 407 hunter2 said no\r\nContent-Length: 0\r\n\r\n",
		"no answer":     "",
		"no HTTP":       "hunter2\r\n\r\n",
		"endless":       "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 2*maxAnswerBytes),
		"says too much": "HTTP/1.1 200 OK\r\n\r\nhunter2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := localWith(t, profile.Options{Egress: profile.Egress{Proxy: egresstest.NewProxy(t, answer, "").URL}})
			fault := fail(t, t.Context(), start(t, Options{}), message(t, p, "wss://peer.example", "x"))
			expect(t, fault, transport.Temporary, egress.CodeProxy, false)
			if strings.Contains(fault.Error(), "hunter2") {
				t.Errorf("secret in %q", fault)
			}
		})
	}
}

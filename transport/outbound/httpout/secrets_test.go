package httpout

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// Whatever goes wrong, and whatever the receiver sends back, no error text holds
// what is secret in the endpoint, the metadata or the payload.
func TestErrorsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	basic := base64.StdEncoding.EncodeToString([]byte(canary + "-user:" + canary + "-password"))
	echo := func(answer string) string {
		return "http://" + fakepeer.Raw(t, func(conn *net.TCPConn, in *bufio.Reader) {
			if _, err := readRequest(in); err == nil {
				_, _ = conn.Write([]byte(strings.ReplaceAll(answer, "ECHO", canary+" "+basic)))
			}
		})
	}
	resolver := egresstest.NewResolver(t, func(string) egresstest.Answer { return egresstest.Answer{Code: egresstest.NoSuchName} })
	core, logs := observer.New(zap.DebugLevel)
	tr := start(t, Options{Egress: egress.Options{Resolver: resolver}, Logger: zap.New(core)})
	p := local(t, profile.Options{})
	for name, address := range map[string]string{
		"status":           echo("HTTP/1.1 500 ECHO\r\nConnection: close\r\n\r\nECHO"),
		"redirect":         echo("HTTP/1.1 302 ECHO\r\nLocation: http://ECHO/\r\nContent-Length: 0\r\n\r\n"),
		"unknown status":   echo("HTTP/1.1 799 ECHO\r\nContent-Length: 0\r\n\r\n"),
		"not HTTP":         echo("ECHO\r\n\r\n"),
		"bad status":       echo("HTTP/1.1 ECHO\r\n\r\n"),
		"bad header":       echo("HTTP/1.1 200 OK\r\nECHO\r\n\r\n"),
		"bad length":       echo("HTTP/1.1 200 OK\r\nContent-Length: ECHO\r\n\r\n"),
		"bad encoding":     echo("HTTP/1.1 200 OK\r\nTransfer-Encoding: ECHO\r\n\r\n"),
		"bad retry after":  echo("HTTP/1.1 429 ECHO\r\nRetry-After: ECHO\r\nContent-Length: 0\r\n\r\n"),
		"closed":           echo(""),
		"refused":          "http://" + fakepeer.Nobody(t),
		"not TLS":          strings.Replace(echo("HTTP/1.1 400 ECHO\r\n\r\n"), "http://", "https://", 1),
		"unknown name":     "http://nosuch.example",
		"private address":  "http://10.0.0.1",
		"unknown scheme":   "gopher://example.com",
		"number as a host": "http://2130706433",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scheme, host, _ := strings.Cut(address, "://")
			m := message(t, p, fmt.Sprintf("%s://%[2]s-user:%[2]s-password@%[3]s/p?token=%[2]s&%[2]s#%[2]s-key", scheme, canary, host))
			m.Metadata = transport.Metadata{"x-secret": canary}
			m.Payload = []byte(canary)
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

func TestRefusalsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	m := message(t, local(t, profile.Options{}), "http://127.0.0.1/")
	m.Metadata = transport.Metadata{"x-secret": "canary\n"}
	if err := start(t, Options{}).CheckMessage(t.Context(), m); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

// next returns the cause that an error wraps last.
func next(err error) error {
	if multiple, ok := err.(interface{ Unwrap() []error }); ok {
		all := multiple.Unwrap()
		return all[len(all)-1]
	}
	return errors.Unwrap(err)
}

func TestErrorsOfADeadlineHoldNoSecrets(t *testing.T) {
	t.Parallel()
	address := "http://" + fakepeer.Raw(t, func(_ *net.TCPConn, in *bufio.Reader) {
		if _, err := readRequest(in); err == nil {
			_, _ = in.ReadByte()
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	m := message(t, local(t, profile.Options{}), strings.Replace(address, "//", "//canary:canary@", 1)+"/?canary")
	if fault := fail(t, ctx, start(t, Options{}), m); strings.Contains(fault.Error(), "canary") {
		t.Errorf("got %q", fault)
	}
}

package ingress_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/ingress"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, scheme, hostPort, fault string }{
		{text: "http://127.0.0.1:8020", scheme: "http", hostPort: "127.0.0.1:8020"},
		{text: "https://[::1]/", scheme: "https", hostPort: "[::1]:443"},
		{text: "http://0.0.0.0:80", scheme: "http", hostPort: "0.0.0.0:80"},
		{text: "http://:80", fault: "want a URL"}, // to be reached from anywhere is to be said
		{text: "ftp://host", fault: `scheme "ftp"`},
		{text: "127.0.0.1:8020", fault: "want a URL"},
		{text: "http://user:secret@host", fault: "user information"},
		{text: "http://host:1/inbox", scheme: "http", hostPort: "host:1"},
		{text: "http://host:secret", fault: "want a URL"},
		{text: "", fault: "want a URL"},
	}
	for _, test := range tests {
		scheme, hostPort, err := ingress.Address(test.text, "http", "https")
		switch {
		case test.fault == "" && (err != nil || scheme != test.scheme || hostPort != test.hostPort):
			t.Errorf("%s: %s, %s, %v", test.text, scheme, hostPort, err)
		case test.fault != "" && (err == nil || !strings.Contains(err.Error(), test.fault) || strings.Contains(err.Error(), "secret")):
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:8020", "https://[::1]/", "http://user:pw@host", "http://\x00", "http://%zz"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, hostPort, err := ingress.Address(text, "http", "https")
		if err != nil {
			return
		}
		if _, _, err := net.SplitHostPort(hostPort); err != nil {
			t.Errorf("%q is no host:port: %v", hostPort, err)
		}
	})
}

func serve(t *testing.T, handler http.HandlerFunc, options ingress.Options) func() net.Conn {
	t.Helper()
	p := inboundtest.NewListener()
	options.Listener = p
	s, err := ingress.Listen(t.Context(), "", handler, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return func() net.Conn {
		c, err := p.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// TestSlowPeers are cut: one that trickles its header, one that trickles its body,
// one that sends nothing at all.
func TestSlowPeers(t *testing.T) {
	t.Parallel()
	options := ingress.Options{HeaderTimeout: time.Second, ReadTimeout: 5 * time.Second, IdleTimeout: 3 * time.Second}
	tests := []struct {
		name, at1st, each string
		cut               time.Duration
	}{
		{"header", "POST / HTTP/1.1\r\nHost: h\r\nX: ", "a", time.Second},
		{"body", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n", "a", 5 * time.Second},
		{"nothing", "", "", time.Second},
		{"idle", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "", 3 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dial := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }, options)
				begun := time.Now()
				c := dial()
				defer c.Close()
				go io.Copy(io.Discard, c)
				if test.at1st != "" {
					_, _ = c.Write([]byte(test.at1st))
				}
				for {
					<-time.After(100 * time.Millisecond)
					_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
					if _, err := c.Write([]byte(test.each)); errors.Is(err, io.ErrClosedPipe) || time.Since(begun) > time.Minute {
						break
					}
				}
				if took := time.Since(begun); took > test.cut+time.Second {
					t.Errorf("it was cut after %v, want %v", took, test.cut)
				}
			})
		})
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dial := serve(t, func(http.ResponseWriter, *http.Request) {}, ingress.Options{MaxConns: 1})
		first := dial()
		second := make(chan net.Conn)
		go func() { second <- dial() }()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("a second connection is accepted")
		default:
		}
		_ = first.Close()
		_ = (<-second).Close()
	})
}

// TestShutdown waits for requests and ends their contexts.
func TestShutdown(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	s, err := ingress.Listen(t.Context(), "127.0.0.1:0", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
		_, _ = io.WriteString(w, "done")
	}), ingress.Options{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	<-reached
	if s.Stopping() {
		t.Error("it is stopping by itself")
	}
	if err := s.Shutdown(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "done" || resp.Header.Get("Server") != "" {
		t.Errorf("the answer is %q, from %q", body, resp.Header.Get("Server"))
	}
	if !s.Stopping() {
		t.Error("it is not stopping")
	}
}

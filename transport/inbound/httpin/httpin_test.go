package httpin_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/ingress"
	"github.com/outrider-go/outrider/wireformat"
)

func TestRequests(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, httpin.Options{MaxMessageBytes: 100}, inbound.Options{})
	tests := []struct {
		name, method, path, body string
		header                   []string
		want                     int
	}{
		{"health", "GET", "/", "", nil, 200},
		{"health, head", "HEAD", "/", "", nil, 200},
		{"nothing to read", "GET", "/other", "", nil, 404},
		{"message", "POST", "/", "x", nil, 200},
		{"message at any path", "POST", "/a/b?c=d", "x", nil, 200},
		{"empty message", "POST", "/", "", nil, 200},
		{"no method of ours", "PUT", "/", "x", nil, 405},
		{"JSON", "POST", "/", `{"@id":"1"}`, []string{"Content-Type", "application/json"}, 200},
		{"broken JSON", "POST", "/", `{"@id":`, []string{"Content-Type", "application/json"}, 400},
		{"longest", "POST", "/", strings.Repeat("x", 100), nil, 200},
		{"too large", "POST", "/", strings.Repeat("x", 101), nil, 413},
		{"compressed", "POST", "/", "x", []string{"Content-Encoding", "gzip"}, 415},
		{"not compressed", "POST", "/", "x", []string{"Content-Encoding", "identity"}, 200},
		{"page of another origin", "POST", "/", "x", []string{"Origin", "https://evil.example"}, 403},
		{"page of another site", "POST", "/", "x", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"page of the same origin", "POST", "/", "x", []string{"Origin", r.Address()}, 200},
		{"too many headers", "POST", "/", "x", headers(65), 400},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			resp, body := do(t, test.method, r.Address()+test.path, test.body, test.header...)
			if resp.StatusCode != test.want {
				t.Errorf("%s: %s, want %d", resp.Status, body, test.want)
			}
			if resp.Header.Get("Server") != "" {
				t.Errorf("it says that it is %q", resp.Header.Get("Server"))
			}
			if resp.StatusCode == http.StatusOK && test.method == "POST" && body != "" {
				t.Errorf("the answer is %q", body)
			}
		})
	}
}

func headers(n int) []string {
	var all []string
	for i := range n {
		all = append(all, "X-"+string(rune('A'+i%26))+string(rune('A'+i/26)), "1")
	}
	return all
}

func TestAllowedOrigins(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, httpin.Options{AllowedOrigins: []string{"https://app.example"}}, inbound.Options{})
	for origin, want := range map[string]int{"https://app.example": 200, "https://app.example:8443": 403, "http://app.example": 403} {
		if resp, _ := do(t, "POST", r.Address(), "x", "Origin", origin); resp.StatusCode != want {
			t.Errorf("%s: %s, want %d", origin, resp.Status, want)
		}
	}
	if _, err := httpin.New("127.0.0.1:0", httpin.Options{AllowedOrigins: []string{"app.example/path"}}); err == nil {
		t.Error("an origin with a path is taken")
	}
}

// TestMessage: what travels beside a message, and what does not.
func TestMessage(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, httpin.Options{}, inbound.Options{})
	id := transport.NewID(time.Now())
	do(t, "POST", r.Address()+"/in/acme?q=secret", `{"a":1}`, "Content-Type", "application/json; charset=utf-8",
		"Authorization", "Bearer t0ken", "Cookie", "c=secret", "Message-Id", id.String(), "X-Two", "1", "X-Two", "2", "Return-Route", "all")
	m := r.messages()[0]
	if !m.Text || m.ContentType != "application/json; charset=utf-8" || string(m.Payload) != `{"a":1}` || m.ID != id {
		t.Errorf("%v, %q, %s, %v", m.Text, m.ContentType, m.Payload, m.ID)
	}
	if o := m.Origin; o.Path != "/in/acme" || o.Query.Reveal() != "q=secret" || o.Token.Reveal() != "t0ken" || o.Scheme != "http" {
		t.Errorf("%+v", o)
	}
	want := transport.Metadata{"Message-Id": id.String(), "X-Two": "1, 2", "Return-Route": "all"}
	if len(m.Metadata) != len(want) || m.Metadata["X-Two"] != want["X-Two"] {
		t.Errorf("the metadata is %v, want %v", m.Metadata, want)
	}
	if m.Receipt.ReturnRoute != "all" {
		t.Errorf("the return route is %q", m.Receipt.ReturnRoute)
	}
	do(t, "POST", r.Address(), "\xff\x00", "X-Api-Key", "k3y")
	if m := r.messages()[1]; m.Text || m.Origin.Token.Reveal() != "k3y" {
		t.Errorf("%v, %v", m.Text, m.Origin.Token.Reveal())
	}
}

func TestReplyHeaders(t *testing.T) {
	t.Parallel()
	id := transport.NewID(time.Now())
	r := receive(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		return &inbound.Reply{
			ID: id, Payload: []byte("<b>"), ContentType: "application/x", WireFormat: "raw",
			Metadata: transport.Metadata{"X-A": "1", "Set-Cookie": "c", "Content-Length": "9", "X Bad": "1", "X-Split": "a\r\nX-B: 2"},
		}, nil
	}, httpin.Options{}, inbound.Options{})
	resp, body := do(t, "POST", r.Address(), "x")
	h := resp.Header
	if body != "<b>" || h.Get("Content-Type") != "application/x" || h.Get("Message-Id") != id.String() || h.Get("X-A") != "1" {
		t.Errorf("%q, %v", body, h)
	}
	if h.Get("Set-Cookie") != "" || h.Get("X-B") != "" || len(h["X Bad"]) > 0 {
		t.Errorf("%v", h)
	}
}

func TestBusy(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := receive(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		<-release
		return nil, nil
	}, httpin.Options{HandlerWait: time.Millisecond, RetryAfter: 1500 * time.Millisecond}, inbound.Options{Handlers: 1})
	first := make(chan int, 1)
	go func() {
		resp, _ := do(t, "POST", r.Address(), "x")
		first <- resp.StatusCode
	}()
	eventually(t, "a handler is at work", func() bool { return len(r.messages()) == 1 })
	if resp, _ := do(t, "POST", r.Address(), "x"); resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") != "2" {
		t.Errorf("%s, Retry-After %q", resp.Status, resp.Header.Get("Retry-After"))
	}
	close(release)
	if got := <-first; got != 200 {
		t.Errorf("the first: %d", got)
	}
}

// TestBytesAreBounded: what is announced takes no room; what has come does.
func TestBytesAreBounded(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, httpin.Options{}, inbound.Options{MaxBytes: 200 << 10})
	const announced = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
	for range 2 { // each takes 64 KiB at once, and no more
		r.raw(t, announced+"x")
	}
	eventually(t, "both are read", func() bool { return len(r.manager.Sessions()) == 2 })
	if resp, _ := do(t, "POST", r.Address(), strings.Repeat("x", 150<<10)); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("beyond MaxBytes: %s, want 503", resp.Status)
	}
	if resp, _ := do(t, "POST", r.Address(), "small"); resp.StatusCode != http.StatusOK {
		t.Errorf("within: %s", resp.Status)
	}
}

// TestBrokenRequests are not handled, and leave nothing behind.
func TestBrokenRequests(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text string }{
		{"body cut short", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf"},
		{"broken chunk", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
		{"endless chunk", "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"},
		{"length and chunks", "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"no HTTP", "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"},
		{"control character in a header", "POST / HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\nContent-Length: 1\r\n\r\nx"},
		{"header too long", "POST / HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil, httpin.Options{Server: ingress.Options{ReadTimeout: time.Second, HeaderTimeout: time.Second}}, inbound.Options{})
			c := r.raw(t, test.text)
			_ = c.(*net.TCPConn).CloseWrite()
			answer, _ := io.ReadAll(c)
			if strings.HasPrefix(string(answer), "HTTP/1.1 2") && test.name != "length and chunks" {
				t.Errorf("it is answered with %q", answer)
			}
			eventually(t, "the session is closed", func() bool { return len(r.manager.Sessions()) == 0 })
			if n := len(r.messages()); n != 0 && test.name != "length and chunks" {
				t.Errorf("%d messages were handled", n)
			}
		})
	}
}

// TestPeerResets while its message is handled: what was announced to it goes
// elsewhere.
func TestPeerResets(t *testing.T) {
	t.Parallel()
	handled, release := make(chan string, 1), make(chan struct{})
	r := receive(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		handled <- m.Session
		<-release
		return nil, nil
	}, httpin.Options{}, inbound.Options{})
	c := r.raw(t, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
	peer := transport.Peer{Session: <-handled}
	if !r.manager.Reaches(profile.DefaultID, peer) {
		t.Fatal("the session is not reached")
	}
	_ = c.(*net.TCPConn).SetLinger(0)
	_ = c.Close()
	close(release)
	eventually(t, "the session is closed", func() bool { return len(r.manager.Sessions()) == 0 })
	if _, err := r.manager.Deliver(t.Context(), profile.DefaultID, peer, transport.ID{}, wireformat.Frame{Body: []byte("x")}); !errors.Is(err, transport.ErrSessionGone) {
		t.Errorf("%v, want ErrSessionGone", err)
	}
}

// TestStopEndsHeldRequests: what waits for a message only is answered at once.
func TestStopEndsHeldRequests(t *testing.T) {
	t.Parallel()
	var r *receiver
	r = receive(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		r.manager.Reaches(profile.DefaultID, transport.Peer{Session: m.Session})
		return nil, nil
	}, httpin.Options{}, inbound.Options{ReplyWait: time.Hour})
	c := r.raw(t, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx")
	eventually(t, "the message is handled", func() bool {
		all := r.manager.Sessions()
		return len(all) == 1 && all[0].Received == 1
	})
	if err := r.manager.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("%s, want 200: the message was taken", resp.Status)
	}
}

// TestClientCertificates: the peer's subject is its key.
func TestClientCertificates(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	cert, key := egresstest.WriteFiles(t, t.TempDir(), authority.Issue(t, egresstest.Certificate{}))
	config, err := ingress.TLS{CertFile: cert, KeyFile: key, ClientCAFile: authority.CAFile}.Config()
	if err != nil {
		t.Fatal(err)
	}
	r := receive(t, nil, httpin.Options{Server: ingress.Options{TLS: config}}, inbound.Options{
		Tenants: inbound.ByCertificate(func(_ context.Context, c *x509.Certificate) (*profile.Profile, error) {
			return profile.Default(), nil
		}),
	})
	if !strings.HasPrefix(r.Address(), "https://") || r.Scheme() != "https" {
		t.Errorf("the address is %s", r.Address())
	}
	own := authority.Issue(t, egresstest.Certificate{})
	for _, http2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{
			ForceAttemptHTTP2: http2,
			TLSClientConfig:   &tls.Config{RootCAs: authority.Pool, Certificates: []tls.Certificate{own}},
		}}
		resp, _ := doWith(t, client, "POST", r.Address(), "x")
		client.CloseIdleConnections()
		if resp.StatusCode != http.StatusOK || (resp.ProtoMajor == 2) != http2 {
			t.Errorf("%s over %s", resp.Status, resp.Proto)
		}
	}
	if m := r.messages()[0]; m.Peer != "x509:CN=test" {
		t.Errorf("the peer is %q", m.Peer)
	}
	stranger := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool}}}
	defer stranger.CloseIdleConnections()
	if resp, err := stranger.Post(r.Address(), "", strings.NewReader("x")); err == nil {
		_ = resp.Body.Close()
		t.Errorf("without a certificate: %s", resp.Status)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := httpin.New("nowhere", httpin.Options{
		MaxMessageBytes: -1, WriteTimeout: -1, Server: ingress.Options{MaxConns: -1}, AllowedOrigins: []string{"app.example", "https://u@app.example"},
	})
	for _, want := range []string{"MaxMessageBytes", "WriteTimeout", "MaxConns", "host:port", `"app.example"`, "u@app.example"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s named", err, want)
		}
	}
}

func TestPortIsTaken(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, httpin.Options{}, inbound.Options{})
	second, err := httpin.New(r.hostPort(), httpin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.manager.Register(second); err == nil {
		t.Error("a port that is taken is listened at")
	}
	third, err := httpin.New("127.0.0.1:0", httpin.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.manager.Register(third); err != nil { // several of one scheme
		t.Fatal(err)
	}
	do(t, "POST", third.Address(), "x")
	do(t, "POST", r.Address(), "x")
	if n := len(r.messages()); n != 2 {
		t.Errorf("%d messages, want one at each address", n)
	}
}

// FuzzRequest: no request makes the receiver panic, leak a session, or hand a
// message to the handler that is longer than allowed.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"))
	f.Add([]byte("GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: localhost\r\nReturn-Route: all\r\nMessage-Id: 0198c0de-5b1e-7abc-8def-0123456789ab\r\nContent-Length: 0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, request []byte) {
		l := inboundtest.NewListener()
		tr, err := httpin.New("", httpin.Options{MaxMessageBytes: 64, Server: ingress.Options{Listener: l, ReadTimeout: time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		m := inboundtest.Start(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
			if len(m.Payload) > 64 {
				t.Errorf("a message of %d bytes is handled", len(m.Payload))
			}
			return &inbound.Reply{Payload: m.Payload, WireFormat: "raw"}, nil
		}, inbound.Options{}, tr)
		c, err := l.Dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			_, _ = io.Copy(io.Discard, c)
		}()
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(request)
		_ = c.Close()
		<-read
		if err := m.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		if n := len(m.Sessions()); n != 0 {
			t.Errorf("%d sessions are left", n)
		}
	})
}

package egress_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
)

// serveTLS shakes hands with whoever connects, and passes each client's
// certificate on.
func serveTLS(t *testing.T, config *tls.Config) (addr string, clients <-chan *x509.Certificate) {
	t.Helper()
	seen := make(chan *x509.Certificate, 16)
	addr = fakepeer.Raw(t, func(conn *net.TCPConn, _ *bufio.Reader) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			var client *x509.Certificate
			if peer := server.ConnectionState().PeerCertificates; len(peer) > 0 {
				client = peer[0]
			}
			seen <- client
		}
		_ = server.Close()
	})
	return addr, seen
}

func TestTLSHandshake(t *testing.T) {
	t.Parallel()
	authority, other := egresstest.NewAuthority(t), egresstest.NewAuthority(t)
	for name, test := range map[string]struct {
		certificate egresstest.Certificate
		versions    [2]uint16 // of the server: least and most
		client      profile.TLS
		code        string // empty: it works
	}{
		"works":               {client: profile.TLS{CAFile: authority.CAFile}},
		"expired":             {certificate: egresstest.Certificate{Expired: true}, client: profile.TLS{CAFile: authority.CAFile}, code: "tls_certificate"},
		"other host":          {certificate: egresstest.Certificate{Hosts: []string{"other.example"}}, client: profile.TLS{CAFile: authority.CAFile}, code: "tls_certificate"},
		"expected other host": {certificate: egresstest.Certificate{Hosts: []string{"other.example"}}, client: profile.TLS{CAFile: authority.CAFile, ServerName: "other.example"}},
		"unknown authority":   {client: profile.TLS{CAFile: other.CAFile}, code: "tls_certificate"},
		"system roots":        {code: "tls_certificate"},
		"not verified":        {certificate: egresstest.Certificate{Expired: true}, client: profile.TLS{InsecureSkipVerify: true}},
		"old version":         {versions: [2]uint16{tls.VersionTLS10, tls.VersionTLS11}, client: profile.TLS{CAFile: authority.CAFile}, code: "tls_handshake"},
		"TLS 1.2":             {versions: [2]uint16{0, tls.VersionTLS12}, client: profile.TLS{CAFile: authority.CAFile}},
		"no CA file":          {client: profile.TLS{CAFile: filepath.Join(t.TempDir(), "none.pem")}, code: "tls_file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := serveTLS(t, &tls.Config{
				Certificates: []tls.Certificate{authority.Issue(t, test.certificate)},
				MinVersion:   test.versions[0],
				MaxVersion:   test.versions[1],
			})
			d := newDialer(t, newProfile(t, profile.Options{TLS: test.client}, "127.0.0.0/8"), egress.Options{})
			conn, err := d.DialTLS(t.Context(), "tcp", addr)
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = conn.Close()
				return
			}
			var dial *egress.DialError
			if !errors.As(err, &dial) || dial.Phase != egress.PhaseTLS {
				t.Fatalf("got %v", err)
			}
			if class, code := egress.Classify(err); class != transport.Temporary || code != test.code {
				t.Errorf("classified as %s %s: %v", class, code, err)
			}
		})
	}
}

// TestConnectTLS: the handshake is made with the peer, also behind a proxy, and what
// fails leaves no connection behind.
func TestConnectTLS(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	for name, test := range map[string]struct {
		host    string // in the peer's certificate
		answer  string // of the proxy; empty: there is none
		code    string
		phase   string
		atProxy int // how often it is asked
	}{
		"direct":                {host: "127.0.0.1"},
		"direct, other host":    {host: "other.example", code: "tls_certificate", phase: egress.PhaseTLS},
		"tunnel":                {host: "127.0.0.1", answer: egresstest.OpenTunnel, atProxy: 1},
		"tunnel, other host":    {host: "other.example", answer: egresstest.OpenTunnel, code: "tls_certificate", phase: egress.PhaseTLS, atProxy: 1},
		"a proxy that does not": {host: "127.0.0.1", answer: "HTTP/1.1 403 No\r\n\r\n", code: egress.CodeProxy, phase: egress.PhaseConnect, atProxy: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, _ := serveTLS(t, &tls.Config{
				Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{Hosts: []string{test.host}})},
				NextProtos:   []string{"http/1.1"},
			})
			options, proxy := profile.Options{TLS: profile.TLS{CAFile: authority.CAFile}}, &egresstest.Proxy{}
			if test.answer != "" {
				proxy = egresstest.NewProxy(t, test.answer, "")
				options.Egress.Proxy = proxy.URL
			}
			conn, err := newDialer(t, newProfile(t, options, "127.0.0.0/8"), egress.Options{}).ConnectTLS(t.Context(), "tcp", addr, "http/1.1")
			if got := len(proxy.Asked); got != test.atProxy {
				t.Errorf("the proxy was asked %d times, want %d", got, test.atProxy)
			}
			if test.code == "" {
				if err != nil {
					t.Fatal(err)
				}
				if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != "http/1.1" {
					t.Errorf("the protocol is %q", got)
				}
				_ = conn.Close()
				return
			}
			dial, _ := errors.AsType[*egress.DialError](err)
			if _, code := egress.Classify(err); conn != nil || dial == nil || dial.Phase != test.phase || code != test.code {
				t.Errorf("got %v, %v, classified as %s", conn, err, code)
			}
		})
	}
}

func TestTLSWithAPeerThatSpeaksHTTP(t *testing.T) {
	t.Parallel()
	addr := fakepeer.Raw(t, func(conn *net.TCPConn, _ *bufio.Reader) {
		_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	})
	d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{})
	_, err := d.DialTLS(t.Context(), "tcp", addr)
	if _, code := egress.Classify(err); code != "tls_handshake" {
		t.Errorf("classified as %s: %v", code, err)
	}
}

func TestTLSHandshakeTimeout(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	d := newDialer(t, newProfile(t, profile.Options{}, "127.0.0.0/8"), egress.Options{HandshakeTimeout: time.Millisecond})
	_, err = d.DialTLS(t.Context(), "tcp", listener.Addr().String())
	if _, code := egress.Classify(err); code != "tls_timeout" {
		t.Errorf("classified as %s: %v", code, err)
	}
}

func TestTLSProtocols(t *testing.T) {
	t.Parallel()
	authority := egresstest.NewAuthority(t)
	addr, _ := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})},
		NextProtos:   []string{"h2", "http/1.1"},
	})
	d := newDialer(t, newProfile(t, profile.Options{TLS: profile.TLS{CAFile: authority.CAFile}}, "127.0.0.0/8"), egress.Options{})
	for _, protocols := range [][]string{{"h2", "http/1.1"}, {"http/1.1"}} {
		conn, err := d.DialTLS(t.Context(), "tcp", addr, protocols...)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.ConnectionState().NegotiatedProtocol; got != protocols[0] {
			t.Errorf("offered %v, got %q", protocols, got)
		}
		_ = conn.Close()
	}
}

func TestTLSClientCertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	authority, dir := egresstest.NewAuthority(t), t.TempDir()
	addr, clients := serveTLS(t, &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authority.Pool,
	})
	certFile, keyFile := egresstest.WriteFiles(t, dir, authority.Issue(t, egresstest.Certificate{Serial: 7}))
	d := newDialer(t, newProfile(t, profile.Options{TLS: profile.TLS{
		CAFile: authority.CAFile, CertFile: certFile, KeyFile: keyFile}}, "127.0.0.0/8"), egress.Options{})
	serial := func() int64 {
		conn, err := d.DialTLS(t.Context(), "tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return (<-clients).SerialNumber.Int64()
	}
	if got := serial(); got != 7 {
		t.Fatalf("serial %d, want 7", got)
	}
	egresstest.WriteFiles(t, dir, authority.Issue(t, egresstest.Certificate{Serial: 8}))
	touch(t, certFile, time.Hour)
	if got := serial(); got != 8 {
		t.Errorf("serial %d after the change, want 8", got)
	}
	if err := os.WriteFile(keyFile, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(t, keyFile, 2*time.Hour)
	if got := serial(); got != 8 {
		t.Errorf("serial %d while the key is unreadable, want 8", got)
	}
}

// touch makes a change visible on file systems with coarse time stamps.
func touch(t *testing.T, path string, later time.Duration) {
	t.Helper()
	at := time.Now().Add(later)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestTLSFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, settings := range map[string]profile.TLS{
		"CA without certificates": {CAFile: empty},
		"empty certificate":       {CertFile: empty, KeyFile: empty},
		"missing key":             {CertFile: empty, KeyFile: filepath.Join(dir, "none.pem")},
	} {
		d := newDialer(t, newProfile(t, profile.Options{TLS: settings}), egress.Options{})
		_, err := d.TLSConfig("example.com")
		if !errors.Is(err, egress.ErrTLSFile) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTLSConfigDefaults(t *testing.T) {
	t.Parallel()
	config, err := newDialer(t, profile.Default(), egress.Options{}).TLSConfig("example.com")
	if err != nil {
		t.Fatal(err)
	}
	if config.MinVersion != tls.VersionTLS12 || config.InsecureSkipVerify || config.ServerName != "example.com" || config.RootCAs != nil {
		t.Errorf("got %+v", config)
	}
}

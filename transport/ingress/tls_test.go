package ingress_test

import (
	"crypto/tls"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/ingress"
)

func TestTLSFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	nothing := filepath.Join(dir, "empty.pem")
	if err := os.WriteFile(nothing, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		files ingress.TLS
		fault string
	}{
		{ingress.TLS{}, "needs both"},
		{ingress.TLS{CertFile: nothing}, "needs both"},
		{ingress.TLS{CertFile: nothing, KeyFile: nothing}, "read the certificate"},
		{ingress.TLS{CertFile: filepath.Join(dir, "missing"), KeyFile: nothing}, "read the certificate"},
	} {
		if _, err := test.files.Config(); err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%+v: %v, want %q", test.files, err, test.fault)
		}
	}
}

// TestTLSCertificateIsReadAgainWhenItChanges, for connections that are made from then
// on; one that cannot be read is told, and the one before stays in use.
func TestTLSCertificateIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		authority := egresstest.NewAuthority(t)
		var faults []string
		certFile, keyFile := egresstest.WriteFiles(t, dir, authority.Issue(t, egresstest.Certificate{Serial: 7}))
		config, err := ingress.TLS{CertFile: certFile, KeyFile: keyFile, OnFault: func(err error) { faults = append(faults, err.Error()) }}.Config()
		if err != nil {
			t.Fatal(err)
		}
		dial := serve(t, func(http.ResponseWriter, *http.Request) {}, ingress.Options{TLS: config})
		connect := func() *tls.Conn {
			c := tls.Client(dial(), &tls.Config{RootCAs: authority.Pool, ServerName: "localhost"})
			if err := c.HandshakeContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			return c
		}
		serial := func() int64 {
			c := connect()
			defer c.NetConn().Close()
			return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
		}
		kept := connect()
		defer kept.NetConn().Close()
		egresstest.WriteFiles(t, dir, authority.Issue(t, egresstest.Certificate{Serial: 8}))
		touch(t, certFile, time.Hour)
		if got := serial(); got != 7 {
			t.Errorf("serial %d, want 7: the files are looked at once a second", got)
		}
		<-time.After(time.Second)
		if got := serial(); got != 8 {
			t.Errorf("serial %d after the change, want 8", got)
		}
		if err := os.WriteFile(keyFile, []byte("half written"), 0o600); err != nil {
			t.Fatal(err)
		}
		touch(t, keyFile, 2*time.Hour)
		for range 2 {
			<-time.After(time.Second)
			if got := serial(); got != 8 {
				t.Errorf("serial %d while the key is unreadable, want 8", got)
			}
		}
		if len(faults) != 1 || !strings.Contains(faults[0], "read the certificate") || strings.Contains(faults[0], "half written") {
			t.Errorf("told %q, want that the certificate cannot be read, once", faults)
		}
		if _, err := kept.Write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n")); err != nil {
			t.Errorf("the connection from before: %v", err)
		}
	})
}

// touch makes a change visible on file systems with coarse time stamps.
func touch(t *testing.T, path string, later time.Duration) {
	t.Helper()
	at := time.Now().Add(later)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := ingress.Listen(t.Context(), "127.0.0.1:0", nil, ingress.Options{MaxConns: -1, IdleTimeout: -1, TLS: &tls.Config{}})
	if err == nil || !strings.Contains(err.Error(), "MaxConns") || !strings.Contains(err.Error(), "IdleTimeout") {
		t.Errorf("%v, want both fields named", err)
	}
}

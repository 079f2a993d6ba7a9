package ingress_test

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := ingress.Listen(t.Context(), "127.0.0.1:0", nil, ingress.Options{MaxConns: -1, IdleTimeout: -1, TLS: &tls.Config{}})
	if err == nil || !strings.Contains(err.Error(), "MaxConns") || !strings.Contains(err.Error(), "IdleTimeout") {
		t.Errorf("%v, want both fields named", err)
	}
}

package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/outrider-go/outrider/internal/livefile"
	"github.com/outrider-go/outrider/profile"
)

// tlsFiles is a profile's TLS with its files, each read when first needed and
// again after it changed.
type tlsFiles struct {
	settings profile.TLS
	roots    *livefile.Value[*x509.CertPool]
	client   *livefile.Value[*tls.Certificate]
}

func newTLSFiles(settings profile.TLS) tlsFiles {
	return tlsFiles{
		settings: settings,
		roots: livefile.New(func() (*x509.CertPool, error) { return loadRoots(settings.CAFile) },
			livefile.Options{}, settings.CAFile),
		client: livefile.New(func() (*tls.Certificate, error) { return loadClient(settings) },
			livefile.Options{}, settings.CertFile, settings.KeyFile),
	}
}

// TLSConfig returns the profile's TLS for a connection to host: TLS 1.2 or
// later, the profile's CA file or the system's roots, its client certificate,
// and verification unless the profile switches that off. It is the caller's to
// change. The error says which file is unreadable.
func (d *Dialer) TLSConfig(host string) (*tls.Config, error) {
	settings := d.tls.settings
	config := &tls.Config{
		MinVersion:         tls.VersionTLS12,
		ServerName:         host,
		InsecureSkipVerify: settings.InsecureSkipVerify, //nolint:gosec // only where the profile says so
	}
	if settings.ServerName != "" {
		config.ServerName = settings.ServerName
	}
	if settings.CAFile != "" {
		roots, err := d.tls.roots.Get()
		if err != nil {
			return nil, err
		}
		config.RootCAs = roots
	}
	if settings.CertFile != "" {
		if _, err := d.tls.client.Get(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return d.tls.client.Get()
		}
	}
	return config, nil
}

// ErrTLSFile is the kind of error for a CA, certificate or key file of the
// profile that is missing or unreadable.
var ErrTLSFile = errors.New("tls file of the profile")

func loadRoots(path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path) //nolint:gosec // the operator names the file
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTLSFile, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%w: %s holds no PEM certificate", ErrTLSFile, path)
	}
	return pool, nil
}

func loadClient(settings profile.TLS) (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(settings.CertFile, settings.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %s with %s: %w", ErrTLSFile, settings.CertFile, settings.KeyFile, err)
	}
	return &pair, nil
}

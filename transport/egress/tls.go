package egress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/outrider-go/outrider/profile"
)

// tlsFiles is a profile's TLS with its files, each read when first needed and
// again after it changed.
type tlsFiles struct {
	settings profile.TLS
	roots    *watched[*x509.CertPool]
	client   *watched[*tls.Certificate]
}

func newTLSFiles(settings profile.TLS) tlsFiles {
	return tlsFiles{
		settings: settings,
		roots: &watched[*x509.CertPool]{
			paths: []string{settings.CAFile},
			load:  func() (*x509.CertPool, error) { return loadRoots(settings.CAFile) },
		},
		client: &watched[*tls.Certificate]{
			paths: []string{settings.CertFile, settings.KeyFile},
			load:  func() (*tls.Certificate, error) { return loadClient(settings) },
		},
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
		roots, err := d.tls.roots.get()
		if err != nil {
			return nil, err
		}
		config.RootCAs = roots
	}
	if settings.CertFile != "" {
		if _, err := d.tls.client.get(); err != nil {
			return nil, err
		}
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return d.tls.client.get()
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

// watched keeps what was loaded from files until one of them changes. It is safe
// for concurrent use; two callers may load at the same time.
type watched[T any] struct {
	paths  []string
	load   func() (T, error)
	loaded atomic.Pointer[loaded[T]]
}

type loaded[T any] struct {
	stamp [2]fileStamp
	value T
}

type fileStamp struct {
	modified time.Time
	size     int64
}

// get returns what the files hold. While they are being replaced they may be
// unreadable or not fit each other: what was loaded before then stays in use.
func (w *watched[T]) get() (T, error) {
	before := w.loaded.Load()
	stamp, err := w.stamp()
	if before != nil && (err != nil || stamp == before.stamp) {
		return before.value, nil //nolint:nilerr // see above
	}
	value, err := w.load()
	switch {
	case err == nil:
		w.loaded.Store(&loaded[T]{stamp, value})
	case before != nil:
		return before.value, nil
	}
	return value, err
}

func (w *watched[T]) stamp() (stamps [2]fileStamp, err error) {
	for i, path := range w.paths {
		info, err := os.Stat(path)
		if err != nil {
			return stamps, fmt.Errorf("%w: %w", ErrTLSFile, err)
		}
		stamps[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return stamps, nil
}

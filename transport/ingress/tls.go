package ingress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/outrider-go/outrider/internal/livefile"
)

// lookEvery is how often the files of a certificate are looked at, at most.
const lookEvery = time.Second

// TLS names the files that a receiver is secured with. The certificate and its key
// are read again when they have changed: connections that are made from then on have
// the new one.
type TLS struct {
	CertFile string // PEM: the certificate, and those that vouch for it
	KeyFile  string // PEM: its key
	// ClientCAFile is PEM: who vouches for the certificates of peers, which must
	// show one. Default: peers need none.
	ClientCAFile string
	// ClientOptional lets in peers without a certificate. Default: they need one,
	// where ClientCAFile is set.
	ClientOptional bool
	// OnFault is told when a certificate that has changed cannot be read, and the one
	// before stays in use: once, until the error is another one. Handshakes wait for
	// it. Default: nobody is told.
	OnFault func(error)
}

// Config reads the files. No error holds anything of the key.
func (t TLS) Config() (*tls.Config, error) {
	if t.CertFile == "" || t.KeyFile == "" {
		return nil, errors.New("tls needs both a certificate file and a key file")
	}
	certificate := livefile.New(t.certificate, livefile.Options{Every: lookEvery, OnFault: t.OnFault}, t.CertFile, t.KeyFile)
	if _, err := certificate.Get(); err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.Get() },
	}
	if t.ClientCAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(t.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("read who vouches for peers: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", t.ClientCAFile)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if t.ClientOptional {
		config.ClientAuth = tls.VerifyClientCertIfGiven
	}
	return config, nil
}

func (t TLS) certificate() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	return &pair, nil
}

package ingress

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLS names the files that a receiver is secured with.
type TLS struct {
	CertFile string // PEM: the certificate, and those that vouch for it
	KeyFile  string // PEM: its key
	// ClientCAFile is PEM: who vouches for the certificates of peers, which must
	// show one. Default: peers need none.
	ClientCAFile string
	// ClientOptional lets in peers without a certificate. Default: they need one,
	// where ClientCAFile is set.
	ClientOptional bool
}

// Config reads the files. No error holds anything of the key.
func (t TLS) Config() (*tls.Config, error) {
	if t.CertFile == "" || t.KeyFile == "" {
		return nil, errors.New("tls needs both a certificate file and a key file")
	}
	certificate, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
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

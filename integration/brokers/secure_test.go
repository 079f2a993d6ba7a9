//go:build unix

package brokers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
	"github.com/outrider-go/outrider/transport/outbound/amqpout"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	peer := start(t, rhea("plain"))
	d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{})
	for _, test := range []struct {
		user  string
		class transport.Class
		code  string
	}{
		{"alice:secret@", transport.Success, "accepted"},
		{"alice:mistaken@", transport.Temporary, "sasl"},
		{"bob:secret@", transport.Temporary, "sasl"},
		{"", transport.Temporary, "sasl"}, // ANONYMOUS is not offered
	} {
		_, attempt := d.once("amqp://" + test.user + peer.address() + "/sink")
		if attempt.Class != test.class || attempt.Code != test.code {
			t.Errorf("%q: class %s, code %q, %s; want %s, %q", test.user, attempt.Class, attempt.Code, attempt.Error, test.class, test.code)
		}
		if strings.Contains(attempt.Error, "secret") || strings.Contains(attempt.Error, "mistaken") {
			t.Errorf("%q: the error has the password: %s", test.user, attempt.Error)
		}
	}
}

// TestExternal logs in with a client certificate.
func TestExternal(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	authority := newAuthority(t, folder, "ca")
	authority.issue("server", x509.ExtKeyUsageServerAuth)
	authority.issue("client", x509.ExtKeyUsageClientAuth)
	newAuthority(t, folder, "other")
	peer := start(t, rhea("tls", folder))
	in := func(name string) string { return filepath.Join(folder, name) }
	for _, test := range []struct {
		name  string
		tls   profile.TLS
		class transport.Class
	}{
		{"with a certificate", profile.TLS{CAFile: in("ca.pem"), CertFile: in("client.pem"), KeyFile: in("client.key")}, transport.Success},
		{"without", profile.TLS{CAFile: in("ca.pem")}, transport.Temporary},
		{"a peer of another authority", profile.TLS{CAFile: in("other.pem")}, transport.Temporary},
	} {
		d := startDelivery(t, outbound.Options{}, amqpout.Options{}, profile.Options{TLS: test.tls})
		_, attempt := d.once("amqps://" + peer.address() + "/sink")
		if attempt.Class != test.class {
			t.Errorf("%s: class %s, code %q, %s; want %s", test.name, attempt.Class, attempt.Code, attempt.Error, test.class)
		}
	}
}

// authority issues certificates into a folder.
type authority struct {
	t           *testing.T
	folder      string
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T, folder, name string) *authority {
	t.Helper()
	a := &authority{t: t, folder: folder}
	a.certificate = &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.key = a.create(name, a.certificate)
	return a
}

func (a *authority) issue(name string, usage x509.ExtKeyUsage) {
	a.t.Helper()
	a.create(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	})
}

// create writes a certificate and its key to name.pem and name.key. The first one
// signs itself.
func (a *authority) create(name string, template *x509.Certificate) *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	signer := a.key
	if signer == nil {
		signer = key
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	certificate, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: certificate},
		name + ".key": {Type: "PRIVATE KEY", Bytes: encoded},
	} {
		if err := os.WriteFile(filepath.Join(a.folder, file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return key
}

package inbound

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
)

// Origin says where a session comes from: the connection, and what the peer
// showed when it opened it. It does not change once its session is open, and is the
// session's from then on.
type Origin struct {
	Scheme string // the transport's
	Local  string // host:port the connection came in at
	Remote string // host:port of the peer, or of a proxy before it
	Path   string // of the URL, where there is one
	// Query of the URL, as it came. Some hide tokens in it.
	Query transport.Secret
	// Header is what came beside: HTTP headers without those of HTTP itself and
	// those that hold secrets. Not to be changed.
	Header transport.Metadata
	// Token is the bearer token of the Authorization header, or the x-api-key.
	Token transport.Secret
	// Certificate is the peer's, where one was asked for and verified.
	Certificate *x509.Certificate
	// Profile is whom all that comes from here is for, where the connection says so:
	// one that this side has opened. Default: the [Tenants] say it.
	Profile *profile.Profile

	format string // name of the wire format of all that comes from here, or empty
}

// httpOnly are headers that belong to HTTP, or to the one connection, or hold
// secrets.
var httpOnly = map[string]bool{
	"Accept": true, "Accept-Charset": true, "Accept-Encoding": true, "Accept-Language": true,
	"Authorization": true, "Cache-Control": true, "Connection": true, "Content-Encoding": true,
	"Content-Length": true, "Content-Type": true, "Cookie": true, "Dnt": true, "Expect": true,
	"Host": true, "Keep-Alive": true, "Pragma": true, "Proxy-Authorization": true,
	"Proxy-Connection": true, "Referer": true, "Te": true, "Trailer": true,
	"Transfer-Encoding": true, "Upgrade": true, "User-Agent": true, "X-Api-Key": true,
}

// HTTPOrigin returns the origin of an HTTP request, or of a WebSocket's handshake.
// The error wraps [ErrMalformed]: there are more headers than metadata may have.
func HTTPOrigin(scheme string, r *http.Request) (*Origin, error) {
	header, err := metadataOf(r.Header)
	if err != nil {
		return nil, err
	}
	o := &Origin{
		Scheme: scheme, Remote: r.RemoteAddr, Path: r.URL.Path,
		Query: transport.NewSecret(r.URL.RawQuery), Header: header, Token: tokenOf(r.Header),
	}
	switch local := r.Context().Value(http.LocalAddrContextKey).(type) {
	case *net.TCPAddr:
		o.Local = local.AddrPort().String() // as String does, with less memory
	case net.Addr:
		o.Local = local.String()
	}
	if r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		o.Certificate = r.TLS.VerifiedChains[0][0]
	}
	return o, nil
}

func metadataOf(header http.Header) (transport.Metadata, error) {
	var m transport.Metadata
	total := 0
	for name, values := range header {
		if httpOnly[name] || strings.HasPrefix(name, "Sec-") {
			continue
		}
		if m == nil {
			m = transport.Metadata{}
		}
		value := values[0]
		if len(values) > 1 {
			value = strings.Join(values, ", ")
		}
		m[name] = value
		total += len(name) + len(value)
	}
	if len(m) > transport.MaxMetadataEntries || total > transport.MaxMetadataBytes {
		return nil, fmt.Errorf("%w: more than %d headers, or %d bytes of them", ErrMalformed, transport.MaxMetadataEntries, transport.MaxMetadataBytes)
	}
	return m, nil
}

func tokenOf(header http.Header) transport.Secret {
	const bearer = "bearer "
	if auth := header.Get("Authorization"); len(auth) > len(bearer) && strings.EqualFold(auth[:len(bearer)], bearer) {
		return transport.NewSecret(strings.TrimSpace(auth[len(bearer):]))
	}
	return transport.NewSecret(header.Get("X-Api-Key"))
}

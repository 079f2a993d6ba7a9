package ingress

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Hosts are the names by which peers may call a server that nothing but the machine
// it runs on keeps from strangers. A page that a browser on that machine shows may
// have its own name resolved to it (DNS rebinding), and is then of the same origin
// as the server.
type Hosts []string

// Validate names each that is no name.
func (h Hosts) Validate() error {
	var faults []error
	for _, name := range h {
		if name == "" || strings.ContainsAny(name, "/:@*[] \t") {
			faults = append(faults, fmt.Errorf("allowed host %q: want a name such as inbox.example.com, without a port", name))
		}
	}
	return errors.Join(faults...)
}

// Allow reports whether a request with this Host header may come in: it is one of
// the names, on any port, or one that no DNS server can have had a say in, which is
// an IP address or localhost. Without one, the request is not a browser's.
func (h Hosts) Allow(hostPort string) bool {
	host := hostOf(hostPort)
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost") ||
		slices.ContainsFunc(h, func(name string) bool { return strings.EqualFold(name, host) })
}

func hostOf(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return strings.TrimSuffix(strings.TrimPrefix(hostPort, "["), "]")
}

// guard has requests that call the server by another name refused.
func (h Hosts) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.Allow(r.Host) {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Connection", "close")
		http.Error(w, "the host is neither an IP address nor localhost: "+
			"use one of these, or add it to AllowedHosts (inbound.allowed_hosts)", http.StatusForbidden)
	})
}

// isLocal reports an address that only this machine reaches.
func isLocal(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

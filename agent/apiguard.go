package agent

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// admit checks that a request may use the API. Where there is a token, it must
// carry it. Where there is none, whoever is on this machine may use it, but not
// the pages that a browser on this machine shows.
func (s *api) admit(w http.ResponseWriter, r *http.Request) error {
	if s.secured {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		given := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if strings.EqualFold(scheme, "bearer") && subtle.ConstantTimeCompare(given[:], s.tokenHash[:]) == 1 {
			return nil
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="outrider"`)
		return problem(kindUnauthorized, "send the token of the api: Authorization: Bearer TOKEN")
	}
	if !s.hosts.Allow(r.Host) {
		return problem(kindForbidden, "the host is neither an IP address nor localhost: use one of these, add it to api.allowed_hosts, or set api.token")
	}
	// A read from a foreign page is refused too, so every method counts as unsafe.
	asUnsafe := http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host, URL: r.URL}
	if http.NewCrossOriginProtection().Check(&asUnsafe) != nil {
		return problem(kindForbidden, "the request comes from a page of another origin")
	}
	return nil
}

package ingress

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// Address reads a URL to listen at, such as http://127.0.0.1:8020, of one of the
// schemes. It returns the scheme and the host:port; the port may be left out, and a
// path says nothing, since all are served. No error repeats the text.
func Address(text string, schemes ...string) (scheme, hostPort string, err error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "", "", errors.New("want a URL such as " + schemes[0] + "://127.0.0.1:8020")
	case !slices.Contains(schemes, u.Scheme):
		return "", "", fmt.Errorf("scheme %q: want %s", u.Scheme, strings.Join(schemes, ", "))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", "", errors.New("user information, a query or a fragment means nothing in an address to listen at: leave it out")
	}
	port := u.Port()
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure(u.Scheme)]
	}
	return u.Scheme, net.JoinHostPort(u.Hostname(), port), nil
}

func secure(scheme string) bool { return scheme == "https" || scheme == "wss" }

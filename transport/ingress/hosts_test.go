package ingress_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/ingress"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	hosts := ingress.Hosts{"inbox.example.com", "devbox"}
	for host, want := range map[string]bool{
		"127.0.0.1":                true,
		"127.0.0.1:8020":           true,
		"[::1]:8020":               true,
		"[::1]":                    true,
		"192.0.2.1:8020":           true,
		"LocalHost:8020":           true,
		"Inbox.example.com":        true,
		"inbox.example.com:443":    true,
		"devbox:1":                 true,
		"":                         true,
		"attacker.example":         false,
		"attacker.example:8020":    false,
		"a.inbox.example.com":      false,
		"localhost.attacker.org":   false,
		"127.0.0.1.attacker.org":   false,
		"inbox.example.com.evil.":  false,
		"attacker.example:a:b":     false,
		"[attacker.example]:8020":  false,
		"127.0.0.1@attacker.org":   false,
		"127.0.0.1:80:attacker.or": false,
	} {
		if got := hosts.Allow(host); got != want {
			t.Errorf("Allow(%q) is %v, want %v", host, got, want)
		}
	}
}

func TestHostsAreNames(t *testing.T) {
	t.Parallel()
	if err := (ingress.Hosts{"inbox.example.com", "devbox", "xn--bcher-kva.example"}).Validate(); err != nil {
		t.Error(err)
	}
	wrong := ingress.Hosts{"", "https://inbox.example.com", "inbox.example.com:443", "*.example.com", "a b"}
	err := ingress.Options{AllowedHosts: wrong}.Validate()
	for _, name := range wrong {
		if err == nil || !strings.Contains(err.Error(), `"`+name+`"`) {
			t.Errorf("%v, want %q named", err, name)
		}
	}
}

// TestANameThatWasReboundIsRefused where only the machine keeps strangers out.
func TestANameThatWasReboundIsRefused(t *testing.T) {
	t.Parallel()
	allowed := ingress.Options{AllowedHosts: ingress.Hosts{"inbox.example.com"}}
	authority := egresstest.NewAuthority(t)
	secured := ingress.Options{TLS: &tls.Config{Certificates: []tls.Certificate{authority.Issue(t, egresstest.Certificate{})}}}
	for _, test := range []struct {
		name, address, host string
		options             ingress.Options
		want                int
	}{
		{name: "an address", address: "127.0.0.1:0", host: "127.0.0.1:80", want: 200},
		{name: "rebound", address: "127.0.0.1:0", host: "attacker.example", want: 403},
		{name: "rebound to a name", address: "localhost:0", host: "attacker.example", want: 403},
		{name: "allowed", address: "127.0.0.1:0", host: "inbox.example.com", options: allowed, want: 200},
		{name: "another than allowed", address: "127.0.0.1:0", host: "attacker.example", options: allowed, want: 403},
		{name: "secured", address: "127.0.0.1:0", host: "inbox.example.com", options: secured, want: 200},
		{name: "not on loopback", address: ":0", host: "inbox.example.com", want: 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := ingress.Listen(t.Context(), test.address, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), test.options)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(s.Close)
			status, body := get(t, s.Addr().(*net.TCPAddr).Port, test.host, test.options.TLS != nil, authority)
			if status != test.want || status == http.StatusForbidden && !strings.Contains(body, "inbound.allowed_hosts") {
				t.Errorf("%d: %s, want %d", status, body, test.want)
			}
		})
	}
}

// get asks a server on this machine, by whatever name.
func get(t *testing.T, port int, host string, secured bool, authority *egresstest.Authority) (status int, body string) {
	t.Helper()
	scheme := map[bool]string{false: "http", true: "https"}[secured]
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s://localhost:%d/", scheme, port), nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool}}}
	defer client.CloseIdleConnections()
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

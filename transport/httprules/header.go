package httprules

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/outrider-go/outrider/transport"
)

// APIKeyHeader carries the endpoint's API key.
const APIKeyHeader = "X-Api-Key" //nolint:gosec // the name, not a key

// IsToken reports a token of RFC 9110 section 5.6.2: what a header's name is.
func IsToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// IsValue reports text that is safe in a header: without control characters.
func IsValue(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// reserved are the headers that frame a request or belong to one connection.
var reserved = map[string]bool{
	"Connection":          true,
	"Content-Length":      true,
	"Expect":              true,
	"Host":                true,
	"Http2-Settings":      true,
	"Keep-Alive":          true,
	"Proxy-Authenticate":  true,
	"Proxy-Authorization": true,
	"Proxy-Connection":    true,
	"Te":                  true,
	"Trailer":             true,
	"Transfer-Encoding":   true,
	"Upgrade":             true,
}

// IsReserved reports a header, by its canonical name, that frames a request or
// belongs to one connection: it is every transport's own.
func IsReserved(key string) bool { return reserved[key] }

// Key returns the canonical name of the header that an entry of a message's
// metadata becomes, or why it cannot become one. The error never has the value.
func Key(e transport.Endpoint, name, value string) (string, error) {
	if !IsToken(name) {
		return "", fmt.Errorf("%q is not a header name: use letters, digits and hyphens", name)
	}
	if !IsValue(value) {
		return "", fmt.Errorf("the value of %q has a control character", name)
	}
	key := http.CanonicalHeaderKey(name)
	if key == APIKeyHeader && !e.APIKey().IsZero() || key == "Authorization" && e.URL().User != nil {
		return "", fmt.Errorf("%q is set from the endpoint: remove it from one of the two", name)
	}
	if IsReserved(key) {
		return "", ErrReserved(name)
	}
	return key, nil
}

// ErrTwice is the fault of metadata that gives one header in two spellings.
func ErrTwice(name string) error {
	return fmt.Errorf("%q is there twice, in different spellings: remove one", name)
}

// ErrReserved is the fault of metadata with a header that is the transport's own.
func ErrReserved(name string) error {
	return fmt.Errorf("%q is set by the transport: remove it", name)
}

// ErrControl is the fault of a text that no header can carry.
var ErrControl = errors.New("has a control character: remove it")

// BasicAuth is the value of the Authorization header for a URL's user (RFC 7617).
func BasicAuth(user *url.Userinfo) string {
	password, _ := user.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password))
}

package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxEndpointLength is the longest endpoint accepted, in bytes.
const MaxEndpointLength = 8 << 10

// Endpoint is the URI a message goes to, parsed once. The zero value is no
// endpoint.
//
// Text after a "#" is not part of the URI: it is an API key, as in ACA-Py's
// url#api_key, and goes to [Endpoint.APIKey]. A second "#" ends the key.
//
// String, Format, MarshalText and every error redact: user information, the values of
// the query and the key never show. [Endpoint.Whole] gives the whole text, and
// is for the store and for the transport that dials.
type Endpoint struct{ parsed *parsedEndpoint }

// parsedEndpoint holds what may be secret behind pointers: given a verb that
// does not fit, fmt prints the struct that an unexported field points to, and
// calls no methods on the way.
type parsedEndpoint struct {
	url         *url.URL // without the fragment
	host, port  string   // as Host and Port give them
	key         Secret
	whole       Secret
	redacted    string
	destination string
}

// EndpointError says why a text is not an endpoint. It does not repeat the text.
type EndpointError struct {
	Reason string // what is wrong and what to do
}

func (e *EndpointError) Error() string { return "endpoint: " + e.Reason }

// ParseEndpoint reads a URI. It needs a scheme, is at most [MaxEndpointLength]
// bytes long, is UTF-8 and has no control characters or spaces. A scheme whose
// default port is known (http, https, ws, wss, amqp, amqps) needs a host. Scheme
// and host are lower-cased. Errors are of type [*EndpointError].
func ParseEndpoint(text string) (Endpoint, error) {
	switch {
	case text == "":
		return Endpoint{}, &EndpointError{"is empty: give a URI such as https://example.com/inbox"}
	case len(text) > MaxEndpointLength:
		return Endpoint{}, &EndpointError{"is longer than 8192 bytes"}
	case hasControl(text) || strings.ContainsAny(text, " \t"):
		return Endpoint{}, &EndpointError{"has a control character or a space: percent-encode it"}
	case !utf8.ValidString(text):
		return Endpoint{}, &EndpointError{"is not UTF-8: percent-encode other bytes"}
	}
	uri, key, _ := strings.Cut(text, "#")
	key, _, _ = strings.Cut(key, "#")
	u, err := url.Parse(uri)
	if err != nil {
		return Endpoint{}, &EndpointError{parseReason(err)}
	}
	if u.Scheme == "" {
		return Endpoint{}, &EndpointError{"has no scheme: write it in full, such as https://example.com/inbox"}
	}
	if reason := cleanAuthority(u); reason != "" {
		return Endpoint{}, &EndpointError{reason}
	}
	p := &parsedEndpoint{url: u, key: NewSecret(key), whole: NewSecret(text), host: u.Hostname(), port: portOf(u)}
	p.redacted = redactURL(u)
	p.destination = destination(u)
	return Endpoint{p}, nil
}

// cleanAuthority brings host and port into one form, or says what is wrong.
func cleanAuthority(u *url.URL) (reason string) {
	port := u.Port()
	host := strings.TrimSuffix(u.Host, ":"+port) // an empty port leaves its colon
	switch {
	case defaultPorts[u.Scheme] != "" && u.Hostname() == "":
		return "has no host: write it in full, such as " + u.Scheme + "://example.com/"
	case !utf8.ValidString(host) || strings.ContainsFunc(host, invisible):
		return "has a host with a character that is not allowed"
	case port == "" && host != u.Host && strings.Contains(u.Path, "@"):
		return "has user information with a slash: percent-encode it as %2F"
	}
	u.Host = strings.ToLower(host)
	if port == "" {
		return ""
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return "has a port that is not 1 to 65535"
	}
	u.Host += ":" + strconv.FormatUint(number, 10)
	return ""
}

func invisible(r rune) bool { return !unicode.IsGraphic(r) || unicode.IsSpace(r) }

// parseReason turns net/url's error, which repeats the text with its password,
// into a reason without it.
func parseReason(err error) string {
	text := err.Error()
	if parse, ok := errors.AsType[*url.Error](err); ok {
		text = parse.Err.Error()
	}
	for _, known := range []struct{ mark, reason string }{
		{"missing protocol scheme", "has no scheme: write it in full, such as https://example.com/inbox"},
		{"first path segment", "has no scheme: write it in full, such as https://example.com/inbox"},
		{"invalid port", "has a port that is not a number: put an IPv6 address in brackets, and write a slash in a password as %2F"},
		{"invalid userinfo", "has user information with a character that must be percent-encoded"},
		{"invalid URL escape", "has a percent sign that does not begin a valid escape"},
		{"missing ']'", "has an IPv6 address without its closing bracket"},
		{"IP-literal", "has brackets around what is not an IPv6 address"},
		{"in host name", "has a host with a character that is not allowed"},
	} {
		if strings.Contains(text, known.mark) {
			return known.reason
		}
	}
	return "is not a URI (RFC 3986)"
}

func redactURL(u *url.URL) string {
	var b strings.Builder
	b.WriteString(u.Scheme)
	b.WriteByte(':')
	switch {
	case u.Opaque != "":
		b.WriteString(redactBeforeAt(u.Opaque))
	case u.Host == "" && u.User == nil:
		if !u.OmitHost && u.Path != "" {
			b.WriteString("//")
		}
		b.WriteString(redactBeforeAt(u.EscapedPath()))
	default:
		b.WriteString("//")
		if u.User != nil {
			b.WriteString(redacted + "@")
		}
		b.WriteString(u.Host)
		b.WriteString(u.EscapedPath())
	}
	if u.RawQuery != "" {
		b.WriteByte('?')
		b.WriteString(redactQuery(u.RawQuery))
	}
	return b.String()
}

// redactBeforeAt hides what may be user information in a URI without a host:
// there the slashes were forgotten, or one of them.
func redactBeforeAt(text string) string {
	if at := strings.LastIndexByte(text, '@'); at >= 0 {
		return redacted + text[at:]
	}
	return text
}

// redactQuery keeps the names of the parameters and hides their values. A
// parameter without a value is hidden whole, since it may be a token: base64
// ends in "=" too.
func redactQuery(query string) string {
	parts := strings.Split(query, "&")
	for i, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		if strings.Trim(value, "=") != "" {
			parts[i] = name + "=" + redacted
		} else if part != "" {
			parts[i] = redacted
		}
	}
	return strings.Join(parts, "&")
}

var defaultPorts = map[string]string{
	"http": "80", "https": "443", "ws": "80", "wss": "443", "amqp": "5672", "amqps": "5671",
}

// destination is the scheme and authority; for all but http(s) also the path,
// which names an AMQP address or a WebSocket resource.
func destination(u *url.URL) string {
	if u.Host == "" {
		plain := *u
		plain.RawQuery = ""
		return redactURL(&plain)
	}
	host := u.Host
	if port := u.Port(); port != "" && port == defaultPorts[u.Scheme] {
		host = strings.TrimSuffix(host, ":"+port)
	}
	text := u.Scheme + "://" + host
	if u.Scheme != "http" && u.Scheme != "https" {
		text += u.EscapedPath()
	}
	return text
}

// IsZero reports whether e is no endpoint.
func (e Endpoint) IsZero() bool { return e.parsed == nil }

// Scheme returns the scheme in lower case.
func (e Endpoint) Scheme() string {
	if e.parsed == nil {
		return ""
	}
	return e.parsed.url.Scheme
}

// Host returns the host without its port, and without the brackets of IPv6.
func (e Endpoint) Host() string {
	if e.parsed == nil {
		return ""
	}
	return e.parsed.host
}

// Port returns the port, the scheme's default where none is written, and ""
// where the scheme has none that is known here.
func (e Endpoint) Port() string {
	if e.parsed == nil {
		return ""
	}
	return e.parsed.port
}

func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	return defaultPorts[u.Scheme]
}

// Address returns host:port, for dialling.
func (e Endpoint) Address() string { return net.JoinHostPort(e.Host(), e.Port()) }

// URL returns the URI without the key. It carries the user information and the
// query: it is for the transport that dials, not for text.
func (e Endpoint) URL() url.URL {
	if e.parsed == nil {
		return url.URL{}
	}
	return *e.parsed.url
}

// APIKey returns the text after the "#".
func (e Endpoint) APIKey() Secret {
	if e.parsed == nil {
		return Secret{}
	}
	return e.parsed.key
}

// Destination names what the endpoint belongs to: scheme and authority, without
// the scheme's own port, and, for all schemes but http(s), the path. It holds no
// secret. Messages of one profile with one destination share a lane.
func (e Endpoint) Destination() string {
	if e.parsed == nil {
		return ""
	}
	return e.parsed.destination
}

// Whole returns the text that was parsed, key included, as a secret.
func (e Endpoint) Whole() Secret {
	if e.parsed == nil {
		return Secret{}
	}
	return e.parsed.whole
}

// String returns the endpoint without anything that may be secret.
func (e Endpoint) String() string {
	if e.parsed == nil {
		return ""
	}
	return e.parsed.redacted
}

// Format writes what String returns, whatever the verb; "%q" quotes it.
func (e Endpoint) Format(f fmt.State, verb rune) {
	if verb == 's' || verb == 'q' {
		_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), e.String())
		return
	}
	_, _ = io.WriteString(f, e.String())
}

// MarshalText returns what String returns.
func (e Endpoint) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

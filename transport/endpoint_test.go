package transport_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/transport"
)

// canary stands for what must never be printed.
const canary = "s3cr3tcanary"

func parse(t *testing.T, text string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return e
}

func TestParseEndpoint(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, shown, destination, scheme, address string
	}{
		{"https://example.com/inbox", "https://example.com/inbox", "https://example.com", "https", "example.com:443"},
		{"HTTPS://Example.COM/Inbox", "https://example.com/Inbox", "https://example.com", "https", "example.com:443"},
		{"http://h", "http://h", "http://h", "http", "h:80"},
		{"http://h:8080/a?b=c", "http://h:8080/a?b=***", "http://h:8080", "http", "h:8080"},
		{"http://h:80/", "http://h:80/", "http://h", "http", "h:80"},
		{"http://h:0080/", "http://h:80/", "http://h", "http", "h:80"},
		{"http://h:/a", "http://h/a", "http://h", "http", "h:80"},
		{"https://h:80/", "https://h:80/", "https://h:80", "https", "h:80"},
		{"http://h:65535/", "http://h:65535/", "http://h:65535", "http", "h:65535"},
		{"http://[::1]/", "http://[::1]/", "http://[::1]", "http", "[::1]:80"},
		{"http://[2001:DB8::1]:80/", "http://[2001:db8::1]:80/", "http://[2001:db8::1]", "http", "[2001:db8::1]:80"},
		{"https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443", "https", "[2001:db8::1]:8443"},
		{"http://[fe80::1%25eth0]:/", "http://[fe80::1%eth0]/", "http://[fe80::1%eth0]", "http", "[fe80::1%eth0]:80"},
		{"ws://h/chat?room=1", "ws://h/chat?room=***", "ws://h/chat", "ws", "h:80"},
		{"wss://h:443/chat", "wss://h:443/chat", "wss://h/chat", "wss", "h:443"},
		{"amqp://h/q1", "amqp://h/q1", "amqp://h/q1", "amqp", "h:5672"},
		{"amqps://h:5671/q1", "amqps://h:5671/q1", "amqps://h/q1", "amqps", "h:5671"},
		{"amqp://h//queue/q1", "amqp://h//queue/q1", "amqp://h//queue/q1", "amqp", "h:5672"},
		{"amqp://h/%2Fqueue", "amqp://h/%2Fqueue", "amqp://h/%2Fqueue", "amqp", "h:5672"},
		{"amqp://h/queues/a%20b", "amqp://h/queues/a%20b", "amqp://h/queues/a%20b", "amqp", "h:5672"},
		{"mem://box", "mem://box", "mem://box", "mem", "box:"},
		{"file:///a/b", "file:///a/b", "file:///a/b", "file", ":"},
		{"file:/a", "file:/a", "file:/a", "file", ":"},
		{"file:////a", "file:////a", "file:////a", "file", ":"},
		{"urn:a:b", "urn:a:b", "urn:a:b", "urn", ":"},
		{"mailto:me@example.com?subject=x", "mailto:***@example.com?subject=***", "mailto:***@example.com", "mailto", ":"},
		{"didcomm+mediator-1.0://h", "didcomm+mediator-1.0://h", "didcomm+mediator-1.0://h", "didcomm+mediator-1.0", "h:"},
		{"http://h/ü", "http://h/%C3%BC", "http://h", "http", "h:80"},
		{"http://h/users/me@example.com", "http://h/users/me@example.com", "http://h", "http", "h:80"},
		{"http://h?", "http://h", "http://h", "http", "h:80"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			e := parse(t, tt.text)
			if got := e.String(); got != tt.shown {
				t.Errorf("shown as %q, want %q", got, tt.shown)
			}
			if got := e.Destination(); got != tt.destination {
				t.Errorf("destination %q, want %q", got, tt.destination)
			}
			if e.Scheme() != tt.scheme || e.Address() != tt.address {
				t.Errorf("scheme %q, address %q; want %q, %q", e.Scheme(), e.Address(), tt.scheme, tt.address)
			}
			if e.IsZero() || e.Whole().Reveal() != tt.text {
				t.Errorf("whole is %q", e.Whole().Reveal())
			}
		})
	}
}

func TestParseEndpointRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, text, want string }{
		{"empty", "", "empty"},
		{"too long", "http://h/" + canary + strings.Repeat("a", transport.MaxEndpointLength), "longer than 8192"},
		{"newline", "http://h/" + canary + "\r\nX: y", "control"},
		{"NUL", "http://h/\x00" + canary, "control"},
		{"DEL", "http://h/\x7f" + canary, "control"},
		{"tab", "http://h/\t" + canary, "control"},
		{"space", "http://h/ " + canary, "control"},
		{"space in the key", "http://h/#a " + canary, "control"},
		{"not UTF-8", "http://h/\xff" + canary, "UTF-8"},
		{"no scheme", "example.com/" + canary, "no scheme"},
		{"no scheme, with slashes", "//example.com/" + canary, "no scheme"},
		{"only a path", "/" + canary, "no scheme"},
		{"only a key", "#" + canary, "no scheme"},
		{"no scheme before the colon", "://" + canary, "no scheme"},
		{"digit first", "1http://" + canary, "no scheme"},
		{"port is text", "http://u:" + canary, "port that is not a number"},
		{"password with a slash", "http://u:" + canary + "/x@h/", "%2F"},
		{"password that begins with a slash", "http://u:/" + canary + "@h/", "%2F"},
		{"password with a question mark", "http://u:" + canary + "?x@h/", "port"},
		{"password with a number sign", "http://u:" + canary + "#x@h/", "port"},
		{"two ports", "http://h:80:80/" + canary, "port"},
		{"bare IPv6", "http://::1/" + canary, "brackets"},
		{"port 0", "http://h:0/" + canary, "1 to 65535"},
		{"port too large", "http://h:65536/" + canary, "1 to 65535"},
		{"port far too large", "http://h:" + strings.Repeat("9", 100) + "/" + canary, "1 to 65535"},
		{"IPv6 not closed", "http://[::1" + canary, "closing bracket"},
		{"IPv4 in brackets", "http://[1.2.3.4]/" + canary, "brackets"},
		{"bad user", "http://u:" + canary + "^@h/", "user information"},
		{"bad escape in the path", "http://h/" + canary + "%zz", "percent"},
		{"bad escape in the password", "http://u:" + canary + "%zz@h/", "percent"},
		{"bad escape in the host", "http://h%41" + canary + "/", "percent"},
		{"backslash in the host", "http://h\\" + canary + "/", "host"},
		{"host that is not UTF-8", "http://%ff" + canary + "/", "host"},
		{"host that turns the line around", "http://%E2%80%AE" + canary + "/", "host"},
		{"space in a zone", "http://[fe80::1%25e%20" + canary + "]/", "host"},
		{"http without host", "http:///" + canary, "no host"},
		{"http with a port only", "http://:80/" + canary, "no host"},
		{"one slash", "https:/u:" + canary + "@h/", "no host"},
		{"no slash", "ws:" + canary, "no host"},
		{"amqp without host", "amqp://u:" + canary + "@/q", "no host"},
		{"scheme only", "amqps:", "no host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			e, err := transport.ParseEndpoint(tt.text)
			if _, ok := errors.AsType[*transport.EndpointError](err); !ok || !e.IsZero() {
				t.Fatalf("got %v, %v", e, err)
			}
			if !strings.HasPrefix(err.Error(), "endpoint: ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%q does not say %q", err, tt.want)
			}
			if strings.Contains(err.Error(), canary) {
				t.Errorf("the error repeats the text: %q", err)
			}
		})
	}
}

func TestEndpointLongestText(t *testing.T) {
	t.Parallel()
	text := "http://h/"
	text += strings.Repeat("a", transport.MaxEndpointLength-len(text))
	if got := parse(t, text).String(); got != text {
		t.Errorf("%d bytes came back", len(got))
	}
}

func TestEndpointRedacts(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, shown, destination string }{
		{"https://u:" + canary + "@h/a", "https://***@h/a", "https://h"},
		{"https://" + canary + "@h/a", "https://***@h/a", "https://h"},
		{"https://" + canary + ":@h/a", "https://***@h/a", "https://h"},
		{"https://u:p@" + canary + "@h/a", "https://***@h/a", "https://h"},
		{"https://u:%2F" + canary + "@h:8443/a", "https://***@h:8443/a", "https://h:8443"},
		{"https://@h/a", "https://***@h/a", "https://h"},
		{"amqps://u:" + canary + "@h/q", "amqps://***@h/q", "amqps://h/q"},
		{"amqps://u:" + canary + "@[::1]:5671//queue/q1", "amqps://***@[::1]:5671//queue/q1", "amqps://[::1]//queue/q1"},
		{"https://h/a#" + canary, "https://h/a", "https://h"},
		{"https://h/a#one#" + canary, "https://h/a", "https://h"},
		{"https://h/a?token=" + canary, "https://h/a?token=***", "https://h"},
		{"https://h/a?x=1&token=" + canary + "&y", "https://h/a?x=***&token=***&***", "https://h"},
		{"https://h/a?x=1;token=" + canary, "https://h/a?x=***", "https://h"},
		{"https://h/a?" + canary, "https://h/a?***", "https://h"},
		{"https://h/a?" + canary + "=", "https://h/a?***", "https://h"},
		{"https://h/a?" + canary + "==", "https://h/a?***", "https://h"},
		{"https://h/a?=" + canary, "https://h/a?=***", "https://h"},
		{"https://h/a?x=" + canary + "=" + canary, "https://h/a?x=***", "https://h"},
		{"https://h/a??" + canary, "https://h/a?***", "https://h"},
		{"ws://h/a?token=" + canary, "ws://h/a?token=***", "ws://h/a"},
		{"custom:u:" + canary + "@h/a", "custom:***@h/a", "custom:***@h/a"},
		{"custom:" + canary + "@x@h", "custom:***@h", "custom:***@h"},
		{"custom:/u:" + canary + "@h/a", "custom:***@h/a", "custom:***@h/a"},
		{"custom:///u:" + canary + "@h/a", "custom://***@h/a", "custom://***@h/a"},
		{"custom://u:" + canary + "@/a", "custom://***@/a", "custom://***@/a"},
		{"custom:a?b=" + canary, "custom:a?b=***", "custom:a"},
		{"custom:?" + canary, "custom:?***", "custom:"},
		{"u:" + canary + "@h/a", "u:***@h/a", "u:***@h/a"}, // the scheme was forgotten
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			e := parse(t, tt.text)
			if got := e.String(); got != tt.shown {
				t.Errorf("shown as %q, want %q", got, tt.shown)
			}
			if got := e.Destination(); got != tt.destination {
				t.Errorf("destination %q, want %q", got, tt.destination)
			}
			checkHidden(t, e)
		})
	}
}

func TestEndpointKey(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, uri, key string }{
		{"http://h/a#key", "http://h/a", "key"},
		{"http://h/a?b=c#key", "http://h/a?b=c", "key"},
		{"http://h/a#key#second", "http://h/a", "key"},
		{"http://h/a##second", "http://h/a", ""},
		{"http://h/a#", "http://h/a", ""},
		{"http://h/a", "http://h/a", ""},
		{"http://h/a#k%20y", "http://h/a", "k%20y"},
		{"http://h/a#k/e?y&=@", "http://h/a", "k/e?y&=@"},
		{"urn:a#key", "urn:a", "key"},
	}
	for _, tt := range tests {
		t.Run(tt.text, func(t *testing.T) {
			t.Parallel()
			e := parse(t, tt.text)
			if got := e.APIKey(); got.Reveal() != tt.key || got.IsZero() != (tt.key == "") {
				t.Errorf("key %q, want %q", got.Reveal(), tt.key)
			}
			if u := e.URL(); u.String() != tt.uri || u.Fragment != "" {
				t.Errorf("URI %q, want %q", u.String(), tt.uri)
			}
		})
	}
}

func TestEndpointURLKeepsWhatTheTransportNeeds(t *testing.T) {
	t.Parallel()
	e := parse(t, "AMQPS://u:p%2Fw@HOST:05671//queue/q%2F1?a=b")
	u := e.URL()
	password, _ := u.User.Password()
	if u.Scheme != "amqps" || u.Host != "host:5671" || u.User.Username() != "u" || password != "p/w" ||
		u.EscapedPath() != "//queue/q%2F1" || u.RawQuery != "a=b" {
		t.Errorf("got %+v", u)
	}
	u.Host = "changed"
	if again := e.URL(); again.Host != "host:5671" {
		t.Error("the endpoint changes with the URL it returned")
	}
}

func TestEndpointsOfOneDestination(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		same bool
	}{
		{"https://h/a", "https://h:443/b?c=d#key", true},
		{"https://u:p@h/", "HTTPS://H", true},
		{"https://h", "http://h", false},
		{"https://h", "https://h:8443", false},
		{"https://h", "https://h.example", false},
		{"wss://h/a", "wss://h:443/a?token=1", true},
		{"wss://h/a", "wss://h/b", false},
		{"amqp://h/q1", "amqp://u:p@h:5672/q1", true},
		{"amqp://h/q1", "amqp://h/q2", false},
		{"amqp://h/a/b", "amqp://h/a%2Fb", false},
		{"http://[::1]:80", "http://[::1]", true},
		{"custom://h:80", "custom://h", false},
	}
	for _, tt := range tests {
		t.Run(tt.a+" "+tt.b, func(t *testing.T) {
			t.Parallel()
			a, b := parse(t, tt.a).Destination(), parse(t, tt.b).Destination()
			if (a == b) != tt.same {
				t.Errorf("%q and %q", a, b)
			}
		})
	}
}

func TestZeroEndpoint(t *testing.T) {
	t.Parallel()
	var e transport.Endpoint
	if !e.IsZero() || e.String() != "" || e.Scheme() != "" || e.Host() != "" || e.Port() != "" || e.Destination() != "" ||
		!e.APIKey().IsZero() || !e.Whole().IsZero() {
		t.Errorf("got %+v", e)
	}
	if u := e.URL(); u.String() != "" {
		t.Errorf("URL %q", u.String())
	}
	if text, err := json.Marshal(e); err != nil || string(text) != `""` {
		t.Errorf("JSON %s, %v", text, err)
	}
}

func TestEndpointFormat(t *testing.T) {
	t.Parallel()
	e := parse(t, "https://u:p@h/a")
	for verb, want := range map[string]string{
		"%v": "https://***@h/a", "%+v": "https://***@h/a", "%#v": "https://***@h/a", "%s": "https://***@h/a",
		"%q": `"https://***@h/a"`, "%18s": "   https://***@h/a", "%x": "https://***@h/a", "%d": "https://***@h/a",
	} {
		if got := fmt.Sprintf(verb, e); got != want {
			t.Errorf("%s: got %q, want %q", verb, got, want)
		}
	}
}

func TestEndpointJSON(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(map[string]any{"endpoint": parse(t, "https://u:p@h/a?b=c#d")})
	if want := `{"endpoint":"https://***@h/a?b=***"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{
		"", "https://u:p@h:443/a?b=c#d#e", "amqp://h//queue/q1", "amqp://h/%2Fqueue", "http://[fe80::1%25e]:/x", "urn:a:b",
		"file:////x", "u:p@h", "http:/u:p@h", "http://h?a==&&b", "HTTP://H:080", "mailto:a@b", "x://%E2%80%AE", "ws://u:/p@h",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := transport.ParseEndpoint(text)
		if err != nil {
			if _, ok := errors.AsType[*transport.EndpointError](err); !ok || !e.IsZero() {
				t.Errorf("got %v, %v", e, err)
			}
			return
		}
		if e.Whole().Reveal() != text {
			t.Errorf("whole is %q", e.Whole().Reveal())
		}
		sameEndpoint(t, e, parse(t, e.Whole().Reveal()))
	})
}

// FuzzEndpointCanary puts a canary where secrets stand in a URI.
func FuzzEndpointCanary(f *testing.F) {
	f.Add("https", "user", "h:80", "/a/b", "token", "key")
	f.Add("amqp", "u:s", "[::1]", "//q@q", "", "#")
	f.Add("x", "", "", "", "a=b&c", "a#b")
	f.Fuzz(func(t *testing.T, scheme, user, host, path, query, key string) {
		if strings.Contains(scheme+host+path+query, "canary") || strings.ContainsAny(user+host, "/?#@") || strings.ContainsAny(path, "?#") ||
			strings.ContainsAny(query, "#") {
			t.Skip("the canary would not be where a secret stands")
		}
		for _, text := range []string{
			scheme + "://" + user + ":" + canary + "@" + host + path,
			scheme + "://" + canary + user + "@" + host + path,
			scheme + "://" + host + path + "#" + canary + key,
			scheme + "://" + host + path + "#" + key + canary,
			scheme + "://" + host + path + "?" + query + "=" + canary,
			scheme + "://" + host + path + "?x=" + query + canary,
			scheme + "://" + host + path + "?" + canary,
			scheme + "://" + host + path + "?" + canary + "=",
			scheme + ":" + user + ":" + canary + "@" + host + path,
			scheme + ":/" + user + ":" + canary + "@" + host + path,
		} {
			e, err := transport.ParseEndpoint(text)
			if err != nil {
				if strings.Contains(err.Error(), canary) {
					t.Errorf("%q: the error shows the canary: %v", text, err)
				}
				continue
			}
			if strings.Contains(e.String(), canary) || strings.Contains(e.Destination(), canary) {
				t.Errorf("%q: shown as %q, destination %q", text, e, e.Destination())
			}
			sameEndpoint(t, e, parse(t, e.Whole().Reveal()))
		}
	})
}

func sameEndpoint(t *testing.T, a, b transport.Endpoint) {
	t.Helper()
	urlA, urlB := a.URL(), b.URL()
	if a.String() != b.String() || a.Destination() != b.Destination() || a.Address() != b.Address() ||
		!a.APIKey().Equal(b.APIKey()) || urlA.String() != urlB.String() {
		t.Errorf("%v and %v differ", a, b)
	}
}

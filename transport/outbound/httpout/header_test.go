package httpout

import (
	"bufio"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func wantField(t testing.TB, err error, field, text string) {
	t.Helper()
	var wrong *outbound.FieldError
	if !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(err.Error(), text) {
		t.Errorf("got %v, want a FieldError for %s with %q", err, field, text)
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	var got *http.Request
	var body []byte
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	})
	p := local(t, profile.Options{})
	uri := strings.Replace(receiver.URL, "http://", "http://us%20er:pass%3Aword@", 1) + "/a%2Fb?q=1&r=%20#the-key"
	m := message(t, p, uri)
	m.Metadata = transport.Metadata{"x-one": "1", "X-Two": "zwei ü", "Idempotency-Key": "k", "traceparent": "00-1-2-01"}
	before := maps.Clone(m.Metadata)
	deliver(t, start(t, Options{}), m)

	if got.Method != http.MethodPost || got.RequestURI != "/a%2Fb?q=1&r=%20" || "http://"+got.Host != receiver.URL {
		t.Errorf("got %s %s to %s", got.Method, got.RequestURI, got.Host)
	}
	user, password, _ := got.BasicAuth()
	if user != "us er" || password != "pass:word" {
		t.Errorf("basic authentication is %q %q", user, password)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Message-Id": m.ID.String(), "User-Agent": "outrider", "X-Api-Key": "the-key",
		"X-One": "1", "X-Two": "zwei ü", "Idempotency-Key": "k", "Traceparent": "00-1-2-01", "Content-Length": "17",
	} {
		if value := got.Header[name]; len(value) != 1 || value[0] != want {
			t.Errorf("%s is %q, want %q", name, value, want)
		}
		got.Header.Del(name)
	}
	got.Header.Del("Authorization")
	if len(got.Header) != 0 {
		t.Errorf("there are more headers: %v", got.Header)
	}
	if string(body) != string(m.Payload) {
		t.Errorf("body is %q", body)
	}
	if !maps.Equal(m.Metadata, before) {
		t.Errorf("the message's metadata became %v", m.Metadata)
	}
}

func TestRequestWithOptions(t *testing.T) {
	t.Parallel()
	var got http.Header
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) { got = r.Header })
	tr := start(t, Options{UserAgent: "agent/2", MessageIDHeader: "webhook-id", WireFormat: "jwe"})
	m := message(t, local(t, profile.Options{}), receiver.URL)
	deliver(t, tr, m)
	if got.Get("Webhook-Id") != m.ID.String() || got.Get("Message-Id") != "" || got.Get("User-Agent") != "agent/2" {
		t.Errorf("got %v", got)
	}
	m.Metadata = transport.Metadata{"user-agent": "mine", "message-id": "free now"}
	deliver(t, tr, m)
	if got.Get("User-Agent") != "mine" || got.Get("Message-Id") != "free now" {
		t.Errorf("got %v", got)
	}
	if tr.WireFormat() != "jwe" {
		t.Errorf("wire format %q", tr.WireFormat())
	}
}

func TestContentTypeByPayload(t *testing.T) {
	t.Parallel()
	var got string
	var length int64
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		got, length = r.Header.Get("Content-Type"), r.ContentLength
	})
	tr, p := start(t, Options{}), local(t, profile.Options{})
	for _, test := range []struct {
		text                       bool
		contentType, payload, want string
	}{
		{true, "", "{}", "application/json"},
		{false, "", "{}", "application/octet-stream"},
		{false, "application/didcomm-envelope-enc", "{}", "application/didcomm-envelope-enc"},
		{true, "text/plain", "", "text/plain"},
	} {
		m := message(t, p, receiver.URL)
		m.Text, m.ContentType, m.Payload = test.text, test.contentType, []byte(test.payload)
		deliver(t, tr, m)
		if got != test.want || length != int64(len(test.payload)) {
			t.Errorf("%+v: got %q, length %d", test, got, length)
		}
	}
}

func TestCheckMessage(t *testing.T) {
	t.Parallel()
	p := local(t, profile.Options{})
	for name, test := range map[string]struct {
		uri         string
		metadata    transport.Metadata
		contentType string
		field, text string
	}{
		"host":                  {metadata: transport.Metadata{"host": "x"}, field: "metadata", text: `"host"`},
		"framing":               {metadata: transport.Metadata{"Transfer-Encoding": "chunked"}, field: "metadata", text: "remove it"},
		"length":                {metadata: transport.Metadata{"content-length": "3"}, field: "metadata", text: "remove it"},
		"hop by hop":            {metadata: transport.Metadata{"Connection": "close"}, field: "metadata", text: "remove it"},
		"upgrade":               {metadata: transport.Metadata{"upgrade": "websocket"}, field: "metadata", text: "remove it"},
		"proxy credentials":     {metadata: transport.Metadata{"proxy-authorization": "x"}, field: "metadata", text: "remove it"},
		"expect":                {metadata: transport.Metadata{"expect": "100-continue"}, field: "metadata", text: "remove it"},
		"content type":          {metadata: transport.Metadata{"content-type": "x/y"}, field: "metadata", text: "set the message's content type"},
		"message id":            {metadata: transport.Metadata{"message-ID": "x"}, field: "metadata", text: "remove it"},
		"api key twice":         {uri: "http://127.0.0.1/#key", metadata: transport.Metadata{"x-api-key": "x"}, field: "metadata", text: "from the endpoint"},
		"authorization twice":   {uri: "http://u:p@127.0.0.1/", metadata: transport.Metadata{"authorization": "x"}, field: "metadata", text: "from the endpoint"},
		"name with a space":     {metadata: transport.Metadata{"a b": "x"}, field: "metadata", text: "not a header name"},
		"name with a line":      {metadata: transport.Metadata{"a\r\nb": "x"}, field: "metadata", text: "not a header name"},
		"name outside ASCII":    {metadata: transport.Metadata{"ä": "x"}, field: "metadata", text: "not a header name"},
		"name with a colon":     {metadata: transport.Metadata{":authority": "x"}, field: "metadata", text: "not a header name"},
		"empty name":            {metadata: transport.Metadata{"": "x"}, field: "metadata", text: "not a header name"},
		"value with a line":     {metadata: transport.Metadata{"a": "hunter2\r\nb: c"}, field: "metadata", text: "control character"},
		"two spellings":         {metadata: transport.Metadata{"x-a": "1", "X-A": "2"}, field: "metadata", text: "different spellings"},
		"content type's line":   {contentType: "a/b\r\nx: y", field: "content_type", text: "control character"},
		"private address":       {uri: "http://10.0.0.1/", field: "endpoint", text: "10.0.0.0/8"},
		"number as an address":  {uri: "http://2130706433/", field: "endpoint", text: "four decimal numbers"},
		"scheme":                {uri: "ftp://example.com/", field: "endpoint", text: "want http or https"},
		"fine":                  {},
		"fine with an api key":  {metadata: transport.Metadata{"x-api-key": "x", "authorization": "Bearer x"}},
		"fine with a tab":       {metadata: transport.Metadata{"a": "b\tc"}},
		"fine and not resolved": {uri: "https://nosuch.example/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			uri := test.uri
			if uri == "" {
				uri = "http://127.0.0.1/"
			}
			m := message(t, p, uri)
			m.Metadata, m.ContentType = test.metadata, test.contentType
			for _, tr := range []*Transport{start(t, Options{}), stopped(t)} {
				err := tr.CheckMessage(t.Context(), m)
				if test.field == "" {
					if err != nil {
						t.Error(err)
					}
					continue
				}
				wantField(t, err, test.field, test.text)
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the text %q holds a value", err)
				}
			}
			if test.field != "" {
				fault := fail(t, t.Context(), start(t, Options{}), m)
				if fault.Class != transport.Permanent || fault.MaybeSent {
					t.Errorf("HandleMessage: got %+v", fault)
				}
			}
		})
	}
}

func TestCheckMessageWithoutAHost(t *testing.T) {
	t.Parallel()
	m := message(t, local(t, profile.Options{}), "http://127.0.0.1/")
	m.Endpoint = transport.Endpoint{}
	wantField(t, start(t, Options{}).CheckMessage(t.Context(), m), "endpoint", "want http or https")
}

func stopped(t testing.TB) *Transport {
	t.Helper()
	tr, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// ACA-Py shared one map between targets, and the key of the first went to the
// second.
func TestAPIKeyStaysWithItsEndpoint(t *testing.T) {
	t.Parallel()
	keys := make(chan string, 2)
	receiver := serve(t, func(_ http.ResponseWriter, r *http.Request) { keys <- r.Header.Get("X-Api-Key") })
	tr, p := start(t, Options{}), local(t, profile.Options{})
	shared := transport.Metadata{"x-shared": "1"}
	for _, test := range []struct{ fragment, want string }{{"#key-1", "key-1"}, {"", ""}} {
		m := message(t, p, receiver.URL+"/"+test.fragment)
		m.Metadata = shared
		deliver(t, tr, m)
		if got := <-keys; got != test.want {
			t.Errorf("endpoint with %q: the key %q arrived", test.fragment, got)
		}
	}
	if len(shared) != 1 {
		t.Errorf("the metadata became %v", shared)
	}
}

func TestOptionsAreValidated(t *testing.T) {
	t.Parallel()
	_, err := New(Options{
		MaxConnsPerHost: -1, MaxIdleConns: -1, IdleConnTimeout: -1, ResponseHeaderTimeout: -1, MaxResponseBytes: -1,
		UserAgent: "a\nb", MessageIDHeader: "a b",
	})
	for _, want := range []string{"max conns per host", "max idle conns", "idle conn timeout", "response header timeout", "max response bytes", "user agent", "message id header"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
	for _, name := range []string{"host", "content-type"} {
		if _, err := New(Options{MessageIDHeader: name}); err == nil {
			t.Errorf("%s, a header of HTTP's own, is taken for the id", name)
		}
	}
}

// FuzzMetadata: what CheckMessage lets through is one header on the wire, and
// never two, nor the end of the header.
func FuzzMetadata(f *testing.F) {
	for _, entry := range [][2]string{{"x-a", "b"}, {"X-A\r\nB", "c"}, {"a", "b\r\n\r\nGET / HTTP/1.1"}, {"host", "x"}, {"ä", "\x7f"}, {":a", " \t"}} {
		f.Add(entry[0], entry[1])
	}
	tr, p := start(f, Options{}), local(f, profile.Options{})
	m := message(f, p, "http://127.0.0.1/")
	f.Fuzz(func(t *testing.T, name, value string) {
		checked := *m
		checked.Metadata = transport.Metadata{name: value}
		if tr.CheckMessage(t.Context(), &checked) != nil {
			return
		}
		wire := "POST / HTTP/1.1\r\nHost: h\r\n" + name + ": " + value + "\r\n\r\n"
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
		if err != nil {
			t.Fatalf("%q: %q: %v", name, value, err)
		}
		if got := r.Header.Get(name); len(r.Header) != 1 || got != strings.Trim(value, " \t") {
			t.Errorf("%q: %q became %v", name, value, r.Header)
		}
	})
}

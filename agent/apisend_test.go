package agent

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// arrival is what a receiver got.
type arrival struct{ body, contentType, header, id string }

func TestSendDelivers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		request SendRequest
		want    arrival
	}{
		{
			"text", SendRequest{Payload: new(`{"a":"ü"}`), Metadata: map[string]string{"X-Trace": "t1"}, ExpiresIn: "1h", Retry: "none", WireFormat: "json"},
			arrival{body: `{"a":"ü"}`, contentType: "application/json", header: "t1"},
		},
		{"bytes", SendRequest{PayloadBase64: []byte{0, 255}, ContentType: "image/png"}, arrival{body: "\x00\xff", contentType: "image/png"}},
		{"empty", SendRequest{Payload: new(""), ContentType: "text/plain"}, arrival{contentType: "text/plain"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			arrivals := make(chan arrival, 1)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				arrivals <- arrival{string(body), r.Header.Get("Content-Type"), r.Header.Get("X-Trace"), r.Header.Get("Message-Id")}
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(server.Close)
			b := start(t, nil)
			test.request.Endpoint = server.URL + "/inbox?key=v"
			id := b.send(test.request)
			b.await(outbound.TopicDelivered, id)
			test.want.id = id.String()
			if got := <-arrivals; got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			m := b.message(id, "")
			if m.State != queue.StateDone || m.Result != queue.Delivered || m.Evidence != transport.Acknowledged ||
				m.Status != "queued_for_delivery" || m.Profile != "default" || m.Endpoint != server.URL+"/inbox?key=***" || m.AttemptsMade != 1 {
				t.Errorf("message is %+v", m)
			}
			if len(m.Attempts) != 1 || m.Attempts[0].N != 1 || m.Attempts[0].Code != "204" || m.Attempts[0].Class != transport.Success {
				t.Errorf("attempts are %+v", m.Attempts)
			}
		})
	}
}

func TestSendAnswer(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	body := fmt.Sprintf(`{"endpoint":"http://127.0.0.1:9/","payload":"x","idempotency_key":"k","not_before":%q}`, later().Format(time.RFC3339))
	first := b.want(b.do("POST", "/v1/messages", body, "Content-Type", "application/json; charset=utf-8"), http.StatusAccepted)
	sent := into[SendResponse](t, first)
	if sent.Status != "queued_for_delivery" || sent.Duplicate || first.header.Get("Location") != "/v1/messages/"+sent.ID.String() {
		t.Errorf("answer is %+v %v", sent, first.header)
	}
	if first.header.Get("Content-Type") != "application/json" || first.header.Get("Cache-Control") != "no-store" {
		t.Errorf("header is %v", first.header)
	}
	again := into[SendResponse](t, b.want(b.do("POST", "/v1/messages", body), http.StatusAccepted))
	if !again.Duplicate || again.ID != sent.ID || again.Result != "" {
		t.Errorf("the duplicate's answer is %+v", again)
	}
	m := b.message(sent.ID, "?payload=true")
	if m.Payload == nil || *m.Payload != "x" || m.PayloadBase64 != nil {
		t.Errorf("payload is %v %v", m.Payload, m.PayloadBase64)
	}
	if m := b.message(sent.ID, "?payload=false"); m.Payload != nil {
		t.Errorf("the payload is shown without being asked for")
	}
	id := b.send(SendRequest{Endpoint: "http://127.0.0.1:9/", PayloadBase64: []byte{1}, NotBefore: later()})
	if m := b.message(id, "?payload=true"); m.Payload != nil || string(m.PayloadBase64) != "\x01" {
		t.Errorf("payload is %v %v", m.Payload, m.PayloadBase64)
	}
}

// TestADuplicateTellsTheResult: its status alone would say that a message is queued
// that has been delivered.
func TestADuplicateTellsTheResult(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	body := fmt.Sprintf(`{"endpoint":%q,"payload":"x","idempotency_key":"k"}`, receiver(t, http.StatusOK))
	sent := into[SendResponse](t, b.want(b.do("POST", "/v1/messages", body), http.StatusAccepted))
	b.await(outbound.TopicDelivered, sent.ID)
	want := SendResponse{ID: sent.ID, Status: "queued_for_delivery", Duplicate: true, Result: queue.Delivered}
	if got := into[SendResponse](t, b.want(b.do("POST", "/v1/messages", body), http.StatusAccepted)); got != want {
		t.Errorf("the answer is %+v, want %+v", got, want)
	}
	batch := into[BatchResponse](t, b.want(b.do("POST", "/v1/messages", body, "Content-Type", "application/x-ndjson"), http.StatusAccepted))
	if len(batch.Messages) != 1 || batch.Messages[0] != want {
		t.Errorf("the answer to a batch is %+v, want %+v", batch, want)
	}
}

func TestSendRefusals(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.MaxMessageBytes = 1000 })
	b.wantKept(0)
	const rest = `"endpoint":"http://127.0.0.1:9/"`
	for _, test := range []struct {
		name, body string
		status     int
		field      string
		detail     string // part of it
	}{
		{"empty body", "", 400, "", "too early"},
		{"not JSON", "{endpoint}", 400, "", "not JSON"},
		{"no object", `["a"]`, 400, "", "want a JSON object"},
		{"cut short", `{"endpoint":"http`, 400, "", "not JSON"},
		{"not UTF-8", "{\"payload\":\"\xff\",\"endpoint\":\"http://127.0.0.1:9/\"}", 400, "", "UTF-8"},
		{"half a character", `{"payload":"\ud800","endpoint":"http://127.0.0.1:9/"}`, 400, "", "UTF-8"},
		{"trailing data", `{"payload":"x",` + rest + `} {}`, 400, "", "something after"},
		{"unknown field", `{"payload":"x","colour":"red",` + rest + `}`, 400, "colour", "not a field"},
		{"other case", `{"Payload":"x",` + rest + `}`, 400, "Payload", "not a field"},
		{"field twice", `{"payload":"x","payload":"y",` + rest + `}`, 400, "payload", "twice"},
		{"wrong type", `{"payload":{"a":1},` + rest + `}`, 400, "payload", "want text"},
		{"number too large", `{"payload":1e999,` + rest + `}`, 400, "payload", "want text"},
		{"no payload", `{` + rest + `}`, 400, "payload", "is missing"},
		{"null payload", `{"payload":null,` + rest + `}`, 400, "payload", "is missing"},
		{"two payloads", `{"payload":"","payload_base64":"",` + rest + `}`, 400, "payload_base64", "payload is given too"},
		{"bad base64", `{"payload_base64":"?",` + rest + `}`, 400, "payload_base64", "base64"},
		{"payload too large", `{"payload":"` + strings.Repeat("x", 1001) + `",` + rest + `}`, 413, "payload", "1000"},
		{"body too large", `{"payload":"` + strings.Repeat("x", 70_000) + `",` + rest + `}`, 413, "", "payload_base64"},
		{"no endpoint", `{"payload":"x"}`, 400, "endpoint", "is empty"},
		{"bad endpoint", `{"payload":"x","endpoint":"example.com"}`, 400, "endpoint", "no scheme"},
		{"unknown scheme", `{"payload":"x","endpoint":"gopher://example.com"}`, 400, "endpoint", "gopher"},
		{"metadata no object", `{"payload":"x","metadata":[],` + rest + `}`, 400, "metadata", "want an object"},
		{"metadata no text", `{"payload":"x","metadata":{"a":1},` + rest + `}`, 400, "metadata", `"a" want text`},
		{"metadata null", `{"payload":"x","metadata":{"a":null},` + rest + `}`, 400, "metadata", `"a" want text`},
		{"metadata twice", `{"payload":"x","metadata":{"a":"1","a":"2"},` + rest + `}`, 400, "metadata", `"a" is given twice`},
		{"metadata of the transport", `{"payload":"x","metadata":{"Host":"h"},` + rest + `}`, 400, "metadata", "Host"},
		{"unknown profile", `{"payload":"x","profile":"nobody",` + rest + `}`, 400, "profile", "nobody"},
		{"unknown wire format", `{"payload":"x","wire_format":"morse",` + rest + `}`, 400, "wire_format", "morse"},
		{"not_before", `{"payload":"x","not_before":"tomorrow",` + rest + `}`, 400, "not_before", "want a time"},
		{"not_before number", `{"payload":"x","not_before":12,` + rest + `}`, 400, "not_before", "want a time"},
		{"expires_in", `{"payload":"x","expires_in":"soon",` + rest + `}`, 400, "expires_in", "want a duration"},
		{"expires_in past", `{"payload":"x","expires_in":"-1s",` + rest + `}`, 400, "expires_in", "want a duration"},
		{"expires before it starts", `{"payload":"x","expires_in":"1s","not_before":"2999-01-01T00:00:00Z",` + rest + `}`, 400, "not_before", "expires"},
		{"retry", `{"payload":"x","retry":"sometimes",` + rest + `}`, 400, "retry", "sometimes"},
		{"priority", `{"payload":"x","priority":"urgent",` + rest + `}`, 400, "priority", "low, normal or high"},
		{"priority number", `{"payload":"x","priority":1,` + rest + `}`, 400, "priority", "want text"},
		{"ordering key", `{"payload":"x","ordering_key":"` + strings.Repeat("k", 257) + `",` + rest + `}`, 400, "ordering_key", "256"},
		{"on_blocked", `{"payload":"x","ordering_key":"k","on_blocked":"jump",` + rest + `}`, 400, "on_blocked", "wait or skip"},
		{"on_blocked alone", `{"payload":"x","on_blocked":"skip",` + rest + `}`, 400, "on_blocked", "ordering_key"},
		{"min_evidence", `{"payload":"x","min_evidence":"sure",` + rest + `}`, 400, "min_evidence", "acknowledged"},
		{"min_evidence too strong", `{"payload":"x","min_evidence":"accepted",` + rest + `}`, 400, "min_evidence", "more than transport http can give"},
		{"alternates no list", `{"payload":"x","alternates":"http://127.0.0.1:9/b",` + rest + `}`, 400, "alternates", "want a list of text"},
		{"alternates of numbers", `{"payload":"x","alternates":[1],` + rest + `}`, 400, "alternates", "want a list of text"},
		{"alternates with null", `{"payload":"x","alternates":[null],` + rest + `}`, 400, "alternates", "entry 1: is empty"},
		{"bad alternate", `{"payload":"x","alternates":["http://127.0.0.1:9/b","example.com"],` + rest + `}`, 400, "alternates", "entry 2: has no scheme"},
		{"alternate of unknown scheme", `{"payload":"x","alternates":["gopher://a/"],` + rest + `}`, 400, "alternates", "gopher"},
		{"alternate twice", `{"payload":"x","alternates":["http://127.0.0.1:9/"],` + rest + `}`, 400, "alternates", "entry 1"},
		{"recipients", `{"payload":"x","recipients":"a",` + rest + `}`, 400, "recipients", "want a list of text"},
		{"direct", `{"payload":"x","direct":"yes",` + rest + `}`, 400, "direct", "want true or false"},
		{"nobody to wait for", `{"payload":"x","recipients":["bob"]}`, 400, "endpoint", "pickup.enabled"},
		{"no session", `{"payload":"x","session":"s1"}`, 400, "session", "no session"},
		{"session only", `{"payload":"x","session_only":true,` + rest + `}`, 400, "session_only", "no session"},
		{"content type", `{"payload":"x","content_type":"not a type",` + rest + `}`, 400, "content_type", "media type"},
		{"content type without a subtype", `{"payload":"x","content_type":"json",` + rest + `}`, 400, "content_type", "media type"},
		{"long content type", `{"payload":"x","content_type":"a/` + strings.Repeat("b", 300) + `",` + rest + `}`, 400, "content_type", "256"},
		{"idempotency key", `{"payload":"x","idempotency_key":"` + strings.Repeat("k", 300) + `",` + rest + `}`, 400, "idempotency_key", "256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			p := b.wantProblem(b.do("POST", "/v1/messages", test.body), test.status, test.field)
			if !strings.Contains(p.Detail, test.detail) {
				t.Errorf("detail is %q, want %q in it", p.Detail, test.detail)
			}
		})
	}
	for name, headers := range map[string][]string{
		"form":       {"Content-Type", "application/x-www-form-urlencoded"},
		"no type":    {"Content-Type", "/"},
		"compressed": {"Content-Encoding", "gzip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			b.wantProblem(b.do("POST", "/v1/messages", `{"payload":"x",`+rest+`}`, headers...), 415, "")
		})
	}
}

func TestSendIsGuarded(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.AllowPrivate = false })
	p := b.wantProblem(b.do("POST", "/v1/messages", `{"endpoint":"http://127.0.0.1:9/","payload":"x"}`), 400, "endpoint")
	if !strings.Contains(p.Detail, "127.0.0.0/8") {
		t.Errorf("the detail does not say what to allow: %s", p.Detail)
	}
}

func TestBatch(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b := start(t, nil)
	line := func(n int) string { return fmt.Sprintf(`{"endpoint":%q,"payload":"%d"}`, url, n) }
	batch := func(b *bench, body string) answer {
		return b.do("POST", "/v1/messages", body, "Content-Type", "application/x-ndjson")
	}
	b.wantKept(3)
	response := into[BatchResponse](t, b.want(batch(b, line(1)+"\n\n"+line(2)+"\r\n"+line(3)), http.StatusAccepted))
	if len(response.Messages) != 3 {
		t.Fatalf("got %+v", response)
	}
	for _, m := range response.Messages {
		b.await(outbound.TopicDelivered, m.ID)
	}
	for _, test := range []struct {
		name, body string
		status     int
		field      string
		line       int
		detail     string
	}{
		{"empty", "\n \n", 400, "", 0, "empty"},
		{"not JSON", line(1) + "\n{\n", 400, "", 2, "line 2"},
		{"two on a line", line(1) + line(2), 400, "", 1, "after the JSON object"},
		{"unknown field", line(1) + "\n\n" + `{"colour":1}`, 400, "colour", 3, "not a field"},
		{"what the manager finds", line(1) + "\n\n" + `{"endpoint":"gopher://x","payload":""}`, 400, "endpoint", 3, "gopher"},
		{"too many", strings.Repeat(line(1)+"\n", MaxBatch+1), 413, "", MaxBatch + 1, "at most"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			p := b.wantProblem(batch(b, test.body), test.status, test.field)
			if p.Line != test.line || !strings.Contains(p.Detail, test.detail) {
				t.Errorf("problem is %+v, want line %d and %q", p, test.line, test.detail)
			}
		})
	}
}

func TestQueueFull(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.MaxMessages = 2 })
	request := SendRequest{Endpoint: "http://127.0.0.1:9/", Payload: new("x"), NotBefore: later()}
	b.send(request)
	b.send(request)
	a := b.do("POST", "/v1/messages", `{"endpoint":"http://127.0.0.1:9/","payload":"x"}`)
	if p := b.wantProblem(a, http.StatusServiceUnavailable, ""); p.Type != "/problems/queue-full" || a.header.Get("Retry-After") != "1" {
		t.Errorf("problem is %+v %v", p, a.header)
	}
}

// FuzzSendRequest: what is accepted means what encoding/json says it means, and
// no payload is changed on the way.
func FuzzSendRequest(f *testing.F) {
	for _, seed := range []string{
		`{"endpoint":"http://example.com/","payload":"x","metadata":{"a":"b"},"not_before":"2026-01-02T15:04:05Z"}`,
		`{"payload_base64":"` + base64.StdEncoding.EncodeToString([]byte{0, 1, 2}) + `"}`,
		`{"payload":"\ud83d\ude00 \\ud800 \"","retry":null}`, `{"payload":"\ud800"}`, `{"a":1}`, `{`, ``, `null`, `{"payload":"` + "\xff" + `"}`,
		`{"metadata":{"a":"1","a":"2"}}`, `{} {}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		request, err := decodeSendRequest(body)
		if err != nil {
			if p := problemOf(err); p.kind != kindInvalid || p.detail == "" {
				t.Fatalf("error is %+v", p)
			}
			return
		}
		if !sameAsStandard(t, body, &request) {
			t.Errorf("%q reads as %+v", body, request)
		}
	})
}

// TestBodyCutShort: a client that goes away in the middle gets nothing queued.
func TestBodyCutShort(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.wantKept(0)
	connection, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", b.agent.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{\"endpoint\":"); err != nil {
		t.Fatal(err)
	}
	if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); response.StatusCode != http.StatusBadRequest || !strings.Contains(string(body), "ended too early") {
		t.Errorf("answer is %d %s %v", response.StatusCode, body, err)
	}
}

// sameAsStandard reports whether encoding/json reads the body as request too, and
// without characters put in the place of others.
func sameAsStandard(t *testing.T, body []byte, request *SendRequest) bool {
	t.Helper()
	var standard SendRequest
	if err := json.Unmarshal(body, &standard); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", body, err)
	}
	if request.Payload != nil && strings.Contains(*request.Payload, "\uFFFD") &&
		!strings.Contains(string(body), "\uFFFD") && !strings.Contains(strings.ToLower(string(body)), `\ufffd`) {
		t.Fatalf("%q has a character replaced", body)
	}
	return reflect.DeepEqual(standard, *request)
}

// TestEscapedTextIsNoLarger: what is as long as a message may be is taken, however much
// longer it is in the request.
func TestEscapedTextIsNoLarger(t *testing.T) {
	t.Parallel()
	const most = 1 << 20
	b := start(t, func(c *Config) { c.MaxMessageBytes = most })
	for name, text := range map[string]struct{ escaped, char string }{
		"JSON in JSON":   {`\"`, `"`},
		"escaped letter": {`\u0434`, "д"},
		"escaped emoji":  {`\ud83d\ude00`, "😀"},
	} {
		n := most / len(text.char)
		body := `{"endpoint":"http://127.0.0.1:9/","not_before":"2100-01-01T00:00:00Z","payload":"` + strings.Repeat(text.escaped, n) + `"}`
		if a := b.do("POST", "/v1/messages", body); a.status != http.StatusAccepted {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

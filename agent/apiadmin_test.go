package agent

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestDestinations(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b := start(t, nil)
	post := func(what, body string) answer { return b.do("POST", "/v1/destinations/"+what, body) }
	paused := func() []DestinationView {
		return into[DestinationsView](t, b.want(b.do("GET", "/v1/destinations", ""), http.StatusOK)).Destinations
	}
	if got := paused(); len(got) != 0 {
		t.Errorf("at first %+v are paused", got)
	}
	view := into[DestinationView](t, b.want(post("pause", fmt.Sprintf(`{"destination":"%s/any/path?k=v"}`, url)), http.StatusOK))
	want := DestinationView{Profile: "default", Destination: url, Paused: true, Reason: "paused by an operator", Breaker: "closed"}
	if got := paused(); view != want || len(got) != 1 || got[0] != want {
		t.Errorf("the answer is %+v and the list %+v, want %+v", view, got, want)
	}
	id := b.send(SendRequest{Endpoint: url, Payload: new("x")})
	if m := b.message(id, ""); m.State != queue.StatePending {
		t.Errorf("the message is %s while its destination is paused", m.State)
	}
	b.want(post("pause", fmt.Sprintf(`{"destination":%q,"profile":"default","for":"1h"}`, url)), http.StatusOK)
	if got := paused(); len(got) != 1 || time.Until(got[0].PausedUntil) < 59*time.Minute {
		t.Errorf("after a pause of an hour: %+v", got)
	}
	b.want(post("resume", fmt.Sprintf(`{"destination":%q}`, url)), http.StatusOK)
	b.await(outbound.TopicDelivered, id)
	b.want(post("resume", fmt.Sprintf(`{"destination":%q}`, url)), http.StatusOK)
	if got := paused(); len(got) != 0 {
		t.Errorf("at the end %+v are paused", got)
	}
	for _, test := range []struct{ what, body, field string }{
		{"pause", `{}`, "destination"},
		{"pause", `{"destination":"example.com"}`, "destination"},
		{"pause", `{"destination":"http://example.com","for":"ever"}`, "for"},
		{"pause", `{"destination":"http://example.com","for":"-1s"}`, "for"},
		{"pause", `{"destination":"http://example.com","profile":"nobody"}`, "profile"},
		{"pause", `{"destination":"http://example.com","until":"now"}`, "until"},
		{"resume", `{"destination":"http://example.com","for":"1h"}`, "for"},
		{"resume", `{"destination":`, ""},
		{"resume?all=true", `{}`, "all"},
	} {
		b.wantProblem(post(test.what, test.body), 400, test.field)
	}
	b.wantProblem(b.do("POST", "/v1/destinations/pause", "{}", "Content-Type", "text/plain"), 415, "")
}

func TestDestinationTest(t *testing.T) {
	t.Parallel()
	up, down := receiver(t, http.StatusOK), receiver(t, http.StatusServiceUnavailable)
	b := start(t, func(c *Config) { c.LaneRate = outbound.Rate{PerSecond: 1000, Burst: 10} })
	post := func(what, url string) answer {
		return b.do("POST", "/v1/destinations/"+what, fmt.Sprintf(`{"destination":%q}`, url))
	}
	b.wantProblem(post("test", up), http.StatusConflict, "")
	for _, url := range []string{up, down} {
		b.want(post("pause", url), http.StatusOK)
	}
	delivered, failed := b.send(SendRequest{Endpoint: up, Payload: new("x")}), b.send(SendRequest{Endpoint: down, Payload: new("x")})
	good := into[DestinationTestView](t, b.want(post("test", up), http.StatusOK))
	if good.ID != delivered || good.Class != transport.Success || good.Evidence != transport.Acknowledged || good.Code != "200" ||
		good.Result != queue.Delivered || good.DurationMS <= 0 || good.Error != "" {
		t.Errorf("the test of one that works says %+v", good)
	}
	bad := into[DestinationTestView](t, b.want(post("test", down), http.StatusOK))
	if bad.ID != failed || bad.Class != transport.Temporary || bad.Code != "503" || bad.Attempt != 1 || bad.Error == "" || bad.Result != "" {
		t.Errorf("the test of one that fails says %+v", bad)
	}
	all := into[DestinationsView](t, b.want(b.do("GET", "/v1/destinations", ""), http.StatusOK)).Destinations
	i := slices.IndexFunc(all, func(d DestinationView) bool { return d.Destination == down })
	if len(all) != 2 || i < 0 {
		t.Fatalf("listed are %+v", all)
	}
	if d := all[i]; !d.Paused || d.Breaker != outbound.BreakerClosed || d.Failures != 1 || d.FailingSince.IsZero() ||
		d.Class != transport.Temporary || d.Error == "" || d.RatePerSecond != 1000 || d.Burst != 10 {
		t.Errorf("the one that fails is listed as %+v", d)
	}
	stats := into[StatsView](t, b.want(b.do("GET", "/v1/stats", ""), http.StatusOK))
	if want := (outbound.DestinationCounts{Failing: 1, Paused: 2}); stats.Destinations != want {
		t.Errorf("counts are %+v, want %+v", stats.Destinations, want)
	}
	b.wantProblem(b.do("POST", "/v1/destinations/test", `{"destination":"http://example.com","for":"1h"}`), 400, "for")
	b.wantProblem(b.do("POST", "/v1/destinations/test", `{}`), 400, "destination")
}

func TestStatsAndHealth(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b := start(t, nil)
	b.await(outbound.TopicDelivered, b.send(SendRequest{Endpoint: url, Payload: new("x")}))
	b.send(SendRequest{Endpoint: url, Payload: new("four"), NotBefore: later()})
	stats := into[StatsView](t, b.want(b.do("GET", "/v1/stats", ""), http.StatusOK))
	for _, transport := range stats.Transports {
		if strings.ContainsAny(transport.Transport, "*.") {
			t.Errorf("a transport has the name of a type: %q", transport.Transport)
		}
	}
	if m := stats.Messages; m.Delivered != 1 || m.Pending != 1 || m.Bytes != 4 || m.OldestSeconds < 0 {
		t.Errorf("messages are %+v", m)
	}
	overHTTP := slices.IndexFunc(stats.Transports, func(v TransportStatsView) bool { return slices.Contains(v.Schemes, "http") })
	if overHTTP < 0 || stats.Transports[overHTTP].Stats.Metrics["total"].Count != 1 || len(stats.Transports[overHTTP].Schemes) != 2 {
		t.Errorf("transports are %+v", stats.Transports)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		if h := into[HealthView](t, b.want(b.do("GET", path, ""), http.StatusOK)); h.Status != "ok" {
			t.Errorf("%s: %+v", path, h)
		}
	}
	if a := b.want(b.do("GET", "/", ""), http.StatusOK); !strings.Contains(a.body, "outrider") {
		t.Errorf("/ says %q", a.body)
	}
}

// TestStatsOfReceivers: what came in, and what was refused, is told for each by its
// address.
func TestStatsOfReceivers(t *testing.T) {
	t.Parallel()
	b := start(t, mobile)
	for body, want := range map[string]int{`{"n":1}`: 200, `{"n":`: 400} {
		if a := b.post(b.address("http"), body, "X-Api-Key", "open sesame"); a.status != want {
			t.Errorf("%s: %d, want %d", body, a.status, want)
		}
	}
	got := map[string]ReceiverStatsView{}
	for _, r := range into[StatsView](t, b.want(b.do("GET", "/v1/stats", ""), http.StatusOK)).Receivers {
		got[r.Transport+" "+r.Address] = r
	}
	overHTTP := got["http "+b.address("http")].Stats
	if overHTTP.Metrics["handle"].Count != 2 || overHTTP.BytesReceived != int64(len(`{"n":1}{"n":`)) || overHTTP.Errors["malformed"] != 1 {
		t.Errorf("over HTTP: %+v", overHTTP)
	}
	if _, ok := got["ws "+b.address("ws")]; !ok || len(got) != 3 {
		t.Errorf("listed are %v", sortedKeys(got))
	}
	if _, ok := got["answers "]; !ok {
		t.Errorf("listed are %v", sortedKeys(got))
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	b.wantProblem(b.do("GET", "/v2/messages", ""), 404, "")
	b.wantProblem(b.do("POST", "/nowhere", ""), 404, "")
	for path, allow := range map[string]string{
		"/": "GET", "/livez": "GET", "/v1/messages": "POST, GET", "/v1/messages/x": "GET", "/v1/messages/x/cancel": "POST",
		"/v1/replay": "POST", "/v1/events": "GET", "/v1/destinations": "GET",
	} {
		a := b.do("DELETE", path, "")
		b.wantProblem(a, http.StatusMethodNotAllowed, "")
		if got := a.header.Get("Allow"); got != allow {
			t.Errorf("%s allows %q, want %q", path, got, allow)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const token = "s3cret-token"
	b := start(t, func(c *Config) { c.API.Token = transport.NewSecret(token) })
	b.token = ""
	for _, path := range []string{"/livez", "/readyz"} {
		b.want(b.do("GET", path, "", "Host", "any.example"), http.StatusOK)
	}
	for _, authorization := range []string{"", token, "Basic " + token, "Bearer", "Bearer " + token + "x", "Bearer " + token[1:]} {
		for _, request := range []string{"GET /", "GET /v1/messages", "POST /v1/messages", "GET /v1/events", "GET /v1/stats", "GET /nowhere", "PUT /v1/stats"} {
			method, path, _ := strings.Cut(request, " ")
			a := b.do(method, path, "", "Authorization", authorization)
			b.wantProblem(a, http.StatusUnauthorized, "")
			if a.header.Get("WWW-Authenticate") == "" || strings.Contains(a.body, token) {
				t.Errorf("%s: %v %s", request, a.header, a.body)
			}
		}
	}
	for _, authorization := range []string{"Bearer " + token, "bearer  " + token} {
		b.want(b.do("GET", "/v1/stats", "", "Authorization", authorization, "Host", "agent.example", "Origin", "https://page.example"), http.StatusOK)
	}
}

// TestBrowsersAreKeptOut: a page that a browser on this machine shows must not
// use an API that asks for no token.
func TestBrowsersAreKeptOut(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.API.AllowedHosts = []string{"queue.example"} })
	for _, test := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"no browser", nil, 200},
		{"an allowed name", []string{"Host", "queue.example:443"}, 200},
		{"a page of an allowed name", []string{"Host", "queue.example", "Origin", "http://queue.example"}, 200},
		{"localhost", []string{"Host", "LocalHost:8480"}, 200},
		{"IPv6", []string{"Host", "[::1]:8480"}, 200},
		{"IPv6 without a port", []string{"Host", "[::1]"}, 200},
		{"a name that was rebound", []string{"Host", "attacker.example"}, 403},
		{"a name with a port", []string{"Host", "attacker.example:8480"}, 403},
		{"a name that looks local", []string{"Host", "localhost.attacker.example"}, 403},
		{"a page of this host", []string{"Host", "127.0.0.1:1", "Origin", "http://127.0.0.1:1"}, 200},
		{"a foreign page", []string{"Origin", "https://attacker.example"}, 403},
		{"a page without an origin", []string{"Origin", "null"}, 403},
		{"another port of this host", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a foreign page, by the browser's word", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"typed into the browser", []string{"Sec-Fetch-Site", "none"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			b.want(b.do("GET", "/v1/messages", "", test.headers...), test.status)
			if test.status == 403 {
				b.wantProblem(b.do("POST", "/v1/replay", "", test.headers...), 403, "")
			}
		})
	}
}

func TestProblemOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err    error
		status int
		slug   string
	}{
		{fmt.Errorf("enqueue: %w", outbound.ErrQueueFull), 503, "queue-full"},
		{outbound.ErrTooLarge, 413, "too-large"},
		{fmt.Errorf("enqueue: %w", queue.ErrStoreDamaged), 503, "store-failed"},
		{outbound.ErrStopped, 503, "stopping"},
		{queue.ErrClosed, 503, "stopping"},
		{fmt.Errorf("enqueue: %w", queue.ErrStoreFull), 507, "store-full"},
		{fmt.Errorf("enqueue: %w", queue.ErrStoreFailed), 503, "store-failed"},
		{fmt.Errorf("%w: id", queue.ErrNotFound), 404, "not-found"},
		{&outbound.FieldError{Field: "payload", Err: errors.New("bad")}, 400, "invalid-request"},
		{&lineError{3, outbound.ErrQueueFull}, 503, "queue-full"},
		{errors.New("disk on fire at /secret/path"), 500, "internal"},
	} {
		p := problemOf(test.err)
		if passes := test.slug == "queue-full" || test.slug == "stopping"; passes != (p.after > 0) {
			t.Errorf("%v: to be tried again after %v", test.err, p.after)
		}
		if p.status != test.status || p.slug != test.slug || strings.Contains(p.detail, "secret") {
			t.Errorf("%v: %+v", test.err, p)
		}
	}
}

// A client that is refused gets its answer at once, whether it sends the body it
// has announced or not.
func TestRefusalDoesNotWaitForTheBody(t *testing.T) {
	t.Parallel()
	b := start(t, func(c *Config) { c.API.Token = transport.NewSecret("a-long-and-secret-token") })
	for _, head := range []string{
		"POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10\r\n\r\n",
		"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		conn, err := net.Dial("tcp", b.agent.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, head); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn) // until the server closes
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 401 ") {
			t.Errorf("%q: %q, %v", head, answer, err)
		}
		_ = conn.Close()
	}
}

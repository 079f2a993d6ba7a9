package agent

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func idsOf(page MessagePage) (ids []transport.ID) {
	for _, m := range page.Messages {
		ids = append(ids, m.ID)
	}
	return ids
}

func TestList(t *testing.T) {
	t.Parallel()
	up, down := receiver(t, http.StatusOK), receiver(t, http.StatusInternalServerError)
	b := start(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{"second": {}}
	})
	delivered := b.send(SendRequest{Endpoint: up + "/a?k=1", Payload: new("x")})
	b.await(outbound.TopicDelivered, delivered)
	dead := b.send(SendRequest{Endpoint: down + "/a", Payload: new("x"), Retry: "none"})
	b.await(outbound.TopicDead, dead)
	waiting := b.send(SendRequest{Endpoint: up + "/b", Payload: new("x"), NotBefore: later()})
	other := b.send(SendRequest{Endpoint: "http://192.0.2.1/", Payload: new("x"), NotBefore: later(), Profile: "default"})
	b.want(b.do("POST", "/v1/messages/"+other.String()+"/cancel", ""), http.StatusOK)

	for _, test := range []struct {
		query string
		want  []transport.ID // newest first
	}{
		{"", []transport.ID{other, waiting, dead, delivered}},
		{"?state=done", []transport.ID{other, dead, delivered}},
		{"?state=pending", []transport.ID{waiting}},
		{"?state=dead", []transport.ID{dead}},
		{"?state=delivered,cancelled", []transport.ID{other, delivered}},
		{"?state=retry,deliver", nil},
		{"?profile=second", nil},
		{"?profile=default&state=delivered", []transport.ID{delivered}},
		{"?endpoint=" + up, []transport.ID{waiting, delivered}},
		{"?endpoint=" + strings.ToUpper(up), []transport.ID{waiting, delivered}},
		{"?endpoint=" + up + "/b", []transport.ID{waiting}},
		{"?endpoint=" + up + "/a%3Fk=other", []transport.ID{delivered}},
		{"?endpoint=" + up + "/a", nil},
		{"?limit=2", []transport.ID{other, waiting}},
		{"?limit=2&cursor=" + waiting.String(), []transport.ID{dead, delivered}},
	} {
		t.Run(test.query, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			page := b.page("GET /v1/messages" + test.query)
			if got := idsOf(page); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
			for _, m := range page.Messages {
				if m.Attempts != nil || m.Payload != nil {
					t.Errorf("a listing shows more than it should: %+v", m)
				}
			}
		})
	}
	if page := b.page("GET /v1/messages?limit=2"); page.Cursor != waiting.String() {
		t.Errorf("cursor is %q, want %s", page.Cursor, waiting)
	}
	if page := b.page("GET /v1/messages?limit=4"); page.Cursor != "" {
		t.Errorf("the last page has the cursor %q", page.Cursor)
	}
	m := b.message(dead, "")
	if m.Result != queue.Dead || m.Status != "undeliverable" || m.LastError == "" || len(m.Attempts) != 1 || m.Attempts[0].Code != "500" {
		t.Errorf("the dead message is %+v", m)
	}
}

func TestQueryFaults(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	id := transport.NewID(time.Now()).String()
	for _, test := range []struct{ request, field string }{
		{"GET /v1/messages?colour=red", "colour"},
		{"GET /v1/messages?limit=0", "limit"},
		{"GET /v1/messages?limit=1001", "limit"},
		{"GET /v1/messages?limit=many", "limit"},
		{"GET /v1/messages?limit=1&limit=2", "limit"},
		{"GET /v1/messages?cursor=x", "cursor"},
		{"GET /v1/messages?state=lost", "state"},
		{"GET /v1/messages?state=pending,dead", "state"},
		{"GET /v1/messages?endpoint=example.com", "endpoint"},
		{"GET /v1/messages?%zz", ""},
		{"GET /v1/messages/" + id + "?payload=yes", "payload"},
		{"GET /v1/messages/" + id + "?colour=red", "colour"},
		{"GET /v1/messages/abc", "id"},
		{"POST /v1/messages?dry_run=true", "dry_run"},
		{"POST /v1/messages/abc/cancel", "id"},
		{"POST /v1/messages/" + id + "/cancel?all=true", "all"},
		{"POST /v1/messages/abc/replay", "id"},
		{"POST /v1/replay?result=delivered", "result"},
		{"POST /v1/replay?since=yesterday", "since"},
		{"POST /v1/replay?since=-1h", "since"},
		{"POST /v1/replay?limit=0", "limit"},
		{"POST /v1/replay?dry_run=1", "dry_run"},
		{"POST /v1/replay?endpoint=x", "endpoint"},
		{"GET /v1/events?topic=(", "topic"},
		{"GET /v1/events?topic=", "topic"},
		{"GET /v1/events?since=1", "since"},
		{"GET /v1/stats?reset=true", "reset"},
		{"GET /v1/destinations?all=true", "all"},
	} {
		t.Run(test.request, func(t *testing.T) {
			t.Parallel()
			b := b.in(t)
			method, path, _ := strings.Cut(test.request, " ")
			b.wantProblem(b.do(method, path, ""), 400, test.field)
		})
	}
	for _, path := range []string{"", "/cancel", "/replay"} {
		method := map[bool]string{true: "GET", false: "POST"}[path == ""]
		b.wantProblem(b.do(method, "/v1/messages/"+id+path, ""), 404, "")
	}
}

func TestUnknownParameter(t *testing.T) {
	t.Parallel()
	for want, allowed := range map[string][]string{
		"is not a parameter of this request: did you mean limit?":     {"state", "limit"},
		"is not a parameter of this request: want payload or dry_run": {"payload", "dry_run"},
		"is not a parameter of this request, which takes none":        nil,
	} {
		if got := unknownParameter("limti", allowed); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCancelAndReplay(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	id := b.send(SendRequest{Endpoint: "http://127.0.0.1:9/", Payload: new("x"), NotBefore: later()})
	change := func(what string) answer { return b.do("POST", "/v1/messages/"+id.String()+"/"+what, "") }

	if p := b.wantProblem(change("replay"), http.StatusConflict, ""); !strings.Contains(p.Detail, "pending") {
		t.Errorf("the detail does not name the state: %s", p.Detail)
	}
	m := into[MessageView](t, b.want(change("cancel"), http.StatusOK))
	if m.ID != id || m.State != queue.StateDone || m.Result != queue.Cancelled {
		t.Errorf("the cancelled message is %+v", m)
	}
	if p := b.wantProblem(change("cancel"), http.StatusConflict, ""); !strings.Contains(p.Detail, "cancelled") {
		t.Errorf("the detail does not name the result: %s", p.Detail)
	}
	m = into[MessageView](t, b.want(change("replay"), http.StatusOK))
	if m.ID != id || m.State != queue.StatePending || m.Result != "" || m.Replays != 1 {
		t.Errorf("the replayed message is %+v", m)
	}
}

// TestAMessageShowsWhatItWaitsFor: and no next attempt in the past.
func TestAMessageShowsWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	check := func(what string, m MessageView, want outbound.WaitingFor, until bool) {
		t.Helper()
		if m.WaitingFor != want || m.WaitingUntil.IsZero() == until || !m.NextAttemptAt.Equal(m.WaitingUntil) {
			t.Errorf("%s: waits for %q until %v, next %v", what, m.WaitingFor, m.WaitingUntil, m.NextAttemptAt)
		}
	}
	const destination = "http://127.0.0.1:9"
	pause := func(more string) {
		t.Helper()
		b.want(b.do("POST", "/v1/destinations/pause", fmt.Sprintf(`{"destination":%q%s}`, destination, more), "Content-Type", "application/json"), http.StatusOK)
	}
	pause("")
	id := b.send(SendRequest{Endpoint: destination + "/a", Payload: new("x")})
	check("paused", b.message(id, ""), outbound.WaitingForResume, false)
	check("listed", b.page("GET /v1/messages?endpoint=" + destination).Messages[0], outbound.WaitingForResume, false)
	pause(`,"for":"1h"`)
	check("paused for an hour", b.message(id, ""), outbound.WaitingForResume, true)
	check("cancelled", into[MessageView](t, b.want(b.do("POST", "/v1/messages/"+id.String()+"/cancel", ""), http.StatusOK)), "", false)
	check("replayed", into[MessageView](t, b.want(b.do("POST", "/v1/messages/"+id.String()+"/replay", ""), http.StatusOK)), outbound.WaitingForResume, true)

	up := receiver(t, http.StatusOK)
	first := b.send(SendRequest{Endpoint: up, Payload: new("x"), OrderingKey: "k", NotBefore: later()})
	second := b.send(SendRequest{Endpoint: up, Payload: new("x"), OrderingKey: "k"})
	check("behind another", b.message(second, ""), outbound.WaitingForTurn, false)
	if m := b.message(first, ""); m.WaitingFor != "" || m.NextAttemptAt.IsZero() {
		t.Errorf("the one in turn: waits for %q, next %v", m.WaitingFor, m.NextAttemptAt)
	}
}

func TestReplayPages(t *testing.T) {
	t.Parallel()
	var fixed atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !fixed.Load() {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(server.Close)
	b := start(t, nil)
	var dead []transport.ID
	for n := range 5 {
		id := b.send(SendRequest{Endpoint: server.URL, Payload: new(fmt.Sprint(n)), Retry: "none"})
		b.await(outbound.TopicDead, id)
		dead = append(dead, id)
	}
	fixed.Store(true)
	if got := idsOf(b.page("POST /v1/replay?dry_run=true")); !slices.Equal(got, dead) {
		t.Errorf("the dry run lists %v, want %v", got, dead)
	}
	if got := idsOf(b.page("GET /v1/messages?state=dead")); len(got) != 5 {
		t.Errorf("the dry run replayed: %v are dead", got)
	}
	for _, query := range []string{"?result=expired,cancelled", "?since=2999-01-01T00:00:00Z", "?since=0s"} {
		if got := idsOf(b.page("POST /v1/replay" + query)); len(got) != 0 {
			t.Errorf("%s replays %v", query, got)
		}
	}
	first := b.page("POST /v1/replay?since=1h&limit=3")
	if got := idsOf(first); !slices.Equal(got, dead[:3]) || first.Cursor == "" {
		t.Errorf("the first page is %v, cursor %q", got, first.Cursor)
	}
	second := b.page("POST /v1/replay?limit=3&cursor=" + first.Cursor)
	if got := idsOf(second); !slices.Equal(got, dead[3:]) || second.Cursor != "" {
		t.Errorf("the second page is %v, cursor %q", got, second.Cursor)
	}
	for _, id := range dead {
		b.await(outbound.TopicDelivered, id)
	}
}

// TestPayloadShowsWhatIsKept: with the payload come the names of the metadata, and where
// both are gone the answer says so.
func TestPayloadShowsWhatIsKept(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b := start(t, nil)
	waiting := b.send(SendRequest{Endpoint: url, Payload: new("x"), Metadata: map[string]string{"X-Token": "canary"}, NotBefore: later()})
	shown := b.message(waiting, "?payload=true")
	if shown.Payload == nil || shown.PayloadRemoved || len(shown.Metadata) != 1 || shown.Metadata["X-Token"] != "***" {
		t.Errorf("the message that waits is %+v", shown)
	}
	if plain := b.message(waiting, ""); plain.Metadata != nil {
		t.Errorf("unasked, the metadata is %v", plain.Metadata)
	}
	delivered := b.send(SendRequest{Endpoint: url, Payload: new("x"), Metadata: map[string]string{"X-Token": "canary"}})
	b.await(outbound.TopicDelivered, delivered)
	if shown := b.message(delivered, "?payload=true"); shown.Payload != nil || shown.PayloadBase64 != nil || !shown.PayloadRemoved || shown.Metadata != nil {
		t.Errorf("the message that was delivered is %+v", shown)
	}
	if plain := b.message(delivered, ""); plain.PayloadRemoved {
		t.Error("unasked, the payload is missed")
	}
}

// TestNextAttemptIsTheInstantAskedFor: a store gives it back some nanoseconds off.
func TestNextAttemptIsTheInstantAskedFor(t *testing.T) {
	t.Parallel()
	asked := time.Date(2026, 1, 31, 16, 20, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		state queue.State
		next  time.Time
		want  time.Time
	}{
		"after it":      {queue.StatePending, asked.Add(1), asked},
		"before it":     {queue.StatePending, asked.Add(-250), asked},
		"put off":       {queue.StatePending, asked.Add(time.Minute), asked.Add(time.Minute)},
		"another retry": {queue.StateRetry, asked.Add(1), asked.Add(1)},
		"under way":     {queue.StateDeliver, time.Time{}, time.Time{}},
	} {
		r := queue.Record{State: test.state, NextAt: test.next}
		r.NotBefore = asked
		if got := viewOf(&r, outbound.Wait{}).NextAttemptAt; !got.Equal(test.want) {
			t.Errorf("%s: it is %v, want %v", name, got, test.want)
		}
	}
	if got := viewOf(&queue.Record{State: queue.StatePending}, outbound.Wait{}).NextAttemptAt; !got.IsZero() {
		t.Errorf("of one that waits for pickup it is %v", got)
	}
}

package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/agent"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

const (
	patience = 20 * time.Second
	token    = "t0ken"
)

// start runs an agent until the end of the test, and returns a client of it.
func start(t *testing.T) (*Client, *agent.Agent) {
	t.Helper()
	a, err := agent.New(agent.Config{
		Memory:       true,
		AllowPrivate: true, API: agent.APIConfig{Listen: "127.0.0.1:0", Token: transport.NewSecret(token)},
	}, agent.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := New("http://"+a.Addr()+"/", transport.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if _, err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return c, a
}

func receiver(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	t.Cleanup(server.Close)
	return server.URL
}

func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"", "127.0.0.1:8480", "ftp://host", "http://", "http://user:pass@host", "http://host/?a=b", "http://host/#x", "http://pass word"} {
		if _, err := New(server, transport.Secret{}); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

// TestEveryCall makes each call once, against a real agent.
func TestEveryCall(t *testing.T) {
	t.Parallel()
	up, down := receiver(t, http.StatusOK), receiver(t, http.StatusInternalServerError)
	c, _ := start(t)
	ctx := bounded(t)
	if err := c.Ready(ctx); err != nil {
		t.Errorf("ready: %v", err)
	}
	sent, err := c.Send(ctx, agent.SendRequest{Endpoint: up, Payload: new("x")})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := c.Wait(ctx, sent.ID); err != nil || m.Result != queue.Delivered {
		t.Errorf("wait: %+v %v", m, err)
	}
	batch, err := c.SendBatch(ctx, strings.NewReader(fmt.Sprintf("{\"endpoint\":%q,\"payload\":\"1\",\"retry\":\"none\"}\n{\"endpoint\":%q,\"payload\":\"2\",\"not_before\":\"2999-01-01T00:00:00Z\"}\n", down, up)))
	if err != nil || len(batch) != 2 {
		t.Fatalf("batch: %+v %v", batch, err)
	}
	dead, waiting := batch[0].ID, batch[1].ID
	if m, err := c.Wait(ctx, dead); err != nil || m.Result != queue.Dead {
		t.Errorf("wait: %+v %v", m, err)
	}
	if m, err := c.Get(ctx, waiting, true); err != nil || m.Payload == nil || *m.Payload != "2" {
		t.Errorf("get: %+v %v", m, err)
	}
	if page, err := c.List(ctx, ListQuery{State: "pending", Endpoint: up, Profile: "default", Limit: 10}); err != nil || len(page.Messages) != 1 || page.Messages[0].ID != waiting {
		t.Errorf("list: %+v %v", page, err)
	}
	if m, err := c.Cancel(ctx, waiting); err != nil || m.Result != queue.Cancelled {
		t.Errorf("cancel: %+v %v", m, err)
	}
	if m, err := c.Replay(ctx, waiting); err != nil || m.State != queue.StatePending {
		t.Errorf("replay: %+v %v", m, err)
	}
	if d, err := c.Pause(ctx, agent.PauseRequest{Destination: down, For: "1h"}); err != nil || d.Destination != down || d.PausedUntil.IsZero() {
		t.Errorf("pause: %+v %v", d, err)
	}
	if all, err := c.Destinations(ctx); err != nil || len(all) != 1 || all[0].Destination != down {
		t.Errorf("destinations: %+v %v", all, err)
	}
	if _, err := c.Test(ctx, "", down); err == nil || !strings.Contains(err.Error(), "no message waits") {
		t.Errorf("test with nothing to send: %v", err)
	}
	for _, dry := range []bool{true, false} {
		page, err := c.ReplayPage(ctx, ReplayQuery{Result: "dead", Since: "1h", Limit: 10, DryRun: dry})
		if err != nil || len(page.Messages) != 1 || page.Messages[0].ID != dead {
			t.Errorf("replay page: %+v %v", page, err)
		}
	}
	if d, err := c.Resume(ctx, "default", down); err != nil || d.Destination != down {
		t.Errorf("resume: %+v %v", d, err)
	}
	if s, err := c.Stats(ctx); err != nil || s.Messages.Delivered != 1 || len(s.Transports) == 0 {
		t.Errorf("stats: %+v %v", s, err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c, a := start(t)
	ctx := bounded(t)
	var refused *Error
	if _, err := c.Send(ctx, agent.SendRequest{Endpoint: "gopher://x", Payload: new("x")}); !errors.As(err, &refused) || refused.Status != 400 || refused.Field != "endpoint" {
		t.Errorf("send: %v", err)
	}
	if _, err := c.SendBatch(ctx, strings.NewReader("{}\n")); !errors.As(err, &refused) || refused.Line != 1 {
		t.Errorf("batch: %v", err)
	}
	if _, err := c.Get(ctx, transport.NewID(time.Now()), false); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("get: %v", err)
	}
	if _, err := c.Wait(ctx, transport.NewID(time.Now())); !errors.As(err, &refused) || refused.Status != 404 {
		t.Errorf("wait: %v", err)
	}
	other, err := New("http://"+a.Addr(), transport.NewSecret("wrong"))
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Stats(ctx); !errors.As(err, &refused) || refused.Status != 401 || strings.Contains(err.Error(), "wrong") {
		t.Errorf("wrong token: %v", err)
	}
	if err := other.Events(ctx, "", nil); !errors.As(err, &refused) || refused.Status != 401 {
		t.Errorf("events: %v", err)
	}
}

// TestOtherServers: what is no agent gives an error that says so, and no secret.
func TestOtherServers(t *testing.T) {
	t.Parallel()
	var followed bool
	mux := http.NewServeMux()
	mux.HandleFunc("/v1/stats", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/elsewhere", func(http.ResponseWriter, *http.Request) { followed = true })
	mux.HandleFunc("/v1/messages", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })
	mux.HandleFunc("/v1/destinations", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "{")
	})
	mux.HandleFunc("/v1/events", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "id: x\ndata: {\n\n") })
	server := httptest.NewServer(mux)
	c, err := New(server.URL, transport.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	ctx := bounded(t)
	_, redirected := c.Stats(ctx)
	_, noJSON := c.List(ctx, ListQuery{Endpoint: "http://host/?k=canary"})
	_, noProblem := c.Destinations(ctx)
	noEvents := c.Events(ctx, "", nil)
	server.Close()
	_, gone := c.List(ctx, ListQuery{Endpoint: "http://host/?k=canary"})
	for _, test := range []struct {
		err  error
		want string
	}{
		{redirected, "Temporary Redirect"}, {noJSON, "is the server the right one?"}, {noProblem, "status 418"},
		{noEvents, "not JSON"}, {gone, "cannot reach 127.0.0.1"},
	} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.want) || strings.Contains(test.err.Error(), "canary") || strings.Contains(test.err.Error(), token) {
			t.Errorf("got %v, want %q", test.err, test.want)
		}
	}
	if followed {
		t.Error("the redirect was followed")
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	up := receiver(t, http.StatusOK)
	c, a := start(t)
	ctx := bounded(t)
	var topics []string
	enough := errors.New("enough")
	sendOne := func() error {
		_, err := c.Send(ctx, agent.SendRequest{Endpoint: up, Payload: new("x")})
		return err
	}
	err := c.stream(ctx, "outbound-message::.*", new(string), sendOne, func(e Event) error {
		topics = append(topics, e.Topic)
		if len(topics) == 2 {
			return enough
		}
		return nil
	})
	want := "[" + outbound.StatusQueuedForDelivery.Topic() + " " + outbound.TopicDelivered + "]"
	if !errors.Is(err, enough) || fmt.Sprint(topics) != want {
		t.Errorf("heard %v, want %s: %v", topics, want, err)
	}
	stop := func() error {
		_, err := a.Stop(ctx)
		return err
	}
	if err := c.stream(ctx, "", new(string), stop, func(Event) error { return nil }); !errors.Is(err, ErrStreamEnded) {
		t.Errorf("the stream ends with %v", err)
	}
}

func TestEventsEndWithTheContext(t *testing.T) {
	t.Parallel()
	c, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	opened := func() error { cancel(); return nil }
	if err := c.stream(ctx, "", new(string), opened, func(Event) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("the stream ends with %v", err)
	}
	if _, err := c.Wait(ctx, transport.NewID(time.Now())); !errors.Is(err, context.Canceled) {
		t.Errorf("wait ends with %v", err)
	}
}

// TestFollow: a stream that ends, fails or cannot be opened for now is opened again, from
// the last event on, until the error is one that stays.
func TestFollow(t *testing.T) {
	t.Parallel()
	var asked []string
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) {
			_, _ = io.WriteString(w, ": connected\nid: a-0\n\nid: a-1\ndata: {\"topic\":\"one\"}\n\nid: a-2\n\n")
		},
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		func(w http.ResponseWriter) { _, _ = io.WriteString(w, "id: b-7\ndata: {\"topic\":\"two\"}\n\n") },
		func(w http.ResponseWriter) { w.WriteHeader(http.StatusUnauthorized) },
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Header.Get("Last-Event-ID"))
		answers[len(asked)-1](w)
	}))
	t.Cleanup(server.Close)
	c, err := New(server.URL, transport.NewSecret(token))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	var told []string
	err = c.Follow(bounded(t), "", func(e Event) error {
		told = append(told, e.ID+" "+e.Topic)
		return nil
	}, func(err error) { told = append(told, fmt.Sprint(err)) })
	if refused, ok := errors.AsType[*Error](err); !ok || refused.Status != http.StatusUnauthorized {
		t.Errorf("it ends with %v", err)
	}
	if want := []string{"", "a-2", "a-2", "a-2", "b-7"}; !slices.Equal(asked, want) {
		t.Errorf("it asked for what is after %q, want %q", asked, want)
	}
	ended := ErrStreamEnded.Error()
	if want := []string{"a-1 one", ended, "<nil>", "b-7 two", ended}; !slices.Equal(told, want) {
		t.Errorf("it told %q, want %q", told, want)
	}
}

// TestFollowEnds: with the error of the first connection, of the one it tells, or of the
// context.
func TestFollowEnds(t *testing.T) {
	t.Parallel()
	nobody, err := New("http://127.0.0.1:1", transport.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	lost := func(err error) { t.Errorf("it would connect again after %v", err) }
	if err := nobody.Follow(bounded(t), "", nil, lost); err == nil || !strings.Contains(err.Error(), "cannot reach") {
		t.Errorf("without an agent it ends with %v", err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "data: {}\n\n") }))
	t.Cleanup(server.Close)
	c, err := New(server.URL, transport.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	enough := errors.New("enough")
	if err := c.Follow(bounded(t), "", func(Event) error { return enough }, lost); !errors.Is(err, enough) {
		t.Errorf("it ends with %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := c.Follow(ctx, "", func(Event) error { return nil }, func(error) { cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("it ends with %v", err)
	}
}

func FuzzReadEvent(f *testing.F) {
	for _, seed := range []string{
		"event: a\nid: 1\ndata: {\"topic\":\"a\",\"payload\":null}\n\n", ": hello\n\n", "id: 1\n\ndata: {}\r\n\r\n", "data: {\ndata: }\n\n", "data\n\n", "id:\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stream string) {
		lines, last := bufio.NewScanner(strings.NewReader(stream)), ""
		for n := 0; ; n++ {
			_, err := readEvent(lines, &last)
			if err != nil {
				return
			}
			if n > len(stream) {
				t.Fatal("there are more events than bytes")
			}
		}
	})
}

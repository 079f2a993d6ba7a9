package agent

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

// patience bounds every wait of a test that is to succeed.
const patience = 20 * time.Second

// bench is a running agent, and what a test needs to talk to it.
type bench struct {
	t      *testing.T
	agent  *Agent
	url    string
	client *http.Client
	logs   *observer.ObservedLogs
	token  string
	events *event.Subscription // of everything, from before the start
	heard  map[heard]bool      // what await has read of it
}

// heard is an event about a message.
type heard struct {
	topic string
	id    transport.ID
}

// start runs an agent on a free port until the end of the test.
func start(t *testing.T, change func(*Config)) *bench {
	t.Helper()
	config := Config{Dir: filepath.Join(t.TempDir(), "queue"), AllowPrivate: true, Workers: 4, API: APIConfig{Listen: "127.0.0.1:0"}}
	if change != nil {
		change(&config)
	}
	core, logs := observer.New(zapcore.DebugLevel)
	agent, err := New(config, Options{Logger: zap.New(core)})
	if err != nil {
		t.Fatal(err)
	}
	events, err := agent.Events().Subscribe(".*", event.SubscribeOptions{Buffer: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{
		Transport:     &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	b := &bench{t: t, agent: agent, url: "http://" + agent.Addr(), client: client, logs: logs, token: config.API.Token.Reveal(), events: events, heard: map[heard]bool{}}
	t.Cleanup(b.stop)
	return b
}

// startHandler starts an agent in memory that hands over what it receives. It has the
// API where the config says so.
func startHandler(t *testing.T, config Config, handle inbound.Handler) *bench {
	t.Helper()
	config.Memory, config.API.Listen = true, cmp.Or(config.API.Listen, ListenOff)
	agent, err := New(config, Options{Handler: handle})
	if err != nil {
		t.Fatal(err)
	}
	if err := agent.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, agent: agent, url: "http://" + agent.Addr(), client: &http.Client{}}
	t.Cleanup(b.stop)
	return b
}

// in is the same bench for a subtest. Subtests that run side by side must not
// wait for events.
func (b *bench) in(t *testing.T) *bench {
	t.Helper()
	own := *b
	own.t = t
	return &own
}

func (b *bench) stop() {
	b.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(b.t.Context()), patience)
	defer cancel()
	if _, err := b.agent.Stop(ctx); err != nil {
		b.t.Errorf("stop: %v", err)
	}
}

// answer is what the API answered.
type answer struct {
	status int
	header http.Header
	body   string
}

// into reads the body as JSON.
func into[T any](t *testing.T, a answer) (value T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(a.body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&value); err != nil {
		t.Fatalf("answer %d %q: %v", a.status, a.body, err)
	}
	return value
}

// do makes a request. Headers come in pairs.
func (b *bench) do(method, path, body string, headers ...string) answer {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if b.token != "" {
		request.Header.Set("Authorization", "Bearer "+b.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		} else {
			request.Header.Set(headers[i], headers[i+1])
		}
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, string(content)}
}

// want fails the test unless the answer has the status.
func (b *bench) want(a answer, status int) answer {
	b.t.Helper()
	if a.status != status {
		b.t.Fatalf("status is %d, want %d: %s", a.status, status, a.body)
	}
	return a
}

// wantProblem checks that the answer is a problem with the status and field.
func (b *bench) wantProblem(a answer, status int, field string) Problem {
	b.t.Helper()
	b.want(a, status)
	p := into[Problem](b.t, a)
	if got := a.header.Get("Content-Type"); got != "application/problem+json" {
		b.t.Errorf("content type is %q", got)
	}
	if p.Status != status || p.Field != field || p.Title == "" || p.Detail == "" || !strings.HasPrefix(p.Type, "/problems/") {
		b.t.Errorf("problem is %+v, want status %d and field %q", p, status, field)
	}
	return p
}

// send queues a message and returns its id.
func (b *bench) send(request SendRequest) transport.ID {
	b.t.Helper()
	body, err := json.Marshal(request)
	if err != nil {
		b.t.Fatal(err)
	}
	return into[SendResponse](b.t, b.want(b.do("POST", "/v1/messages", string(body)), http.StatusAccepted)).ID
}

// await waits for an event of a topic about a message.
func (b *bench) await(topic string, id transport.ID) {
	b.t.Helper()
	if b.heard[heard{topic, id}] {
		return
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	_, err := b.events.Wait(ctx, func(e event.Event) bool {
		if m, ok := e.Payload.(outbound.MessageEvent); ok {
			b.heard[heard{e.Topic, m.ID}] = true
		}
		return b.heard[heard{topic, id}]
	})
	if err != nil {
		b.t.Fatalf("%s of %s: %v", topic, id, err)
	}
}

func (b *bench) message(id transport.ID, query string) MessageView {
	b.t.Helper()
	return into[MessageView](b.t, b.want(b.do("GET", "/v1/messages/"+id.String()+query, ""), http.StatusOK))
}

func (b *bench) page(path string) MessagePage {
	b.t.Helper()
	method, _, _ := strings.Cut(path, " ")
	return into[MessagePage](b.t, b.want(b.do(method, path[len(method)+1:], ""), http.StatusOK))
}

// logged returns all that was logged.
func (b *bench) logged() string {
	var all bytes.Buffer
	encoder := zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig())
	for _, entry := range b.logs.All() {
		line, err := encoder.EncodeEntry(entry.Entry, entry.Context)
		if err != nil {
			b.t.Fatal(err)
		}
		all.Write(line.Bytes())
		line.Free()
	}
	return all.String()
}

// receiver is an HTTP server that answers each request with a status.
func receiver(t *testing.T, status int) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// later is far enough away that nothing is attempted during a test.
func later() time.Time { return time.Now().Add(time.Hour) }

// wantKept checks, when the test and its subtests are over, how many messages
// the agent has.
func (b *bench) wantKept(want int) {
	b.t.Helper()
	b.t.Cleanup(func() {
		page, err := b.agent.Manager().List(context.WithoutCancel(b.t.Context()), queue.Query{})
		if err != nil || len(page.Records) != want {
			b.t.Errorf("%d messages were kept, want %d: %v", len(page.Records), want, err)
		}
	})
}

// outboundMessage is a text for an endpoint.
func outboundMessage(t *testing.T, uri, text string) outbound.Message {
	t.Helper()
	return outbound.Message{Endpoint: mustEndpoint(t, uri), Payload: []byte(text), Text: true}
}

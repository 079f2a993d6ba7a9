package agent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

func TestStopBeforeStart(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Memory: true, API: APIConfig{Listen: "127.0.0.1:0"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if a.Addr() != "" || a.Ready() == nil {
		t.Errorf("before the start: address %q, ready %v", a.Addr(), a.Ready())
	}
	for range 2 {
		if left, err := a.Stop(t.Context()); err != nil || left != (outbound.Left{}) {
			t.Errorf("stop: %+v, %v", left, err)
		}
	}
	if err := a.Start(t.Context()); err == nil {
		t.Error("an agent starts after it was stopped")
	}
}

func TestStartTwice(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	if err := b.agent.Start(t.Context()); err == nil {
		t.Error("an agent starts twice")
	}
	if err := b.agent.Ready(); err != nil {
		t.Errorf("the second start has broken the agent: %v", err)
	}
	b.stop()
	if err := b.agent.Ready(); !errors.Is(err, outbound.ErrStopped) {
		t.Errorf("ready after the stop: %v", err)
	}
}

func TestWithoutAPI(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Memory: true, API: APIConfig{Listen: ListenOff}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a.Addr() != "" || a.Ready() != nil {
		t.Errorf("address %q, ready %v", a.Addr(), a.Ready())
	}
	if _, err := a.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

// failing is a transport that does not start.
type failing struct{ outbound.Base }

func (*failing) Schemes() []string           { return []string{"fail"} }
func (*failing) Start(context.Context) error { return errors.New("no luck") }
func (*failing) Stop(context.Context) error  { return nil }
func (*failing) HandleMessage(context.Context, *outbound.Message) (outbound.Receipt, error) {
	return outbound.Receipt{}, nil
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	taken, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	open := t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		config Config
		setUp  func(*Agent) error
		want   string
	}{
		{"port taken", Config{Memory: true, API: APIConfig{Listen: taken.Addr().String()}}, nil, "api.listen: "},
		{"transport", Config{Memory: true, API: APIConfig{Listen: "127.0.0.1:0"}}, func(a *Agent) error { return a.Manager().Register(&failing{}) }, "no luck"},
		{"directory is a file", Config{Dir: writeFile(t, "file", "x"), API: APIConfig{Listen: ListenOff}}, nil, "dir: "},
		{"directory is open", Config{Dir: open, API: APIConfig{Listen: ListenOff}}, nil, "chmod 700"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a, err := New(test.config, Options{})
			if err == nil && test.setUp != nil {
				err = test.setUp(a)
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("start: %v, want %q", err, test.want)
			}
			if a.Ready() == nil {
				t.Error("the agent is ready")
			}
			if _, err := a.Stop(t.Context()); err != nil {
				t.Errorf("stop: %v", err)
			}
		})
	}
}

func TestDirectoryAndWarnings(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new", "data")
	b := start(t, func(c *Config) { c.Dir = dir })
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v %v", info, err)
	}
	m := start(t, func(c *Config) { c.Memory = true })
	for _, want := range []string{"allow_private is on", "queue is in memory", "agent started"} {
		if m.logs.FilterMessageSnippet(want).Len() != 1 {
			t.Errorf("%q is not in the log", want)
		}
	}
	if b.logs.FilterMessageSnippet("queue is in memory").Len() != 0 {
		t.Error("a queue on disk is said to be in memory")
	}
}

// TestQueueOutlivesTheAgent: what one agent has not delivered, the next one in the
// same directory does; and two at once cannot have it.
func TestQueueOutlivesTheAgent(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "queue")
	config := Config{Dir: dir, AllowPrivate: true, API: APIConfig{Listen: ListenOff}, Retry: "attempts=9,base=1ms"}
	down, err := New(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := down.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := New(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(t.Context()); !errors.Is(err, queue.ErrLocked) {
		t.Errorf("a second agent in the directory: %v, want ErrLocked", err)
	}
	got := make(chan string, 1)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("Message-Id") }))
	defer receiver.Close()
	endpoint, err := transport.ParseEndpoint(receiver.URL)
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := down.Manager().Send(t.Context(), outbound.Message{Endpoint: endpoint, NotBefore: time.Now().Add(100 * time.Millisecond)})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := down.Stop(t.Context()); err != nil || left.Messages != 1 {
		t.Fatalf("stop: %+v, %v, want that one message is left", left, err)
	}
	up, err := New(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := up.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if id := <-got; id != accepted.ID.String() {
		t.Errorf("message %s arrived, want %s", id, accepted.ID)
	}
	if err := up.Manager().Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := up.Stop(t.Context()); err != nil || left.Messages != 0 {
		t.Errorf("stop: %+v, %v", left, err)
	}
}

// lasting is a store that says it is durable.
type lasting struct{ *memqueue.Store }

func (lasting) Capabilities() queue.Capabilities { return queue.Capabilities{Durable: true} }

// TestStoreOfTheCaller: it is used, and it stays open.
func TestStoreOfTheCaller(t *testing.T) {
	t.Parallel()
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Memory: true, API: APIConfig{Listen: ListenOff}, AllowPrivate: true}, Options{Store: lasting{store}})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.ParseEndpoint("http://127.0.0.1:9/")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := a.Manager().Send(t.Context(), outbound.Message{Endpoint: endpoint, Payload: []byte("x"), NotBefore: later()})
	if err != nil {
		t.Fatal(err)
	}
	if left, err := a.Stop(t.Context()); err != nil || left.Messages != 1 || left.Bytes != 1 {
		t.Errorf("stop: %+v %v", left, err)
	}
	if records, err := store.Get(t.Context(), []transport.ID{sent.ID}, false); err != nil || len(records) != 1 {
		t.Errorf("the store has %+v, %v", records, err)
	}
}

func TestProfiles(t *testing.T) {
	t.Parallel()
	a, err := New(Config{Memory: true, AllowPrivate: true, Profiles: map[string]profile.Options{
		"default": {Name: "House"}, "tenant": {Settings: map[string]string{"k": "v"}},
	}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	house, err := a.Profiles().Lookup(t.Context(), "default")
	if err != nil || house.Name() != "House" || len(house.Egress().AllowNetworks) != 2 {
		t.Errorf("default is %v %v", house, err)
	}
	tenant, err := a.Profiles().Lookup(t.Context(), "tenant")
	if err != nil || tenant.Settings().String("k", "") != "v" || len(tenant.Egress().AllowNetworks) != 0 {
		t.Errorf("tenant is %v %v", tenant, err)
	}
}

// hanging is a receiver that answers when the test lets it.
func hanging(t *testing.T) (url string, arrived <-chan struct{}, answer chan<- struct{}) {
	t.Helper()
	in, out := make(chan struct{}, 10), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // so that the end of the connection is noticed
		in <- struct{}{}
		select {
		case <-out:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	return server.URL, in, out
}

// TestStopDrains: what is under way ends, the API answers meanwhile, and nothing
// new is taken.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	url, arrived, answer := hanging(t)
	b := start(t, func(c *Config) { c.LaneConcurrency = 1 })
	first := b.send(SendRequest{Endpoint: url, Payload: new("x")})
	b.send(SendRequest{Endpoint: url, Payload: new("yy")})
	<-arrived
	type result struct {
		left outbound.Left
		err  error
	}
	stopped := make(chan result)
	go func() {
		left, err := b.agent.Stop(context.WithoutCancel(t.Context()))
		stopped <- result{left, err}
	}()
	for b.do("GET", "/readyz", "").status == http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the agent stays ready")
		}
	}
	if h := into[HealthView](t, b.do("GET", "/readyz", "")); h.Status != "unavailable" || h.Reason == "" {
		t.Errorf("health is %+v", h)
	}
	b.want(b.do("GET", "/livez", ""), http.StatusOK)
	if m := b.message(first, ""); m.State != queue.StateDeliver {
		t.Errorf("the message under way is %s", m.State)
	}
	body := `{"endpoint":"` + url + `","payload":"z"}`
	if p := b.wantProblem(b.do("POST", "/v1/messages", body), http.StatusServiceUnavailable, ""); p.Type != "/problems/stopping" {
		t.Errorf("problem is %+v", p)
	}
	close(answer)
	if r := <-stopped; r.err != nil || r.left.Messages != 1 || r.left.InFlight != 0 {
		t.Errorf("stop: %+v", r)
	}
	b.await(outbound.TopicDelivered, first)
}

// TestStopCutsShort: an attempt that does not end in time is ended, and does not
// count.
func TestStopCutsShort(t *testing.T) {
	t.Parallel()
	url, arrived, _ := hanging(t)
	store, err := memqueue.New(memqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(Config{Memory: true, API: APIConfig{Listen: ListenOff}, AllowPrivate: true, ShutdownTimeout: 50 * time.Millisecond}, Options{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	endpoint, err := transport.ParseEndpoint(url)
	if err != nil {
		t.Fatal(err)
	}
	sent, err := a.Manager().Send(t.Context(), outbound.Message{Endpoint: endpoint, Payload: []byte("x")})
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	left, err := a.Stop(t.Context())
	if err != nil || left.Messages != 1 || left.InFlight != 0 {
		t.Errorf("stop: %+v %v", left, err)
	}
	records, err := store.Get(t.Context(), []transport.ID{sent.ID}, false)
	if err != nil || len(records) != 1 || records[0].Attempts != 0 || records[0].State == queue.StateDone {
		t.Errorf("the message is %+v, %v", records, err)
	}
}

// TestStopIsBounded: when its context ends, Stop returns, and can be called again.
// Meanwhile the attempt goes on: the API answers, and what comes of it is told.
func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	url, arrived, answer := hanging(t)
	b := start(t, nil)
	id := b.send(SendRequest{Endpoint: url, Payload: new("x")})
	<-arrived
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if left, err := b.agent.Stop(ended); !errors.Is(err, context.Canceled) || left.InFlight != 1 {
		t.Errorf("stop: %+v %v", left, err)
	}
	if m := b.message(id, ""); m.State != queue.StateDeliver {
		t.Errorf("the message under way is %s", m.State)
	}
	close(answer)
	b.await(outbound.TopicDelivered, id)
	if left, err := b.agent.Stop(t.Context()); err != nil || left != (outbound.Left{}) {
		t.Errorf("second stop: %+v %v", left, err)
	}
}

// TestStopsAtOnce: a Stop that waits for another one is bounded by its own context.
func TestStopsAtOnce(t *testing.T) {
	t.Parallel()
	url, arrived, answer := hanging(t)
	b := start(t, nil)
	b.send(SendRequest{Endpoint: url, Payload: new("x")})
	<-arrived
	first := make(chan error)
	go func() {
		_, err := b.agent.Stop(context.WithoutCancel(t.Context()))
		first <- err
	}()
	for b.do("GET", "/readyz", "").status == http.StatusOK {
		if t.Context().Err() != nil {
			t.Fatal("the agent stays ready")
		}
	}
	for _, wait := range []time.Duration{0, 10 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		if _, err := b.agent.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a second stop of %v: %v", wait, err)
		}
		cancel()
	}
	close(answer)
	if err := <-first; err != nil {
		t.Errorf("the first stop: %v", err)
	}
	if _, err := b.agent.Stop(t.Context()); err != nil {
		t.Errorf("a third stop: %v", err)
	}
}

// TestDeadLettersLeaveRoom: what is kept of a dead destination keeps no message
// out, however much it is.
func TestDeadLettersLeaveRoom(t *testing.T) {
	t.Parallel()
	down := receiver(t, http.StatusServiceUnavailable)
	b := start(t, func(c *Config) {
		c.MaxMessages, c.MaxBytes = 2, 1000
		c.Retain = map[queue.Result]outbound.Retain{queue.Dead: {Bytes: 1500}}
	})
	for range 10 {
		id := b.send(SendRequest{Endpoint: down, Payload: new(strings.Repeat("x", 700)), Retry: "none"})
		b.await(outbound.TopicDead, id)
	}
	delivered := b.send(SendRequest{Endpoint: receiver(t, http.StatusOK), Payload: new(strings.Repeat("x", 1000))})
	b.await(outbound.TopicDelivered, delivered)
}

// TestEchoes: a peer may answer with what it was sent. Nothing of that is shown
// but to those who ask for the payload, and not even they see credentials.
func TestEchoes(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(map[bool]int{true: http.StatusOK, false: http.StatusServiceUnavailable}[r.URL.Path == "/up"])
		_, _ = io.Copy(w, r.Body)
		_ = r.Header.Write(w)
	}))
	t.Cleanup(server.Close)
	b := start(t, nil)
	stream := b.secretStream()
	var said []string
	for path, topic := range map[string]string{"/up": outbound.TopicDelivered, "/down": outbound.TopicDead} {
		id := b.send(SendRequest{
			Endpoint: strings.Replace(server.URL, "://", "://"+canary+"-user:"+canary+"-pass@", 1) + path + "#" + canary + "-api",
			Payload:  new("payload-canary"), Metadata: map[string]string{"X-Token": canary}, Retry: "none",
		})
		b.await(topic, id)
		plain := b.do("GET", "/v1/messages/"+id.String(), "").body
		if strings.Contains(plain, "payload-canary") || strings.Contains(plain, `"response"`) {
			t.Errorf("the answer is shown unasked: %s", plain)
		}
		m := b.message(id, "?payload=true")
		if len(m.Attempts) != 1 || !strings.HasPrefix(m.Attempts[0].Response, "payload-canary") || !strings.Contains(m.Attempts[0].Response, "X-Token: ***") {
			t.Errorf("asked for, the attempts are %+v", m.Attempts)
		}
		said = append(said, plain, b.do("GET", "/v1/messages/"+id.String()+"?payload=true", "").body)
	}
	said = append(said, b.do("GET", "/v1/messages", "").body)
	b.stop()
	events, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	basic := base64.StdEncoding.EncodeToString([]byte(canary + "-user:" + canary + "-pass"))
	for _, text := range append(said, string(events), b.logged()) {
		if strings.Contains(text, canary) || strings.Contains(text, strings.TrimRight(basic, "=")) {
			t.Errorf("the canary sings: %s", text)
		}
	}
}

// TestSecretsStaySecret plants a canary wherever a secret may stand and looks for
// it in everything the agent says.
func TestSecretsStaySecret(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	up, down := receiver(t, http.StatusOK), receiver(t, http.StatusServiceUnavailable)
	b := start(t, func(c *Config) {
		c.API.Token = transport.NewSecret("token-" + canary)
		c.Profiles = map[string]profile.Options{"default": {Secrets: map[string]transport.Secret{"key": transport.NewSecret(canary)}}}
	})
	endpoint := func(base, path string) string {
		return strings.Replace(base, "://", "://user-"+canary+":pass-"+canary+"@", 1) + path + "?q=" + canary + "&" + canary + "#key-" + canary
	}
	request := func(endpoint string) SendRequest {
		return SendRequest{
			Endpoint: endpoint, Payload: new(canary), Metadata: map[string]string{"X-Secret": canary},
			IdempotencyKey: "", Retry: "none", Alternates: []string{endpoint + "-also"},
		}
	}
	var said []string
	hear := func(a answer) answer {
		said = append(said, a.body)
		return a
	}
	stream := b.secretStream()
	delivered := b.send(request(endpoint(up, "/in")))
	dead := b.send(request(endpoint(down, "/in")))
	unreachable := b.send(request(endpoint("http://127.0.0.1:1", "/in")))
	b.await(outbound.TopicDelivered, delivered)
	b.await(outbound.TopicDead, dead)
	b.await(outbound.TopicDead, unreachable)
	for _, id := range []transport.ID{delivered, dead, unreachable} {
		hear(b.do("GET", "/v1/messages/"+id.String(), ""))
	}
	for _, path := range []string{"/v1/messages", "/v1/stats", "/v1/destinations", "/v1/messages?endpoint=http://%zz" + canary, "/v1/messages?limit=" + canary} {
		hear(b.do("GET", path, ""))
	}
	hear(b.do("POST", "/v1/replay?dry_run=true", ""))
	hear(b.do("POST", "/v1/destinations/pause", `{"destination":"`+endpoint(up, "/x")+`"}`))
	hear(b.do("GET", "/v1/destinations", ""))
	for _, change := range []func(*SendRequest){
		func(r *SendRequest) { r.Endpoint = "http://user:" + canary + "@host:" + canary },
		func(r *SendRequest) { r.Endpoint = "gopher://user:" + canary + "@host/" },
		func(r *SendRequest) { r.Endpoint = endpoint("http://127.0.0.1:0", "/") },
		func(r *SendRequest) { r.Alternates = []string{"http://user:" + canary + "@host:" + canary} },
		func(r *SendRequest) { r.Alternates = []string{"gopher://user:" + canary + "@host/"} },
		func(r *SendRequest) { r.Alternates = []string{endpoint("http://127.0.0.1:0", "/")} },
		func(r *SendRequest) { r.Alternates = []string{r.Endpoint} },
		func(r *SendRequest) { r.Metadata["Host"] = canary },
		func(r *SendRequest) { r.Metadata["X-Bad"] = canary + "\n" },
		func(r *SendRequest) { r.WireFormat = "json"; r.Payload = new("{" + canary) },
		func(r *SendRequest) { r.PayloadBase64 = []byte(canary) },
	} {
		refused := request(endpoint(up, "/in"))
		change(&refused)
		body, err := json.Marshal(refused)
		if err != nil {
			t.Fatal(err)
		}
		b.want(hear(b.do("POST", "/v1/messages", string(body))), http.StatusBadRequest)
	}
	for _, body := range []string{`{"endpoint":"` + canary, `{"not_before":"` + canary + `"}`, `{"payload_base64":"` + canary + `"}`, `{"metadata":"` + canary + `"}`} {
		b.want(hear(b.do("POST", "/v1/messages", body)), http.StatusBadRequest)
	}
	if m := b.message(dead, "?payload=true"); m.Payload == nil || *m.Payload != canary {
		t.Errorf("asked for by id, the payload is %v", m.Payload)
	}
	hear(b.do("GET", "/v1/stats", "", "Authorization", "Bearer wrong-"+canary))
	b.stop()
	events, err := io.ReadAll(stream)
	if err != nil {
		t.Fatal(err)
	}
	said = append(said, string(events), b.logged())
	for _, text := range said {
		if at := strings.Index(text, canary); at >= 0 {
			t.Errorf("the canary sings: %s", text[max(0, at-200):min(len(text), at+50)])
		}
	}
	if len(events) < 500 {
		t.Errorf("the event stream is short: %s", events)
	}
}

// secretStream opens an event stream, to be read at the end.
func (b *bench) secretStream() io.Reader {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/v1/events", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+b.token)
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = response.Body.Close() })
	return response.Body
}

package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/sqlitequeue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress/egresstest"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/ingress"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// receives has an agent receive over HTTP, and drop what comes unless it is forwarded.
func receives(t *testing.T, change func(*Config)) func(*Config) {
	t.Helper()
	return func(c *Config) {
		c.Inbound.Listen = []string{"http://127.0.0.1:0"}
		if change != nil {
			change(c)
		}
		if c.Inbound.Forward.IsZero() {
			c.Inbound.Handler = HandlerDrop
		}
	}
}

// address is where the agent receives by a scheme.
func (b *bench) address(scheme string) string {
	b.t.Helper()
	for _, address := range b.agent.Inbound().Addresses() {
		if strings.HasPrefix(address, scheme+"://") {
			return address
		}
	}
	b.t.Fatalf("it does not receive over %s", scheme)
	return ""
}

// post posts to an address of the agent, and returns status and body.
func (b *bench) post(url, body string, headers ...string) answer {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
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

// dial opens a WebSocket to the agent.
func (b *bench) dial(url string, headers ...string) *websocket.Conn {
	b.t.Helper()
	header := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		header.Set(headers[i], headers[i+1])
	}
	conn, response, err := websocket.DefaultDialer.DialContext(b.t.Context(), url, header)
	if err != nil {
		b.t.Fatalf("dial %s: %v", url, err)
	}
	_ = response.Body.Close()
	b.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// app is a receiver that answers each message with the same body, and hands over
// the headers it came with.
func app(t *testing.T, reply string) (string, <-chan http.Header) {
	t.Helper()
	got := make(chan http.Header, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Clone()
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
	}))
	t.Cleanup(server.Close)
	return server.URL, got
}

func mustEndpoint(t *testing.T, text string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestForward(t *testing.T) {
	t.Parallel()
	url, got := app(t, `{"answer":42}`)
	b := start(t, receives(t, func(c *Config) { c.Inbound.Forward = mustEndpoint(t, url+"/in") }))
	if a := b.post(b.address("http"), `{"n":1}`, "X-Kind", "order", "Outrider-Peer", "mallory"); a.status != http.StatusOK || a.body != "" {
		t.Errorf("without a return route: %d %q", a.status, a.body)
	}
	header := <-got
	if header.Get("X-Kind") != "order" || header.Get(MetadataSession) == "" || header.Get(MetadataPeer) != "" {
		t.Errorf("forwarded with %v", header)
	}
	// The answer of the application comes back on the request that brought it.
	if a := b.post(b.address("http"), `{"n":2}`, "Return-Route", "all"); a.status != http.StatusOK || a.body != `{"answer":42}` {
		t.Errorf("with a return route: %d %q", a.status, a.body)
	}
	<-got
	// A copy is forwarded once.
	id := transport.NewID(time.Now()).String()
	for range 2 {
		if a := b.post(b.address("http"), `{"n":3}`, "Message-Id", id); a.status != http.StatusOK {
			t.Errorf("a copy: %d %q", a.status, a.body)
		}
	}
	if header := <-got; header.Get(MetadataMessageID) != id {
		t.Errorf("forwarded with %v", header)
	}
	b.flush()
	if len(got) != 0 {
		t.Error("the copy was forwarded, too")
	}
}

// flush waits until what is queued has been delivered.
func (b *bench) flush() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if err := b.agent.Manager().Flush(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// TestForwardOfAnswersAlone: without a URL to receive at, what peers answer on our
// connections is forwarded, and the log says that nothing else is.
func TestForwardOfAnswersAlone(t *testing.T) {
	t.Parallel()
	url, got := app(t, "")
	peer := echoes(t)
	b := start(t, func(c *Config) { c.Inbound.Forward = mustEndpoint(t, url) })
	if n := b.logs.FilterMessageSnippet("inbound.listen (--in URL)").Len(); n != 1 {
		t.Errorf("it is logged %d times, want once", n)
	}
	if _, err := b.agent.Manager().Send(t.Context(), outboundMessage(t, peer, "hello")); err != nil {
		t.Fatal(err)
	}
	if header := <-got; header.Get(MetadataSession) == "" {
		t.Errorf("forwarded with %v", header)
	}
	for name, change := range map[string]func(*Config){
		"nothing is received":   nil,
		"a handler is chosen":   receives(t, nil),
		"it is forwarded":       receives(t, func(c *Config) { c.Inbound.Forward = mustEndpoint(t, url) }),
		"it is fetched from us": mobile,
	} {
		if n := start(t, change).logs.FilterMessageSnippet("inbound.listen").Len(); n != 0 {
			t.Errorf("%s: it is logged %d times", name, n)
		}
	}
}

// twoSenders are a default profile that knows two senders by their tokens, and has a
// secret to verify webhooks with.
func twoSenders(secret string) map[string]profile.Options {
	return map[string]profile.Options{profile.DefaultID: {
		Inbound: profile.Inbound{
			Tokens: map[string]transport.Secret{"a": transport.NewSecret("a's"), "b": transport.NewSecret("b's")},
			Paths:  []string{"/", "/other"},
		},
		Secrets: map[string]transport.Secret{webhook.DefaultSecretName: transport.NewSecret(secret)},
	}}
}

// TestForwardKeepsTheIDsOfOthers that are no UUIDs: a copy is forwarded once, what
// merely has the same id is forwarded, and the application reads the id.
func TestForwardKeepsTheIDsOfOthers(t *testing.T) {
	t.Parallel()
	url, got := app(t, "")
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	b := start(t, receives(t, func(c *Config) {
		c.Inbound.Forward, c.Profiles = mustEndpoint(t, url+"/in"), twoSenders(secret)
	}))
	const id = "msg_2LJD8k1"
	signed := signedHeaders(t, secret, id, `{"n":1}`)
	posts := []struct {
		name, path string
		headers    []string
		id         string
	}{
		{"a text", "/", []string{"Message-Id", id}, id},
		{"a text, by another path", "/other", []string{"Message-Id", id}, id},
		{"a text, by one sender", "/", []string{"Message-Id", id, "X-Api-Key", "a's"}, id},
		{"a text, by another sender", "/", []string{"Message-Id", id, "X-Api-Key", "b's"}, id},
		{"another text", "/", []string{"Message-Id", "1"}, "1"},
		{"a text that is long", "/", []string{"Message-Id", strings.Repeat("x", 4000)}, strings.Repeat("x", 4000)},
		{"a text that is long and ends otherwise", "/", []string{"Message-Id", strings.Repeat("x", 4000) + "y"}, strings.Repeat("x", 4000) + "y"},
		{"a webhook, verified", "/", signed, id},
		{"a UUID in capitals", "/", []string{"Message-Id", "0198C0DE-5B1E-7ABC-8DEF-0123456789AB"}, "0198C0DE-5B1E-7ABC-8DEF-0123456789AB"},
	}
	for _, post := range posts {
		for range 2 {
			if a := b.post(b.address("http")+post.path, `{"n":1}`, post.headers...); a.status != http.StatusOK {
				t.Fatalf("%s: %d %q", post.name, a.status, a.body)
			}
		}
		header := <-got
		if header.Get(MetadataMessageID) != post.id {
			t.Errorf("%s: forwarded with %v", post.name, header)
		}
		if _, err := transport.ParseID(header.Get("Message-Id")); err != nil {
			t.Errorf("%s: the header of our own id is %q", post.name, header.Get("Message-Id"))
		}
		if len(post.headers) == len(signed) && header.Get(webhook.HeaderID) != id {
			t.Errorf("%s: the sender's own header is gone: %v", post.name, header)
		}
	}
	b.flush()
	if len(got) != 0 {
		t.Errorf("%d copies were forwarded, too", len(got))
	}
}

// signedHeaders are those of a webhook.
func signedHeaders(t *testing.T, secret, id, body string) []string {
	t.Helper()
	signer, err := webhook.NewSigner(transport.NewSecret(secret))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	signature, err := signer.Sign(id, now, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return []string{webhook.HeaderID, id, webhook.HeaderTimestamp, fmt.Sprint(now.Unix()), webhook.HeaderSignature, signature}
}

// TestForwardWithAHeaderOfOurOwn that the sender uses, too: it is ours, and the
// sender's id goes on beside it.
func TestForwardWithAHeaderOfOurOwn(t *testing.T) {
	t.Parallel()
	url, got := app(t, "")
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	b := start(t, receives(t, func(c *Config) {
		c.Inbound.Forward, c.Profiles = mustEndpoint(t, url), twoSenders(secret)
		c.HTTP.MessageIDHeader = webhook.HeaderID
	}))
	if a := b.post(b.address("http"), `{}`, signedHeaders(t, secret, "msg_1", `{}`)...); a.status != http.StatusOK {
		t.Fatalf("%d %q", a.status, a.body)
	}
	if header := <-got; header.Get(MetadataMessageID) != "msg_1" || header.Get(webhook.HeaderID) == "msg_1" {
		t.Errorf("forwarded with %v", header)
	}
}

func TestForwardIsCheckedAtTheStart(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Memory: true, Inbound: InboundConfig{Forward: mustEndpoint(t, "http://127.0.0.1:9/")}}, Options{})
	if err == nil || !strings.Contains(err.Error(), "inbound.forward: profile default may not reach it") {
		t.Errorf("a forward that is not allowed: %v", err)
	}
}

// mobile is a peer without an address, that is known by a token.
func mobile(c *Config) {
	c.Profiles = map[string]profile.Options{profile.DefaultID: {
		Inbound: profile.Inbound{Tokens: map[string]transport.Secret{"mobile": transport.NewSecret("open sesame")}},
		Pickup:  profile.Pickup{Enabled: true},
	}}
	c.Inbound.Listen, c.Inbound.Handler = []string{"ws://127.0.0.1:0", "http://127.0.0.1:0"}, HandlerDrop
}

func TestPickup(t *testing.T) {
	t.Parallel()
	b := start(t, mobile)
	const peer = inbound.PrefixToken + "mobile"
	var want []string
	var ids []transport.ID
	for i := range 20 {
		text := fmt.Sprint("message ", i)
		want = append(want, text)
		ids = append(ids, b.send(SendRequest{Recipients: []string{peer}, Payload: &text}))
	}
	if m := b.message(ids[0], ""); m.Status != "waiting_for_pickup" || m.Endpoint != "pickup:token:mobile" {
		t.Errorf("waiting: %s at %s", m.Status, m.Endpoint)
	}
	view := into[PickupsView](t, b.want(b.do("GET", "/v1/pickups", ""), http.StatusOK))
	if len(view.Pickups) != 1 || view.Pickups[0].Messages != 20 || !slices.Equal(view.Pickups[0].Recipients, []string{peer}) {
		t.Errorf("pickups: %+v", view)
	}
	if page := b.page("GET /v1/messages?limit=100&endpoint=" + view.Pickups[0].Endpoint); len(page.Messages) != 20 {
		t.Errorf("%d messages listed", len(page.Messages))
	}
	b.want(b.do("POST", "/v1/messages/"+ids[19].String()+"/cancel", ""), http.StatusOK)

	conn := b.dial(b.address("ws"), "Authorization", "Bearer open sesame", "Return-Route", "all")
	if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
		t.Fatal(err)
	}
	for _, text := range want[:19] {
		_, got, err := conn.ReadMessage()
		if err != nil || string(got) != text {
			t.Fatalf("got %q, %v, want %q", got, err, text)
		}
	}
	go func() { // pongs acknowledge the last
		_, _, _ = conn.ReadMessage()
	}()
	b.await("outbound-message::sent_to_session", ids[18])
	if m := b.message(ids[18], ""); m.Status != "sent_to_session" || m.Evidence != transport.Acknowledged {
		t.Errorf("picked up: %s, %s", m.Status, m.Evidence)
	}

	sessions := into[SessionsView](t, b.want(b.do("GET", "/v1/sessions", ""), http.StatusOK)).Sessions
	if len(sessions) != 1 || len(sessions[0].Peers) != 1 || sessions[0].Peers[0].Key != peer || sessions[0].Sent != 19 {
		t.Fatalf("sessions: %+v", sessions)
	}
	b.want(b.do("POST", "/v1/sessions/"+sessions[0].ID+"/close", ""), http.StatusAccepted)
	b.wantProblem(b.do("POST", "/v1/sessions/none/close", ""), http.StatusNotFound, "")
}

// TestPickupsWithOneThatCannotBeRead: it is shown as it is, and hides no others.
func TestPickupsWithOneThatCannotBeRead(t *testing.T) {
	t.Parallel()
	const unreadable = "pickup:%zz"
	dir := filepath.Join(t.TempDir(), "queue")
	store, err := sqlitequeue.Open(t.Context(), dir, sqlitequeue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Enqueue(t.Context(), []queue.Message{{
		ID: store.NewID(), Lane: queue.Lane{Profile: profile.DefaultID, Destination: unreadable}, NotBefore: time.Now().Add(time.Hour),
	}})
	if err := errors.Join(err, store.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	b := start(t, func(c *Config) { mobile(c); c.Dir = dir })
	text := "hello"
	b.send(SendRequest{Recipients: []string{"bob"}, Payload: &text})
	var endpoints []string
	for _, p := range into[PickupsView](t, b.want(b.do("GET", "/v1/pickups", ""), http.StatusOK)).Pickups {
		endpoints = append(endpoints, p.Endpoint)
	}
	if !slices.Equal(endpoints, []string{unreadable, "pickup:bob"}) {
		t.Errorf("pickups: %q", endpoints)
	}
}

func TestPickupOverHTTPTakesOneMessageARequest(t *testing.T) {
	t.Parallel()
	b := start(t, mobile)
	for _, text := range []string{"first", "second"} {
		b.send(SendRequest{Recipients: []string{"token:mobile"}, Payload: &text})
	}
	for _, want := range []string{"first", "second", ""} {
		if a := b.post(b.address("http"), `{}`, "X-Api-Key", "open sesame", "Return-Route", "all"); a.status != http.StatusOK || a.body != want {
			t.Errorf("got %d %q, want %q", a.status, a.body, want)
		}
	}
}

func TestWhoIsUnknownIsRefused(t *testing.T) {
	t.Parallel()
	b := start(t, receives(t, func(c *Config) {
		c.Profiles = map[string]profile.Options{
			"one": {Inbound: profile.Inbound{Paths: []string{"/one"}}},
			"two": {Inbound: profile.Inbound{Paths: []string{"/two"}, Tokens: map[string]transport.Secret{"t": transport.NewSecret("two's")}}},
		}
	}))
	for _, test := range []struct {
		path, token string
		want        int
	}{{"/one", "", 200}, {"/two/", "", 200}, {"/", "two's", 200}, {"/", "", 404}, {"/three", "", 404}, {"/one", "wrong", 403}} {
		headers := []string{}
		if test.token != "" {
			headers = append(headers, "Authorization", "Bearer "+test.token)
		}
		if a := b.post(b.address("http")+test.path, "{}", headers...); a.status != test.want || strings.Contains(a.body, "profile") {
			t.Errorf("%s with token %q: %d %q, want %d", test.path, test.token, a.status, a.body, test.want)
		}
	}
}

// echoes is the URL of a peer that answers each message on a WebSocket with one.
func echoes(t *testing.T) string {
	t.Helper()
	upgrader := websocket.Upgrader{}
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		for {
			kind, body, err := conn.ReadMessage()
			if err != nil || conn.WriteMessage(kind, append([]byte("re: "), body...)) != nil {
				return
			}
		}
	}))
	t.Cleanup(peer.Close)
	return "ws" + strings.TrimPrefix(peer.URL, "http")
}

// TestAPeerAnswersOnOurConnection has a peer send a message on the connection by
// which it got one.
func TestAPeerAnswersOnOurConnection(t *testing.T) {
	t.Parallel()
	peer := echoes(t)
	got := make(chan *inbound.Message, 1)
	b := startHandler(t, Config{AllowPrivate: true}, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- m
		return nil, nil
	})
	text := "hello"
	message := outboundMessage(t, peer, text)
	if _, err := b.agent.Manager().Send(t.Context(), message); err != nil {
		t.Fatal(err)
	}
	if m := <-got; string(m.Payload) != "re: hello" || !m.Text || m.Profile.ID() != profile.DefaultID {
		t.Errorf("got %q for %v", m.Payload, m.Profile)
	}
}

// TestMessagesOfASocketAtOnce: as many as the configuration says.
func TestMessagesOfASocketAtOnce(t *testing.T) {
	t.Parallel()
	const atOnce = 3
	begun, release := make(chan struct{}, atOnce), make(chan struct{})
	b := startHandler(t, Config{
		Inbound: InboundConfig{Listen: []string{"ws://127.0.0.1:0"}, Concurrency: atOnce},
	}, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		begun <- struct{}{}
		<-release
		return nil, nil
	})
	defer close(release)
	conn := b.dial(b.address("ws"))
	for range atOnce {
		if err := conn.WriteMessage(websocket.TextMessage, []byte("hello")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range atOnce {
		select {
		case <-begun:
		case <-time.After(patience):
			t.Fatalf("%d messages are handled at once, want %d", i, atOnce)
		}
	}
}

// TestPagesWhoseNameWasReboundAreKeptOut of what comes in, as they are of the API.
func TestPagesWhoseNameWasReboundAreKeptOut(t *testing.T) {
	t.Parallel()
	b := start(t, receives(t, func(c *Config) { c.Inbound.AllowedHosts = []string{"inbox.example.com"} }))
	for host, want := range map[string]int{"": 200, "inbox.example.com": 200, "attacker.example": 403} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.address("http"), strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host // empty: that of the URL
		if host != "" {
			request.Header.Set("Origin", "http://"+host)
		}
		response, err := b.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("host %q: %s, want %d", host, response.Status, want)
		}
	}
}

// TestACertificateThatCannotBeReadIsLogged, once the one before it was.
func TestACertificateThatCannotBeReadIsLogged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	authority := egresstest.NewAuthority(t)
	certFile, keyFile := egresstest.WriteFiles(t, dir, authority.Issue(t, egresstest.Certificate{}))
	b := start(t, func(c *Config) {
		c.Inbound.Listen, c.Inbound.Handler = []string{"https://127.0.0.1:0"}, HandlerDrop
		c.Inbound.TLS = ingress.TLS{CertFile: certFile, KeyFile: keyFile}
	})
	if err := os.WriteFile(keyFile, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: authority.Pool}, DisableKeepAlives: true,
	}}
	for limit := time.Now().Add(patience); b.logs.FilterMessageSnippet("inbound.tls").Len() == 0; <-time.After(20 * time.Millisecond) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, b.address("https"), nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if time.Now().After(limit) {
			t.Fatal("waited for long until it is logged")
		}
	}
	if text := b.logged(); strings.Contains(text, "canary") {
		t.Errorf("the key's file is in the log: %s", text)
	}
}

func TestInboundConfigFaults(t *testing.T) {
	t.Parallel()
	for want, config := range map[string]Config{
		"inbound.handler: \"burn\" is unknown":      {Inbound: InboundConfig{Handler: "burn"}},
		"inbound.forward: is missing":               {Inbound: InboundConfig{Handler: HandlerForward}},
		"inbound.forward: says nothing":             {Inbound: InboundConfig{Handler: HandlerDrop, Forward: mustEndpoint(t, "http://a/")}},
		"inbound.listen: scheme \"ftp\"":            {Inbound: InboundConfig{Listen: []string{"ftp://a/"}}},
		"inbound.listen: user information":          {Inbound: InboundConfig{Listen: []string{"http://u:canary@a/"}}},
		"inbound.listen: want a URL":                {Inbound: InboundConfig{Listen: []string{"http://:80"}}},
		"inbound.listen: http://a:80 is there":      {Inbound: InboundConfig{Listen: []string{"http://a", "http://a:80"}}},
		"inbound.allowed_hosts: allowed host \"a":   {Inbound: InboundConfig{Listen: []string{"http://a"}, AllowedHosts: []string{"a:1"}}},
		"api.allowed_hosts: allowed host \"*\"":     {API: APIConfig{AllowedHosts: []string{"*"}}},
		"inbound.concurrency: is negative":          {Inbound: InboundConfig{Listen: []string{"ws://a"}, Concurrency: -1}},
		"inbound.tls: tls needs both":               {Inbound: InboundConfig{Listen: []string{"https://a"}}},
		"inbound.handler: print is for":             {Inbound: InboundConfig{Handler: HandlerPrint}},
		"inbound.handler: is missing":               {Inbound: InboundConfig{Listen: []string{"http://127.0.0.1:0"}}},
		"inbound.handler: is missing: what":         {Inbound: InboundConfig{From: []transport.Endpoint{mustEndpoint(t, "amqp://127.0.0.1/q")}}},
		"profiles.two.inbound.paths: \"/a\" is tha": {Profiles: map[string]profile.Options{"one": {Inbound: profile.Inbound{Paths: []string{"/a"}}}, "two": {Inbound: profile.Inbound{Paths: []string{"/a"}}}}},
	} {
		config.Memory = true
		_, err := New(config, Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestForwardedIsNotForged: what a sender says in our name is not forwarded, in
// whatever case: AMQP keeps that of its properties, and HTTP has none.
func TestForwardedIsNotForged(t *testing.T) {
	t.Parallel()
	a := &Agent{config: Config{HTTP: HTTPConfig{MessageIDHeader: "webhook-id"}}}
	got := a.forwarded(&inbound.Message{Session: "s", Metadata: transport.Metadata{
		"kind": "order", "outrider-peer": "did:example:victim", "OUTRIDER-Recipient": "evil", "Outrider-Endpoint": "https://elsewhere.example/",
		"message-ID": "1", "return-route": "all", "Webhook-Id": "2",
	}})
	if want := (transport.Metadata{"kind": "order", MetadataSession: "s"}); !maps.Equal(got, want) {
		t.Errorf("forwarded with %v, want %v", got, want)
	}
}

package wamptest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/wireformat/serializer"
	"github.com/outrider-go/outrider/wireformat/wamp"
)

// Options of a [Router]. The zero value lets everybody in.
type Options struct {
	// Serializers are the ids of those it speaks. Default: all that are built in.
	Serializers []string
	// Accounts are who may join, by authid. Default: everybody may, as anonymous.
	Accounts map[string]Account
	// TLS has it listen with a certificate of its own, see Router.Roots.
	TLS bool
	// Mute has it leave pings without an answer.
	Mute bool
	// Pinged is called with each ping, before it is answered.
	Pinged func()
	// Handle sees each message of a client in a session before the router does. It
	// returns the router's answers, and true when the router is to do nothing.
	Handle func(m wamp.Message) (answers []wamp.Message, handled bool)
	// Hello does so for HELLO.
	Hello func(m *wamp.Hello) (answers []wamp.Message, handled bool)
}

// Router is the router. Make one with [New].
type Router struct {
	options Options
	server  *httptest.Server
	wires   map[string]*wamp.Serializer // by sub-protocol
	serving sync.WaitGroup

	mu         sync.Mutex
	last       wamp.ID
	clients    map[*client]bool
	topics     map[string]wamp.ID
	procedures map[string]*procedure
	calls      map[wamp.ID]call // by the invocation's request
	joined     int
	changed    chan struct{} // closed when clients changes
}

type procedure struct {
	id    wamp.ID
	owner *client
}

type call struct {
	caller  *client
	request wamp.ID
}

// Realm is the only one that a router has.
const Realm = "realm1"

// New starts a router, which ends with the test.
func New(t testing.TB, options Options) *Router {
	t.Helper()
	r := &Router{
		options: options, wires: map[string]*wamp.Serializer{}, clients: map[*client]bool{},
		topics: map[string]wamp.ID{}, procedures: map[string]*procedure{}, calls: map[wamp.ID]call{},
		changed: make(chan struct{}),
	}
	for _, wire := range serializer.Builtin() {
		if id := wire.Info().ID; len(options.Serializers) > 0 && !slices.Contains(options.Serializers, id) {
			continue
		}
		s, err := wamp.NewSerializer(wire, wamp.SerializerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		r.wires[s.Subprotocol()] = s
	}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(r.serve))
	if options.TLS {
		r.server.StartTLS()
	} else {
		r.server.Start()
	}
	t.Cleanup(r.Close)
	return r
}

// URL returns where it listens: ws://127.0.0.1:port/ws, or wss.
func (r *Router) URL() url.URL {
	u := url.URL{Scheme: "ws", Host: r.server.Listener.Addr().String(), Path: "/ws"}
	if r.options.TLS {
		u.Scheme = "wss"
	}
	return u
}

// Roots returns the certificate of a router with TLS.
func (r *Router) Roots() *x509.CertPool {
	roots := x509.NewCertPool()
	roots.AddCert(r.server.Certificate())
	return roots
}

// Certificate returns it as DER.
func (r *Router) Certificate() []byte { return r.server.Certificate().Raw }

// WaitIdle waits until nobody is connected, or ctx ends.
func (r *Router) WaitIdle(ctx context.Context) {
	for {
		r.mu.Lock()
		connected, changed := len(r.clients), r.changed
		r.mu.Unlock()
		if connected == 0 {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Joined returns how many sessions have joined until now.
func (r *Router) Joined() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.joined
}

// Drop breaks all connections.
func (r *Router) Drop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for c := range r.clients {
		_ = c.conn.Close()
	}
}

// Goodbye has the router end all sessions.
func (r *Router) Goodbye() {
	for _, c := range r.all() {
		c.send(&wamp.Goodbye{Reason: "wamp.close.system_shutdown"})
	}
}

func (r *Router) all() []*client {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*client
	for c := range r.clients {
		all = append(all, c)
	}
	return all
}

// Close ends the router. It may be called twice.
func (r *Router) Close() {
	r.Drop()
	r.server.Close()
	r.serving.Wait()
}

func (r *Router) newID() wamp.ID {
	r.last++
	return r.last
}

// client is a connection.
type client struct {
	router  *Router
	conn    *websocket.Conn
	wire    *wamp.Serializer
	channel []byte
	joined  bool
	account string
	answer  func(signature string) bool // checks the answer to a challenge

	mu            sync.Mutex
	subscriptions map[wamp.ID]bool // guarded by the router's
}

func (r *Router) serve(w http.ResponseWriter, req *http.Request) {
	var protocols []string
	for _, name := range websocket.Subprotocols(req) { // the client's order counts
		if r.wires[name] != nil {
			protocols = append(protocols, name)
		}
	}
	upgrader := websocket.Upgrader{Subprotocols: protocols}
	conn, err := upgrader.Upgrade(w, req, nil)
	if err != nil {
		return // Upgrade has answered
	}
	r.serving.Add(1)
	defer r.serving.Done()
	c := &client{router: r, conn: conn, wire: r.wires[conn.Subprotocol()], subscriptions: map[wamp.ID]bool{}}
	if secured, ok := conn.NetConn().(*tls.Conn); ok {
		state := secured.ConnectionState()
		c.channel, _ = state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32) // it never fails with TLS 1.3
	}
	pong := conn.PingHandler()
	conn.SetPingHandler(func(data string) error {
		if r.options.Pinged != nil {
			r.options.Pinged()
		}
		if r.options.Mute {
			return nil
		}
		return pong(data)
	})
	r.mu.Lock()
	r.clients[c] = true
	r.tell()
	r.mu.Unlock()
	defer r.forget(c)
	for c.wire != nil && c.handleFrame() {
	}
}

func (r *Router) tell() {
	close(r.changed)
	r.changed = make(chan struct{})
}

func (r *Router) forget(c *client) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.clients, c)
	r.tell()
	for uri, p := range r.procedures {
		if p.owner == c {
			delete(r.procedures, uri)
		}
	}
	_ = c.conn.Close()
}

func (c *client) handleFrame() bool {
	kind, b, err := c.conn.ReadMessage()
	if err != nil {
		return false
	}
	messages, err := c.wire.Unserialize(b, kind == websocket.BinaryMessage)
	if err != nil {
		c.send(&wamp.Abort{Reason: "wamp.error.protocol_violation"})
		return false
	}
	for _, m := range messages {
		if !c.handle(m) {
			return false
		}
	}
	return true
}

func (c *client) send(messages ...wamp.Message) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range messages {
		b, binary, err := c.wire.Serialize(nil, m)
		if err != nil {
			continue // a test with a message like that sees no answer
		}
		kind := websocket.TextMessage
		if binary {
			kind = websocket.BinaryMessage
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(10 * time.Second))
		_ = c.conn.WriteMessage(kind, b) // reading sees that it broke
	}
}

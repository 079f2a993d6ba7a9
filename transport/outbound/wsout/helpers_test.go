package wsout

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// start returns a transport that is stopped with the test.
func start(t testing.TB, options Options) *Transport {
	t.Helper()
	tr, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithoutCancel(t.Context()) // which ends before the cleanups begin
	if err := tr.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if err := tr.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return tr
}

// local returns a profile that may reach this machine.
func local(t testing.TB, settings map[string]string) *profile.Profile {
	t.Helper()
	return localWith(t, profile.Options{Settings: settings})
}

func localWith(t testing.TB, options profile.Options) *profile.Profile {
	t.Helper()
	options.Egress.AllowNetworks = append(options.Egress.AllowNetworks, netip.MustParsePrefix("127.0.0.0/8"))
	p, err := profile.New("tenant", options)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func parse(t testing.TB, uri string) transport.Endpoint {
	t.Helper()
	e, err := transport.ParseEndpoint(uri)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// message returns a message with a payload for a URI.
func message(t testing.TB, p *profile.Profile, uri, payload string) *outbound.Message {
	t.Helper()
	return &outbound.Message{
		Endpoint: parse(t, uri), Payload: []byte(payload), Text: true,
		Profile: p, ID: transport.NewID(time.Now()), Attempt: 1,
	}
}

// deliver makes an attempt that must succeed.
func deliver(t testing.TB, tr *Transport, m *outbound.Message) outbound.Receipt {
	t.Helper()
	receipt, err := tr.HandleMessage(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

// attempt is what HandleMessage returned.
type attempt struct {
	receipt outbound.Receipt
	fault   *outbound.DeliveryError
}

// begin makes an attempt in a goroutine of its own.
func begin(ctx context.Context, tr *Transport, m *outbound.Message) <-chan attempt {
	done := make(chan attempt, 1)
	go func() {
		receipt, err := tr.HandleMessage(ctx, m)
		fault, _ := errors.AsType[*outbound.DeliveryError](err)
		done <- attempt{receipt, fault}
	}()
	return done
}

// fail makes an attempt that must not succeed.
func fail(t testing.TB, ctx context.Context, tr *Transport, m *outbound.Message) *outbound.DeliveryError {
	t.Helper()
	done := <-begin(ctx, tr, m)
	if done.fault == nil {
		t.Fatalf("got %+v, want a DeliveryError", done.receipt)
	}
	return done.fault
}

// expect checks the facts that decide what becomes of a message.
func expect(t testing.TB, fault *outbound.DeliveryError, class transport.Class, code string, maybeSent bool) {
	t.Helper()
	if fault == nil {
		t.Fatal("the attempt succeeded")
	}
	if fault.Class != class || fault.Code != code || fault.MaybeSent != maybeSent {
		t.Errorf("got class %s, code %s, maybe sent %v (%v), want %s, %s, %v",
			fault.Class, fault.Code, fault.MaybeSent, fault, class, code, maybeSent)
	}
}

// peer is a WebSocket server that counts its connections.
type peer struct {
	*httptest.Server
	connections atomic.Int64

	mu   sync.Mutex
	open map[*websocket.Conn]bool
}

// serve plays with each connection until the test is over. play closes nothing;
// when it returns, the connection is closed.
func serve(t testing.TB, play func(ws *websocket.Conn, r *http.Request)) *peer {
	t.Helper()
	return serveWith(t, websocket.Upgrader{}, play)
}

func serveWith(t testing.TB, upgrader websocket.Upgrader, play func(ws *websocket.Conn, r *http.Request)) *peer {
	t.Helper()
	p := &peer{open: map[*websocket.Conn]bool{}}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		p.connections.Add(1)
		p.mu.Lock()
		p.open[ws] = true
		p.mu.Unlock()
		defer func() {
			_ = ws.Close()
			p.mu.Lock()
			delete(p.open, ws)
			p.mu.Unlock()
		}()
		play(ws, r)
	}))
	t.Cleanup(func() {
		p.hangUp()
		p.Close()
	})
	return p
}

// hangUp closes the connections without a close frame.
func (p *peer) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for ws := range p.open {
		_ = ws.Close()
	}
}

func (p *peer) uri() string { return strings.Replace(p.URL, "http", "ws", 1) + "/inbox" }

// drain reads until the connection ends.
func drain(ws *websocket.Conn) {
	for {
		if _, _, err := ws.ReadMessage(); err != nil {
			return
		}
	}
}

// collect adds all that arrives to received.
func collect(received chan<- string) func(ws *websocket.Conn, r *http.Request) {
	return func(ws *websocket.Conn, _ *http.Request) {
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			received <- string(payload)
		}
	}
}

// acceptKey is the answer to a handshake's key (RFC 6455 section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func tlsConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate}}
}

// quiet drops what a server logs of handshakes that a test makes fail.
func quiet() *log.Logger { return log.New(io.Discard, "", 0) }

package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/wireformat"
)

const mobilePeer = inbound.PrefixToken + "mobile"

// pickUp opens the session of the peer that is mobile, and asks for messages.
func (b *bench) pickUp(token string) *websocket.Conn {
	b.t.Helper()
	conn := b.dial(b.address("ws"), "Authorization", "Bearer "+token, "Return-Route", "all")
	if err := conn.WriteMessage(websocket.TextMessage, []byte("{}")); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// sendBatch queues messages, all or none.
func (b *bench) sendBatch(requests []SendRequest) {
	b.t.Helper()
	var lines strings.Builder
	encoder := json.NewEncoder(&lines)
	for i := range requests {
		if err := encoder.Encode(&requests[i]); err != nil {
			b.t.Fatal(err)
		}
	}
	b.want(b.do("POST", "/v1/messages", lines.String(), "Content-Type", "application/x-ndjson"), http.StatusAccepted)
}

// TestARecipientThatComesAndGoesGetsAll cuts the connections of a recipient while
// it gets what waits for it: it gets all in order, and of each connection at most
// the last message again.
func TestARecipientThatComesAndGoesGetsAll(t *testing.T) {
	t.Parallel()
	const waiting = 200
	b := start(t, mobile)
	requests := make([]SendRequest, waiting)
	for i := range requests {
		text := fmt.Sprint(i)
		requests[i] = SendRequest{Recipients: []string{mobilePeer}, Payload: &text}
	}
	b.sendBatch(requests)
	next, again := 0, 0
	for connections := 1; next < waiting; connections++ {
		if connections > waiting {
			t.Fatalf("%d connections, and %d of %d messages have come", connections, next, waiting)
		}
		conn := b.pickUp("open sesame")
		for range connections % 17 {
			_, body, err := conn.ReadMessage()
			if err != nil {
				t.Fatal(err)
			}
			switch string(body) {
			case fmt.Sprint(next):
				next++
			case fmt.Sprint(next - 1):
				again++
			default:
				t.Fatalf("got message %s, want %d", body, next)
			}
			if next == waiting {
				break
			}
		}
		if tcp, ok := conn.NetConn().(*net.TCPConn); ok && connections%2 == 0 {
			_ = tcp.SetLinger(0) // it is reset
		}
		_ = conn.NetConn().Close() // without a word
		if again > connections {
			t.Fatalf("%d messages came again on %d connections", again, connections)
		}
	}
}

// TestWhatFindsAFullSessionComesWhenItHasRoom: the recipient takes its time, and
// is there all the while.
func TestWhatFindsAFullSessionComesWhenItHasRoom(t *testing.T) {
	t.Parallel()
	const first, later = inbound.DefaultMaxReplies, 50
	b := start(t, func(c *Config) {
		mobile(c)
		c.Workers, c.LaneConcurrency = 2*first, 2*first
	})
	memory := &inboundtest.Memory{}
	if err := b.agent.Inbound().Register(memory); err != nil {
		t.Fatal(err)
	}
	conn, err := memory.Dial(inbound.Origin{
		Remote: "peer:1", Token: transport.NewSecret("open sesame"), Header: map[string]string{inbound.HeaderReturnRoute: "all"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Hold(true)
	if err := conn.Send(t.Context(), wireformat.Frame{Body: []byte("hello")}); err != nil {
		t.Fatal(err)
	}
	requests := make([]SendRequest, first)
	for i := range requests {
		text := fmt.Sprint(i)
		requests[i] = SendRequest{Recipients: []string{mobilePeer}, Payload: &text, SessionOnly: true}
	}
	b.sendBatch(requests)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for b.agent.Inbound().Sessions()[0].Queued < first && ctx.Err() == nil {
		<-time.After(time.Millisecond)
	}
	for i := range later {
		requests[i].SessionOnly = false
	}
	b.sendBatch(requests[:later])
	for waiting := int64(0); waiting < later && ctx.Err() == nil; {
		<-time.After(time.Millisecond)
		if view := into[PickupsView](t, b.want(b.do("GET", "/v1/pickups", ""), http.StatusOK)); len(view.Pickups) > 0 {
			waiting = view.Pickups[0].Messages
		}
	}
	conn.Hold(false)
	for i := range first + later {
		if _, err := conn.Receive(ctx); err != nil {
			t.Fatalf("%d of %d messages have come: %v", i, first+later, err)
		}
	}
}

// TestManyRecipientsAreWaitedForOverARestart: none of them is forgotten, or keeps
// others from their messages.
func TestManyRecipientsAreWaitedForOverARestart(t *testing.T) {
	t.Parallel()
	const recipients = 2_000
	dir := filepath.Join(t.TempDir(), "queue")
	tokens := map[string]transport.Secret{}
	requests := make([]SendRequest, recipients)
	for i := range requests {
		name := fmt.Sprint("peer-", i)
		if i%100 == 0 {
			tokens[name] = transport.NewSecret("token of " + name)
		}
		requests[i] = SendRequest{Recipients: []string{inbound.PrefixToken + name}, Payload: &name}
	}
	configure := func(c *Config) {
		mobile(c)
		c.Dir = dir
		c.Profiles[profile.DefaultID] = profile.Options{Inbound: profile.Inbound{Tokens: tokens}, Pickup: profile.Pickup{Enabled: true}}
	}
	first := start(t, configure)
	first.sendBatch(requests)
	first.stop()
	second := start(t, configure)
	if view := into[PickupsView](t, second.want(second.do("GET", "/v1/pickups", ""), http.StatusOK)); len(view.Pickups) != recipients {
		t.Errorf("%d recipients are waited for, want %d", len(view.Pickups), recipients)
	}
	url, reached := app(t, "")
	text := "meanwhile"
	second.send(SendRequest{Endpoint: url, Payload: &text})
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-reached:
	case <-ctx.Done():
		t.Error("others do not get their messages")
	}
	for name, token := range tokens {
		conn := second.pickUp(token.Reveal())
		if _, body, err := conn.ReadMessage(); err != nil || string(body) != name {
			t.Errorf("%s got %q, %v", name, body, err)
		}
		go func() { _, _, _ = conn.ReadMessage() }() // until it is closed; the pong says that the message was read: a worker waits for it
	}
}

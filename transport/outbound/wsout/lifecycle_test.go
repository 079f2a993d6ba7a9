package wsout

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/egress"
)

func TestStartAndStop(t *testing.T) {
	t.Parallel()
	received := make(chan string, 2)
	server := serve(t, collect(received))
	tr := stopped(t, Options{})
	m := message(t, local(t, nil), server.uri(), "x")
	for range 2 { // it can be started again
		expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
		if err := tr.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tr.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := tr.Start(t.Context()); !errors.Is(err, transport.ErrStarted) {
			t.Errorf("second start: %v", err)
		}
		deliver(t, tr, m)
		for range 2 {
			if err := tr.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
}

func TestStartWithAnEndedContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stopped(t, Options{}).Start(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// hanging is a peer that acknowledges nothing until it is released, and tells with
// which code it was closed.
func hanging(t *testing.T) (server *peer, reached <-chan string, closed <-chan int, release func()) {
	t.Helper()
	got, codes, answer := make(chan string, 1), make(chan int, 1), make(chan struct{})
	server = serve(t, func(ws *websocket.Conn, _ *http.Request) {
		pong := ws.PingHandler()
		ws.SetPingHandler(func(payload string) error {
			<-answer
			return pong(payload)
		})
		for {
			_, payload, err := ws.ReadMessage()
			if e, ok := errors.AsType[*websocket.CloseError](err); ok {
				codes <- e.Code
			}
			if err != nil {
				return
			}
			got <- string(payload)
		}
	})
	released := false
	release = func() {
		if !released {
			released = true
			close(answer)
		}
	}
	t.Cleanup(release)
	return server, got, codes, release
}

func TestStopWaitsForAttemptsAndSaysGoodbye(t *testing.T) {
	t.Parallel()
	server, reached, closed, release := hanging(t)
	tr, m := start(t, Options{Ack: AckPing}), message(t, local(t, nil), server.uri(), "x")
	waiting := begin(t.Context(), tr, m)
	<-reached
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := tr.Stop(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop during an attempt: %v", err)
	}
	expect(t, fail(t, t.Context(), tr, m), transport.Temporary, codeStopped, false)
	release()
	if done := <-waiting; done.fault != nil {
		t.Errorf("the attempt under way: %v", done.fault)
	}
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if code := <-closed; code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
}

func TestHardStopEndsAttempts(t *testing.T) {
	t.Parallel()
	server, reached, closed, release := hanging(t)
	tr, p := stopped(t, Options{Ack: AckPing}), local(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := tr.Start(ctx); err != nil {
		t.Fatal(err)
	}
	waiting := begin(t.Context(), tr, message(t, p, server.uri(), "x"))
	<-reached
	cancel()
	expect(t, (<-waiting).fault, transport.Unknown, codeStopped, true)
	expect(t, fail(t, t.Context(), tr, message(t, p, server.uri(), "x")), transport.Temporary, codeStopped, false)
	release()
	if code := <-closed; code != websocket.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	if err := tr.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCanceledBeforeItBegins(t *testing.T) {
	t.Parallel()
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) { drain(ws) })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fault := fail(t, ctx, start(t, Options{}), message(t, local(t, nil), server.uri(), "x"))
	expect(t, fault, transport.Temporary, codeCanceled, false)
	if server.connections.Load() != 0 {
		t.Error("it connected")
	}
}

func TestStatistics(t *testing.T) {
	t.Parallel()
	server := serve(t, func(ws *websocket.Conn, r *http.Request) {
		if r.URL.Path == "/bad" {
			_, _, _ = ws.ReadMessage()
			_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1003, ""), time.Now().Add(time.Second))
		}
		drain(ws)
	})
	tr, p := start(t, impatient(AckPing)), local(t, nil)
	deliver(t, tr, message(t, p, server.uri(), "four"))
	bad := message(t, p, "ws:"+server.URL[len("http:"):]+"/bad", "sent")
	expect(t, fail(t, t.Context(), tr, bad), transport.Permanent, "1003", true)
	_ = fail(t, t.Context(), tr, message(t, p, "ws://"+fakepeer.Nobody(t), "x"))
	got := tr.Collector().Snapshot()
	if got.BytesSent != 8 {
		t.Errorf("%d bytes sent", got.BytesSent)
	}
	if got.Errors["permanent"] != 1 || got.Errors["temporary"] != 1 {
		t.Errorf("errors %v", got.Errors)
	}
	for metric, count := range map[string]int64{"connect": 3, "handshake": 3, "write": 2, "ack": 1, "total": 3} {
		if got.Metrics[metric].Count != count {
			t.Errorf("%s was timed %d times, want %d", metric, got.Metrics[metric].Count, count)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]Options{
		"negative":           {Connections: -1},
		"mode":               {Mode: "sheared"},
		"ack":                {Ack: "hope"},
		"pointer":            {AckPointer: "id"},
		"pong before ping":   {PingInterval: time.Second, PongTimeout: time.Second},
		"reconnect":          {ReconnectWait: time.Minute, MaxReconnectWait: time.Second},
		"too many per host":  {Connections: 100},
		"egress, in its own": {Egress: egress.Options{DialTimeout: -1}},
	} {
		if _, err := New(options); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

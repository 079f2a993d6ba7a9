package wsout

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/transport"
)

// answering is a peer that answers each message with what reply makes of it; ""
// is no answer.
func answering(t testing.TB, reply func(payload string) string) *peer {
	return serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if answer := reply(string(payload)); answer != "" {
				if err := ws.WriteMessage(websocket.TextMessage, []byte(answer)); err != nil {
					return
				}
			}
		}
	})
}

func TestReplies(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pointer string
		reply   func(payload string) string
		own     func(ctx context.Context, f Frame) (string, bool)
		acked   bool
	}{
		"the id as text":             {"", func(id string) string { return id }, nil, true},
		"with white space":           {"", func(id string) string { return " " + id + "\r\n" }, nil, true},
		"in upper case":              {"", strings.ToUpper, nil, true},
		"another id":                 {"", func(string) string { return "0198c0de-5b1e-7abc-8def-0123456789ab" }, nil, false},
		"no id":                      {"", func(string) string { return "ok" }, nil, false},
		"at a pointer":               {"/ack/1/id", func(id string) string { return `{"ack":[0,{"id":"` + id + `"}]}` }, nil, true},
		"where a name has a slash":   {"/a~1b/~0", func(id string) string { return `{"a/b":{"~":"` + id + `"}}` }, nil, true},
		"at another place":           {"/ack/id", func(id string) string { return `{"ack":{"no":"` + id + `"}}` }, nil, false},
		"JSON that is cut short":     {"/id", func(id string) string { return `{"id":"` + id + `"` }, nil, false},
		"a number at the pointer":    {"/id", func(string) string { return `{"id":4}` }, nil, false},
		"text where JSON is awaited": {"/id", func(id string) string { return id }, nil, false},
		"by a function": {"", func(id string) string { return "ack " + id }, func(_ context.Context, f Frame) (string, bool) {
			return strings.CutPrefix(string(f.Payload), "ack ")
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			frames := make(chan Frame, 1)
			server := answering(t, test.reply)
			tr := start(t, Options{Ack: AckReply, AckPointer: test.pointer, ReplyID: test.own, OnFrame: func(_ context.Context, f Frame) error { frames <- f; return nil }})
			m := message(t, local(t, nil), server.uri(), "")
			m.Payload = []byte(m.ID.String())
			if test.acked {
				if receipt := deliver(t, tr, m); receipt.Evidence != transport.Acknowledged || receipt.Code != codeReply {
					t.Errorf("got %+v", receipt)
				}
				if len(frames) != 0 {
					t.Errorf("the acknowledgement %q came to OnFrame", (<-frames).Payload)
				}
				return
			}
			ctx, cancel := context.WithCancel(t.Context())
			waiting := begin(ctx, tr, m)
			f := <-frames // it is no acknowledgement
			cancel()
			expect(t, (<-waiting).fault, transport.Unknown, codeCanceled, true)
			if string(f.Payload) != test.reply(m.ID.String()) || f.Profile != m.Profile || !f.Text || f.Endpoint.String() != m.Endpoint.String() {
				t.Errorf("OnFrame got %+v", f)
			}
		})
	}
}

// An idempotency key serves as an id, and replies come in any order.
func TestRepliesByIdempotencyKeyInAnyOrder(t *testing.T) {
	t.Parallel()
	const n = 20
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		var got []string
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if got = append(got, string(payload)); len(got) < n {
				continue
			}
			for i := range got {
				_ = ws.WriteMessage(websocket.TextMessage, []byte(got[len(got)-1-i]))
			}
		}
	})
	tr, p := start(t, Options{Ack: AckReply}), local(t, nil)
	var all []<-chan attempt
	for i := range n {
		m := message(t, p, server.uri(), fmt.Sprint("key ", i))
		m.IdempotencyKey = string(m.Payload)
		all = append(all, begin(t.Context(), tr, m))
	}
	for _, waiting := range all {
		if done := <-waiting; done.fault != nil || done.receipt.Evidence != transport.Acknowledged {
			t.Errorf("got %+v", done)
		}
	}
}

// A peer that acknowledges before it can have read a message acknowledges nothing
// that is not written.
func TestRepliesThatComeTooEarly(t *testing.T) {
	t.Parallel()
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for range 1000 {
			if err := ws.WriteMessage(websocket.TextMessage, []byte("guessed")); err != nil {
				return
			}
		}
		drain(ws)
	})
	tr, p := start(t, Options{Ack: AckReply}), local(t, nil)
	for range 20 {
		m := message(t, p, server.uri(), strings.Repeat("long ", 100_000))
		m.IdempotencyKey = "guessed"
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		done := <-begin(ctx, tr, m)
		cancel()
		if done.fault != nil && done.fault.Code != codeTimeout {
			t.Error(done.fault)
		}
	}
}

func TestFramesComeInOrder(t *testing.T) {
	t.Parallel()
	const n = 200
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for i := range n {
			_ = ws.WriteMessage(websocket.BinaryMessage, []byte(fmt.Sprint(i)))
		}
		drain(ws)
	})
	got := make(chan string, n)
	tr := start(t, Options{Ack: AckPing, OnFrame: func(_ context.Context, f Frame) error { got <- string(f.Payload); return nil }})
	deliver(t, tr, message(t, local(t, nil), server.uri(), "x"))
	for i := range n {
		if text := <-got; text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, text)
		}
	}
	if tr.Collector().Snapshot().BytesReceived < n {
		t.Error("what the peer sent was not counted")
	}
}

// A slow OnFrame slows the peer down, and does not kill the connection, which
// answers pings again afterwards.
func TestSlowOnFrameHoldsThePeerUp(t *testing.T) {
	t.Parallel()
	const n = 10 * inboxFrames
	release, got := make(chan struct{}), make(chan string, n)
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for i := range n {
			_ = ws.WriteMessage(websocket.TextMessage, []byte(fmt.Sprint(i)))
		}
		drain(ws)
	})
	options := Options{Ack: AckPing, PingInterval: 5 * time.Millisecond, PongTimeout: 20 * time.Millisecond, FrameTimeout: time.Minute}
	options.OnFrame = func(_ context.Context, f Frame) error {
		<-release
		got <- string(f.Payload)
		return nil
	}
	tr, p := start(t, options), local(t, nil)
	waiting := begin(t.Context(), tr, message(t, p, server.uri(), "x"))
	stuck, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond) // many times the PongTimeout
	defer cancel()
	<-stuck.Done()
	close(release)
	for i := range n {
		if text := <-got; text != fmt.Sprint(i) {
			t.Fatalf("message %d is %q", i, text)
		}
	}
	if done := <-waiting; done.fault != nil {
		t.Error(done.fault)
	}
	if server.connections.Load() != 1 {
		t.Errorf("%d connections", server.connections.Load())
	}
}

// One that takes nothing for longer than FrameTimeout costs the connection.
func TestStuckOnFrameEndsTheConnection(t *testing.T) {
	t.Parallel()
	closed := make(chan int, 10)
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		for range 2 * inboxFrames {
			_ = ws.WriteMessage(websocket.TextMessage, []byte("x"))
		}
		for {
			_, _, err := ws.ReadMessage()
			if e, ok := errors.AsType[*websocket.CloseError](err); ok {
				closed <- e.Code
			}
			if err != nil {
				return
			}
		}
	})
	options := impatient(AckReply)
	options.FrameTimeout = 10 * time.Millisecond
	options.OnFrame = func(ctx context.Context, _ Frame) error { <-ctx.Done(); return ctx.Err() }
	tr, err := New(options)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	expect(t, fail(t, t.Context(), tr, message(t, local(t, nil), server.uri(), "x")), transport.Unknown, codeInboundStuck, true)
	if code := <-closed; code != websocket.CloseTryAgainLater {
		t.Errorf("closed with %d", code)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := tr.Stop(ctx); err != nil { // which ends OnFrame's context
		t.Error(err)
	}
}

func TestPanicOfOnFrameHarmsNobody(t *testing.T) {
	t.Parallel()
	server := answering(t, func(payload string) string { return payload })
	calls := make(chan struct{}, 2)
	tr := start(t, Options{Ack: AckPing, OnFrame: func(context.Context, Frame) error {
		calls <- struct{}{}
		panic("not ours")
	}})
	p := local(t, nil)
	for range 2 {
		deliver(t, tr, message(t, p, server.uri(), "x"))
		<-calls
	}
}

// A peer that asks whether its messages have been handled is not told so before
// they are: whoever is killed meanwhile gets them again.
func TestPongsWaitForTheMessagesBeforeThem(t *testing.T) {
	t.Parallel()
	pongs := make(chan string, 10)
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		ws.SetPongHandler(func(payload string) error {
			pongs <- payload
			return nil
		})
		_ = ws.WriteMessage(websocket.TextMessage, []byte("hello"))
		for _, payload := range []string{ackPrefix + "1", "heartbeat"} {
			_ = ws.WriteControl(websocket.PingMessage, []byte(payload), time.Now().Add(time.Second))
		}
		drain(ws)
	})
	begun, release := make(chan struct{}), make(chan struct{})
	tr := start(t, Options{Ack: AckPing, OnFrame: func(context.Context, Frame) error {
		close(begun)
		<-release
		return nil
	}})
	waiting := begin(t.Context(), tr, message(t, local(t, nil), server.uri(), "x"))
	<-begun
	if pong := <-pongs; pong != "heartbeat" {
		t.Errorf("the first pong is %q", pong)
	}
	close(release)
	if pong := <-pongs; pong != ackPrefix+"1" {
		t.Errorf("the second pong is %q", pong)
	}
	if done := <-waiting; done.fault != nil {
		t.Error(done.fault)
	}
}

// A message that was not handled is not acknowledged, and neither is what came
// behind it.
func TestWhatIsNotHandledIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	for name, onFrame := range map[string]func() error{
		"refused":  func() error { return errors.New("the queue is full") },
		"panicked": func() error { panic("not ours") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ended := make(chan error, 1)
			server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
				_, _, _ = ws.ReadMessage() // what the test waits for is on its way
				ws.SetPongHandler(func(payload string) error {
					if strings.HasPrefix(payload, ackPrefix) {
						t.Errorf("acknowledged: %q", payload)
					}
					return nil
				})
				for i, text := range []string{"first", "second", "third"} {
					_ = ws.WriteMessage(websocket.TextMessage, []byte(text))
					_ = ws.WriteControl(websocket.PingMessage, []byte(ackPrefix+strconv.Itoa(i)), time.Now().Add(time.Second))
				}
				for {
					if _, _, err := ws.ReadMessage(); err != nil {
						ended <- err
						return
					}
				}
			})
			var calls atomic.Int32
			tr := start(t, Options{OnFrame: func(context.Context, Frame) error {
				calls.Add(1)
				return onFrame()
			}})
			deliver(t, tr, message(t, local(t, nil), server.uri(), "x"))
			if err := <-ended; !websocket.IsCloseError(err, websocket.CloseTryAgainLater) {
				t.Errorf("the connection ended with %v", err)
			}
			if n := calls.Load(); n != 1 {
				t.Errorf("%d messages were handled, want 1: the others will come again", n)
			}
		})
	}
}

func TestInflatedSizeIsBounded(t *testing.T) {
	t.Parallel()
	server := serveWith(t, websocket.Upgrader{EnableCompression: true}, func(ws *websocket.Conn, _ *http.Request) {
		_, _, _ = ws.ReadMessage()
		_ = ws.WriteMessage(websocket.BinaryMessage, make([]byte, 64<<20)) // 64 KiB on the wire
		drain(ws)
	})
	options := impatient(AckReply)
	options.Compression, options.MaxInboundBytes = true, 1<<20
	expect(t, fail(t, t.Context(), start(t, options), message(t, local(t, nil), server.uri(), "x")), transport.Unknown, codeInboundTooLong, true)
}

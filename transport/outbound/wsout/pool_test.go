package wsout

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/internal/fakepeer"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// states collects what OnState is told.
type states struct {
	mu   sync.Mutex
	all  []State
	news chan struct{}
}

func newStates() *states { return &states{news: make(chan struct{}, 1000)} }

func (s *states) add(state State) {
	s.mu.Lock()
	s.all = append(s.all, state)
	s.mu.Unlock()
	s.news <- struct{}{}
}

// wait returns the n-th state.
func (s *states) wait(n int) State {
	for {
		if state, told := s.get(n); told {
			return state
		}
		<-s.news
	}
}

func (s *states) get(n int) (state State, told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.all) < n {
		return State{}, false
	}
	return s.all[n-1], true
}

func TestIdleConnectionIsClosed(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]Options{
		"idle": {IdleTimeout: 20 * time.Millisecond},
		"old":  {MaxAge: 20 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			codes, connected := make(chan int, 2), make(chan struct{}, 2)
			server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
				connected <- struct{}{}
				_, _, _ = ws.ReadMessage()
				_, _, err := ws.ReadMessage()
				if e, ok := errors.AsType[*websocket.CloseError](err); ok {
					codes <- e.Code
				}
			})
			seen := newStates()
			options.OnState = seen.add
			tr, p := start(t, options), local(t, nil)
			m := message(t, p, server.uri()+"?token=secret#key", "x")
			deliver(t, tr, m)
			if code := <-codes; code != websocket.CloseNormalClosure {
				t.Errorf("closed with %d", code)
			}
			up, gone := seen.wait(1), seen.wait(2)
			if !up.Connected || gone.Connected || gone.Code != "" || up.Profile != p || up.Endpoint.String() != m.Endpoint.String() {
				t.Errorf("states: %+v and %+v", up, gone)
			}
			deliver(t, tr, m)
			for range 2 { // the second message has a connection of its own
				<-connected
			}
		})
	}
}

func TestStateTellsWhyAConnectionIsGone(t *testing.T) {
	t.Parallel()
	server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
		_, _, _ = ws.ReadMessage()
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4321, "canary"), time.Now().Add(time.Second))
		drain(ws)
	})
	seen := newStates()
	options := impatient(AckNone)
	options.OnState = seen.add
	<-begin(t.Context(), start(t, options), message(t, local(t, nil), server.uri(), "x"))
	if gone := seen.wait(2); gone.Connected || gone.Code != "4321" {
		t.Errorf("got %+v", gone)
	}
}

// An idle connection makes room for one to the same host; a busy one does not.
func TestConnectionsPerHostAreBounded(t *testing.T) {
	t.Parallel()
	pinged := make(chan struct{}, 2)
	server := serve(t, func(ws *websocket.Conn, r *http.Request) {
		if r.URL.Query().Has("hang") {
			ws.SetPingHandler(func(string) error {
				pinged <- struct{}{}
				return nil
			})
		}
		drain(ws)
	})
	options := impatient(AckPing)
	options.MaxConnsPerHost, options.HandshakeTimeout, options.Connections = 2, time.Second, 1
	tr, p := start(t, options), local(t, nil)
	for i := range 6 {
		deliver(t, tr, message(t, p, fmt.Sprintf("%s?%d", server.uri(), i), "x"))
	}
	if open := len(tr.running.Load().slots.conns()); open > 4 { // some are being closed
		t.Errorf("%d connections are open", open)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var hanging []<-chan attempt
	for i := range 2 {
		hanging = append(hanging, begin(ctx, tr, message(t, p, fmt.Sprintf("%s?hang&%d", server.uri(), i), "x")))
	}
	for range hanging { // the ping comes behind the message: both connections are at work
		<-pinged
	}
	expect(t, fail(t, t.Context(), tr, message(t, p, server.uri()+"?more", "x")), transport.Temporary, codeTooManyConns, false)
	cancel()
	for _, waiting := range hanging {
		expect(t, (<-waiting).fault, transport.Unknown, codeCanceled, true)
	}
	deliver(t, tr, message(t, p, server.uri()+"?more", "x"))
}

// Messages of many goroutines go over as many connections as the profile says, and
// one dial serves all that wait.
func TestConnectionsOfOneDestination(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 3} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			var got atomic.Int64
			server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
				for {
					if _, _, err := ws.ReadMessage(); err != nil {
						return
					}
					got.Add(1)
				}
			})
			tr, p := start(t, Options{Ack: AckPing}), local(t, map[string]string{SettingConnections: fmt.Sprint(n)})
			var senders sync.WaitGroup
			for range 32 {
				senders.Go(func() {
					for range 50 {
						if _, err := tr.HandleMessage(t.Context(), message(t, p, server.uri(), "x")); err != nil {
							t.Error(err)
						}
					}
				})
			}
			senders.Wait()
			if got.Load() != 32*50 || server.connections.Load() > n {
				t.Errorf("%d messages over %d connections", got.Load(), server.connections.Load())
			}
		})
	}
}

// A window that is full holds messages back, and what is larger than the window
// goes alone.
func TestWindow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		frames, bytes int
		payload       string
	}{
		"frames": {3, 0, "x"},
		"bytes":  {0, 100, strings.Repeat("x", 40)},
		"large":  {0, 100, strings.Repeat("x", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step, held := make(chan struct{}), make(chan int, 100)
			server := serve(t, func(ws *websocket.Conn, _ *http.Request) {
				messages := make(chan string, 100)
				go func() {
					defer close(messages)
					for {
						_, payload, err := ws.ReadMessage()
						if err != nil {
							return
						}
						messages <- string(payload)
					}
				}()
				for range step { // what has come by now is all that the window lets through
					n := len(messages)
					held <- n
					for range n {
						_ = ws.WriteMessage(websocket.TextMessage, []byte((<-messages)[:36]))
					}
				}
				for range messages {
				}
			})
			tr, p := start(t, Options{Ack: AckReply, WindowFrames: test.frames, WindowBytes: test.bytes}), local(t, nil)
			const n = 9
			var all []<-chan attempt
			for range n {
				m := message(t, p, server.uri(), "")
				m.Payload = []byte(m.ID.String() + test.payload)
				all = append(all, begin(t.Context(), tr, m))
			}
			for acked := 0; acked < n; {
				step <- struct{}{}
				got := <-held
				if size := 36 + len(test.payload); got > 1 && (test.frames > 0 && got > test.frames || test.bytes > 0 && got*size > test.bytes) {
					t.Errorf("%d messages of %d bytes at once", got, size)
				}
				acked += got
			}
			close(step)
			for _, waiting := range all {
				if done := <-waiting; done.fault != nil {
					t.Error(done.fault)
				}
			}
		})
	}
}

// The wait before a dial is random, doubles with each failure, and is bounded.
func TestReconnectWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		links := &links{options: Options{ReconnectWait: time.Second, MaxReconnectWait: 10 * time.Second}}
		longest := map[int]time.Duration{}
		for range 200 {
			p := &pool{links: links}
			for n := range 20 {
				p.failed(time.Now())
				wait := time.Until(p.dialAt)
				if most := min(time.Second<<n, 10*time.Second); wait < 0 || wait > most {
					t.Fatalf("after %d failures the wait is %v", n+1, wait)
				}
				longest[n] = max(longest[n], wait)
			}
		}
		if longest[0] < 900*time.Millisecond || longest[1] < 1800*time.Millisecond || longest[19] < 9*time.Second {
			t.Errorf("the longest waits are %v", longest)
		}
	})
}

// A dial that nobody waits for any more does not hold a stop up.
func TestStopEndsDials(t *testing.T) {
	t.Parallel()
	reached := make(chan struct{})
	uri := "ws://" + fakepeer.Raw(t, func(_ *net.TCPConn, in *bufio.Reader) {
		_, _ = http.ReadRequest(in)
		close(reached)
		_, _ = in.ReadByte()
	})
	tr := stopped(t, Options{HandshakeTimeout: time.Hour})
	if err := tr.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := begin(ctx, tr, message(t, local(t, nil), uri, "x"))
	<-reached
	cancel()
	expect(t, (<-waiting).fault, transport.Temporary, codeCanceled, false)
	if err := tr.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// Messages that wait for a dial fail together, and later ones wait their turn.
func TestAttemptsShareADial(t *testing.T) {
	t.Parallel()
	var dials atomic.Int64
	uri := "ws://" + fakepeer.Nobody(t)
	options := Options{ReconnectWait: time.Millisecond}
	options.Egress.Observe = func(phase string, _ time.Duration) {
		if phase == "connect" {
			dials.Add(1)
		}
	}
	tr, p := start(t, options), local(t, nil)
	var all []<-chan attempt
	for range 50 {
		all = append(all, begin(t.Context(), tr, message(t, p, uri, "x")))
	}
	for _, waiting := range all {
		expect(t, (<-waiting).fault, transport.Temporary, "connection_refused", false)
	}
	if n := dials.Load(); n == 0 || n >= 50 {
		t.Errorf("%d dials for 50 attempts", n)
	}
}

func TestUnusedPoolsAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		links := newLinks(t.Context(), Options{}.withDefaults(), metrics{}, nil)
		tenant := &tenant{profile: local(t, nil)}
		key := func(n int) poolKey { return poolKey{uri: fmt.Sprint(n)} }
		for n := range firstSweep {
			links.keep(key(n), newPool(links, tenant, nil, false))
		}
		<-time.After(unusedFor + 1)
		links.keep(key(firstSweep), newPool(links, tenant, nil, false))
		if len(links.pools) != 1 {
			t.Errorf("%d pools are kept", len(links.pools))
		}
		links.halt()
	})
}

// In single mode each message has a connection, its id in the handshake, and the
// close of the peer as the end.
func TestSingle(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		ack  Ack
		play func(ws *websocket.Conn)
		want func(t *testing.T, done attempt)
	}{
		"the close is answered": {AckNone, drain, wantReceipt(transport.Written, "1000")},
		"with pings":            {AckPing, drain, wantReceipt(transport.Acknowledged, codePong)},
		"the close is not answered": {AckNone, func(ws *websocket.Conn) {
			ws.SetCloseHandler(func(int, string) error { return nil })
			drain(ws)
			_, _ = ws.NetConn().Read(make([]byte, 1))
		}, wantReceipt(transport.Written, codeConnectionClosed)},
		"no close frame": {AckNone, func(ws *websocket.Conn) {
			ws.SetCloseHandler(func(int, string) error { return nil })
			drain(ws)
		}, wantFault(transport.Unknown, codeConnectionClosed)},
		"an error": {AckNone, closesWith(1011), wantFault(transport.Temporary, "1011")},
		"refused":  {AckNone, closesWith(1003), wantFault(transport.Permanent, "1003")},
		"restart":  {AckNone, closesWith(1012), wantFault(transport.Temporary, "1012")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ids := make(chan string, 10)
			server := serve(t, func(ws *websocket.Conn, r *http.Request) {
				ids <- r.Header.Get("Message-Id")
				test.play(ws)
			})
			tr, p := start(t, impatient(test.ack)), local(t, map[string]string{SettingMode: "single"})
			for n := range 3 {
				m := message(t, p, server.uri(), "x")
				test.want(t, <-begin(t.Context(), tr, m))
				if id := <-ids; id != m.ID.String() {
					t.Errorf("id %q, want %s", id, m.ID)
				}
				if server.connections.Load() != int64(n+1) {
					t.Errorf("%d connections for %d messages", server.connections.Load(), n+1)
				}
			}
		})
	}
}

func closesWith(code int) func(ws *websocket.Conn) {
	return func(ws *websocket.Conn) {
		ws.SetCloseHandler(func(int, string) error { return nil })
		drain(ws)
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	}
}

func wantReceipt(evidence transport.Evidence, code string) func(*testing.T, attempt) {
	return func(t *testing.T, done attempt) {
		t.Helper()
		want := outbound.Receipt{Evidence: evidence, Code: code}
		if done.fault != nil || done.receipt.Evidence != want.Evidence || done.receipt.Code != want.Code {
			t.Errorf("got %+v, %v", done.receipt, done.fault)
		}
	}
}

func wantFault(class transport.Class, code string) func(*testing.T, attempt) {
	return func(t *testing.T, done attempt) {
		t.Helper()
		expect(t, done.fault, class, code, true)
	}
}

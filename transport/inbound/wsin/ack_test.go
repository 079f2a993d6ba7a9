package wsin_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/inbound/httpin"
	"github.com/outrider-go/outrider/transport/inbound/inboundtest"
	"github.com/outrider-go/outrider/transport/inbound/wsin"
	"github.com/outrider-go/outrider/wireformat"
)

// TestPongMeansHandled: a ping of ours is answered after what stands before it,
// any other at once.
func TestPongMeansHandled(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 4} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			r, connect := memory(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
				<-release
				return nil, nil
			}, wsin.Options{Concurrency: concurrency, Heartbeat: -1}, inbound.Options{})
			p := connect("")
			for _, f := range [][]byte{
				frame(final|opText, []byte("1")), frame(final|opText, []byte("2")), ackPing(1), frame(final|opPing, []byte("now")),
			} {
				p.write(t, f)
			}
			if got := string(p.until(t, opPong)); got != "now" {
				t.Fatalf("the first pong is %q", got)
			}
			release <- struct{}{}
			synctest.Wait()
			p.write(t, frame(final|opPing, []byte("still")))
			if got := string(p.until(t, opPong)); got != "still" {
				t.Fatalf("with one message at work the pong is %q", got)
			}
			release <- struct{}{}
			if got := string(p.until(t, opPong)); got != "outrider:1" {
				t.Errorf("the pong is %q", got)
			}
			if r.payloads() != "1 2" && concurrency == 1 {
				t.Errorf("handled: %s", r.payloads())
			}
			_ = p.Close()
		})
	}
}

// TestFailureIsNotAcknowledged: the pong is a close code, and what comes behind
// the failure is left to be sent again.
func TestFailureIsNotAcknowledged(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  error
		want int
	}{
		{errors.New("broken"), 1011},
		{inbound.ErrBusy, 1013},
		{inbound.ErrRefused, 1008},
		{inbound.ErrMalformed, 1003},
	}
	for _, test := range tests {
		t.Run(fmt.Sprint(test.want), func(t *testing.T) {
			t.Parallel()
			hold := make(chan struct{})
			r := receive(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
				if string(m.Payload) == "bad" {
					<-hold
					return nil, test.err
				}
				return nil, nil
			}, wsin.Options{CloseTimeout: 50 * time.Millisecond}, inbound.Options{})
			p := r.raw(t)
			p.write(t, frame(final|opText, []byte("good")), ackPing(1), frame(final|opText, []byte("bad")), ackPing(2),
				frame(final|opText, []byte("later")), ackPing(3), frame(final|opPing, []byte("read")))
			pongs := []string{string(p.until(t, opPong)), string(p.until(t, opPong))}
			if slices.Sort(pongs); !slices.Equal(pongs, []string{"outrider:1", "read"}) {
				t.Errorf("the pongs are %q", pongs)
			}
			close(hold)
			if code, err := p.closedWith(); err != nil || code != test.want {
				t.Errorf("closed with %d, %v, want %d", code, err, test.want)
			}
			r.noSessions(t)
			if r.payloads() != "good bad" {
				t.Errorf("handled: %s", r.payloads())
			}
		})
	}
}

// TestFailureLeavesTheSocketOpen for a peer that asks for nothing, unless that is
// wanted; and the first ping of ours behind it learns of it.
func TestFailureLeavesTheSocketOpen(t *testing.T) {
	t.Parallel()
	broken := func(context.Context, *inbound.Message) (*inbound.Reply, error) { return nil, errors.New("broken") }
	r := receive(t, broken, wsin.Options{}, inbound.Options{})
	p := r.raw(t)
	p.write(t, frame(final|opText, []byte("1")), frame(final|opText, []byte("2")))
	eventually(t, "both are handled", func() bool { return r.payloads() == "1 2" })
	p.write(t, frame(final|opPing, []byte("alive")))
	if got := string(p.until(t, opPong)); got != "alive" {
		t.Errorf("the pong is %q", got)
	}
	p.write(t, ackPing(1))
	if code, err := p.closedWith(); err != nil || code != 1011 {
		t.Errorf("closed with %d, %v, want 1011", code, err)
	}
	strict := receive(t, broken, wsin.Options{CloseOnFailure: true}, inbound.Options{})
	p = strict.raw(t)
	p.write(t, frame(final|opText, []byte("1")))
	if code, err := p.closedWith(); err != nil || code != 1011 {
		t.Errorf("with CloseOnFailure: closed with %d, %v, want 1011", code, err)
	}
}

// TestReaderWaits: a peer that sends faster than is handled is slowed down, and
// nothing is lost.
func TestReaderWaits(t *testing.T) {
	t.Parallel()
	const n = 150
	hold := make(chan struct{})
	r := receive(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
		<-hold
		return nil, nil
	}, wsin.Options{Waiting: 2, Heartbeat: -1}, inbound.Options{MaxBytes: 1 << 20})
	p := r.raw(t)
	payload := strings.Repeat("x", 64<<10)
	go func() {
		for range n {
			_, _ = p.Write(frame(final|opText, []byte(payload)))
		}
		_, _ = p.Write(ackPing(1))
	}()
	eventually(t, "one is at work", func() bool { return len(r.messages()) == 1 })
	close(hold)
	if got := string(p.until(t, opPong)); got != "outrider:1" {
		t.Errorf("the pong is %q", got)
	}
	if got := len(r.messages()); got != n {
		t.Errorf("%d messages of %d were handled", got, n)
	}
}

// TestManyDeliveries to one socket at once: each is acknowledged, and arrives once.
func TestManyDeliveries(t *testing.T) {
	t.Parallel()
	const senders, each = 32, 50
	r := receive(t, nil, wsin.Options{}, inbound.Options{})
	c, err := dial(t.Context(), r.Address(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Send(t.Context(), message("x")); err != nil {
		t.Fatal(err)
	}
	session := r.messages()[0].Session
	seen := make(chan map[string]int, 1)
	go func() {
		got := map[string]int{}
		for range senders * each {
			m, err := c.Receive(t.Context())
			if err != nil {
				break
			}
			got[string(m.Payload)]++
		}
		seen <- got
	}()
	var group sync.WaitGroup
	for i := range senders {
		group.Go(func() {
			for j := range each {
				if _, err := deliver(t.Context(), r, session, fmt.Sprintf("%d/%d", i, j)); err != nil {
					t.Errorf("sender %d: %v", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	if got := <-seen; len(got) != senders*each {
		t.Errorf("%d different messages arrived, want %d", len(got), senders*each)
	}
}

func TestSubprotocols(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{Subprotocols: []wsin.Subprotocol{{Name: "first", WireFormat: "json"}, {Name: "second"}}}, inbound.Options{})
	for offered, want := range map[string]struct{ chosen, format string }{
		"second, first": {"first", "json"}, "second": {"second", "raw"}, "other": {"", "raw"}, "": {"", "raw"},
	} {
		dialer := websocket.Dialer{}
		if offered != "" {
			dialer.Subprotocols = strings.Split(offered, ", ")
		}
		conn, _, err := dialer.Dial(r.Address(), nil)
		if err != nil {
			t.Fatal(err)
		}
		before := len(r.messages())
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{}`))
		eventually(t, "it is handled", func() bool { return len(r.messages()) > before })
		if got := r.messages()[before].Receipt.Format; conn.Subprotocol() != want.chosen || got != want.format {
			t.Errorf("%q: chosen %q, read as %q, want %q, %q", offered, conn.Subprotocol(), got, want.chosen, want.format)
		}
		_ = conn.Close()
	}
}

// TestOnePort serves messages over HTTP and WebSocket at one address.
func TestOnePort(t *testing.T) {
	t.Parallel()
	ws, err := wsin.New("", wsin.Options{NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	web, err := httpin.New("127.0.0.1:0", httpin.Options{WebSocket: ws})
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 2)
	m := inboundtest.Start(t, func(_ context.Context, m *inbound.Message) (*inbound.Reply, error) {
		got <- m.Origin.Scheme + " " + string(m.Payload)
		return nil, nil
	}, inbound.Options{}, ws, web)
	ctx := context.WithoutCancel(t.Context())
	c, err := dial(ctx, strings.Replace(web.Address(), "http://", "ws://", 1), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Send(ctx, message("a")); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{}}
	resp, err := client.Post(web.Address(), "text/plain", strings.NewReader("b"))
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	client.CloseIdleConnections()
	if one, two := <-got, <-got; one != "ws a" || two != "http b" {
		t.Errorf("%q, %q", one, two)
	}
	if all := m.Addresses(); len(all) != 1 || all[0] != web.Address() {
		t.Errorf("the addresses are %v", all)
	}
	known, err := wsin.New("example.com:80", wsin.Options{NoListener: true})
	if err != nil {
		t.Fatal(err)
	}
	if before := known.Address(); before != "" {
		t.Errorf("before it is started its address is %s", before)
	}
	if err := m.Register(known); err != nil {
		t.Fatal(err)
	}
	if got := known.Address(); got != "ws://example.com:80" {
		t.Errorf("the address that somebody else listens at is %q", got)
	}
	if err := m.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestNoRoomForASocket(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{}, inbound.Options{MaxSessions: 1})
	p := r.raw(t)
	if _, err := dial(t.Context(), r.Address(), nil); err == nil || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v, want 503", err)
	}
	_ = p.Close()
	r.noSessions(t)
	c, err := dial(t.Context(), r.Address(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

// TestStopClosesSockets with a code that says so.
func TestStopClosesSockets(t *testing.T) {
	t.Parallel()
	r := receive(t, nil, wsin.Options{CloseTimeout: 50 * time.Millisecond}, inbound.Options{})
	p := r.raw(t)
	stopped := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		stopped <- r.manager.Stop(ctx)
	}()
	if code, err := p.closedWith(); err != nil || code != 1001 {
		t.Errorf("closed with %d, %v, want 1001", code, err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	_, err := wsin.New("nowhere", wsin.Options{
		MaxMessageBytes: -1, Waiting: -1, Acks: "maybe", AllowedOrigins: []string{"app.example"}, Subprotocols: []wsin.Subprotocol{{Name: "a b"}},
	})
	for _, want := range []string{"MaxMessageBytes", "Waiting", "Acks", "app.example", `"a b"`, "host:port"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s named", err, want)
		}
	}
}

// TestStopAcknowledges what it has taken: the ping may come after Stop was called,
// but not behind a message that was not taken.
func TestStopAcknowledges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		r, connect := memory(t, func(context.Context, *inbound.Message) (*inbound.Reply, error) {
			<-release
			return nil, nil
		}, wsin.Options{Heartbeat: -1}, inbound.Options{})
		p := connect("")
		p.write(t, frame(final|opText, []byte("taken")))
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- r.manager.Stop(t.Context()) }()
		synctest.Wait()
		for _, f := range [][]byte{ackPing(1), frame(final|opText, []byte("not taken")), ackPing(2)} {
			p.write(t, f)
		}
		synctest.Wait()
		close(release)
		if got := string(p.until(t, opPong)); got != "outrider:1" {
			t.Errorf("the pong is %q", got)
		}
		if code, err := p.closedWith(); err != nil || code != 1001 {
			t.Errorf("closed with %d, %v, want 1001, and no second pong", code, err)
		}
		_ = p.Close()
		if err := <-stopped; err != nil || r.payloads() != "taken" {
			t.Errorf("%v, handled: %s", err, r.payloads())
		}
	})
}

// TestAPanicIsAFailure: also one of what finds out whom a message is for, and a
// handler that ends its goroutine. The peer is told, and the receiver goes on.
func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string]func(*wireformat.Frame){
		"panics":             func(f *wireformat.Frame) { _ = f.Body[10] },
		"ends the goroutine": func(*wireformat.Frame) { runtime.Goexit() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := receive(t, nil, wsin.Options{Heartbeat: -1}, inbound.Options{
				Tenants: inbound.TenantsFunc(func(_ context.Context, _ *inbound.Origin, f *wireformat.Frame) (inbound.Tenant, error) {
					if len(f.Body) < 10 {
						bad(f)
					}
					return inbound.Tenant{Profile: profile.Default()}, nil
				}),
			})
			p := r.raw(t)
			p.write(t, frame(final|opText, []byte("ok")), ackPing(1))
			if code, err := p.closedWith(); code != 1011 || err != nil {
				t.Errorf("closed with %d, %v, want 1011", code, err)
			}
			_ = p.Close()
			p = r.raw(t)
			p.write(t, frame(final|opText, []byte("long enough")), ackPing(2))
			if got := string(p.until(t, opPong)); got != "outrider:2" {
				t.Errorf("the pong is %q", got)
			}
		})
	}
}

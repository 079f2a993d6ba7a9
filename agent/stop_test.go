package agent

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport/inbound"
	"github.com/outrider-go/outrider/transport/outbound"
)

// stall begins a request of two bytes at the agent, and returns its connection once
// the agent waits for the second.
func (b *bench) stall() net.Conn {
	b.t.Helper()
	conn, err := new(net.Dialer).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.address("http"), "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = conn.Close() })
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1"); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	if _, err := b.events.Wait(ctx, func(e event.Event) bool { return e.Topic == inbound.TopicSessionOpened }); err != nil {
		b.t.Fatal(err)
	}
	return conn
}

// stopping is what a Stop that goes on beside the test returns.
type stopping struct {
	left outbound.Left
	err  error
}

// beginStop stops the agent beside the test, and returns when it is not ready any
// more.
func (b *bench) beginStop() <-chan stopping {
	b.t.Helper()
	stopped := make(chan stopping, 1)
	go func() {
		left, err := b.agent.Stop(context.WithoutCancel(b.t.Context()))
		stopped <- stopping{left, err}
	}()
	deadline := time.Now().Add(patience / 4)
	for b.do("GET", "/readyz", "").status == http.StatusOK {
		if time.Now().After(deadline) {
			b.t.Fatal("the agent stays ready")
		}
	}
	return stopped
}

// TestStopIsNotHeldByAStalledRequest: the API refuses messages at once, no attempt
// begins, and what the request brings in time is kept.
func TestStopIsNotHeldByAStalledRequest(t *testing.T) {
	t.Parallel()
	url, arrived, _ := hanging(t)
	b := start(t, receives(t, func(c *Config) { c.Inbound.Forward, c.ShutdownTimeout = mustEndpoint(t, url), 2*patience }))
	dead := b.send(SendRequest{Endpoint: receiver(t, http.StatusServiceUnavailable), Payload: new("x"), Retry: "none"})
	b.await(outbound.TopicDead, dead)
	conn := b.stall()
	stopped := b.beginStop()

	if h := into[HealthView](t, b.do("GET", "/readyz", "")); h.Status != "unavailable" || !strings.Contains(h.Reason, "stop") {
		t.Errorf("health is %+v", h)
	}
	if err := b.agent.Ready(); !errors.Is(err, outbound.ErrStopped) {
		t.Errorf("ready: %v", err)
	}
	for path, body := range map[string]string{
		"/v1/messages": `{"endpoint":"` + url + `","payload":"z"}`,
		"/v1/messages/" + dead.String() + "/replay": "",
		"/v1/replay?result=dead":                    "",
		"/v1/destinations/test":                     `{"destination":"` + url + `"}`,
	} {
		if p := b.wantProblem(b.do("POST", path, body), http.StatusServiceUnavailable, ""); p.Type != "/problems/stopping" {
			t.Errorf("%s: problem is %+v", path, p)
		}
	}
	if _, err := io.WriteString(conn, "2"); err != nil {
		t.Fatal(err)
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if s := <-stopped; s.err != nil || s.left.Messages != 1 || response.StatusCode != http.StatusOK {
		t.Errorf("the request is answered %d; stop: %+v, want the message of the request left", response.StatusCode, s)
	}
	if len(arrived) != 0 {
		t.Error("an attempt began after the stop")
	}
}

// TestAStalledRequestLeavesTimeToAttempts: it is cut when it has had its share, and
// an attempt under way has the rest.
func TestAStalledRequestLeavesTimeToAttempts(t *testing.T) {
	t.Parallel()
	url, arrived, answer := hanging(t)
	b := start(t, receives(t, func(c *Config) { c.ShutdownTimeout = 4 * time.Second }))
	id := b.send(SendRequest{Endpoint: url, Payload: new("x")})
	<-arrived
	conn := b.stall()
	stopped := b.beginStop()
	if m := b.message(id, ""); m.State != queue.StateDeliver {
		t.Errorf("the message under way is %s", m.State)
	}
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("the stalled request got an answer: %v", err)
	}
	close(answer)
	if s := <-stopped; s.err != nil || s.left != (outbound.Left{}) {
		t.Errorf("stop: %+v", s)
	}
	b.await(outbound.TopicDelivered, id)
	if b.logs.FilterMessageSnippet("cut short").Len() != 1 || b.logs.FilterMessageSnippet("attempts are cut short").Len() != 0 {
		t.Errorf("log: %s", b.logged())
	}
}

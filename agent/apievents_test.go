package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/transport/outbound"
)

// listen opens an event stream, which is open once it returns.
func (b *bench) listen(query string) *bufio.Scanner {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, b.url+"/v1/events"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = response.Body.Close() })
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != "text/event-stream" {
		b.t.Fatalf("answer is %d %v", response.StatusCode, response.Header)
	}
	return bufio.NewScanner(response.Body)
}

func TestEvents(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b := start(t, func(c *Config) { c.TopicPrefix = "acme::" })
	all, some := b.listen(""), b.listen("?topic=.*delivered")
	id := b.send(SendRequest{Endpoint: url + "/?secret=1", Payload: new("x")})

	var lines []string
	for len(lines) < 8 && all.Scan() {
		lines = append(lines, all.Text())
	}
	if lines[0] != ": connected" || lines[2] != "event: acme::outbound-message::queued_for_delivery" || lines[3] != "id: 1" ||
		lines[6] != "event: acme::outbound-message::delivered" || lines[7] != "id: 2" {
		t.Errorf("the stream is\n%s", strings.Join(lines, "\n"))
	}
	for some.Scan() && !strings.HasPrefix(some.Text(), "data: ") {
		if strings.Contains(some.Text(), "queued") {
			t.Errorf("the pattern lets %q through", some.Text())
		}
	}
	var view EventView
	var payload outbound.MessageEvent
	if err := json.Unmarshal([]byte(strings.TrimPrefix(some.Text(), "data: ")), &view); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(view.Payload, &payload); err != nil {
		t.Fatal(err)
	}
	if view.Topic != "acme::outbound-message::delivered" || time.Since(view.Time) > time.Minute ||
		payload.ID != id || payload.Endpoint != url+"/?secret=***" || payload.Attempt != 1 {
		t.Errorf("event is %+v %+v", view, payload)
	}
	if a := b.do("HEAD", "/v1/events", ""); a.status != http.StatusOK {
		t.Errorf("HEAD answers %d", a.status)
	}
}

// TestEventsEndAtShutdown: a listener hears of the end, and does not hold it up.
func TestEventsEndAtShutdown(t *testing.T) {
	t.Parallel()
	b := start(t, nil)
	stream := b.listen("?topic=transport::.*")
	b.stop()
	var heard []string
	for stream.Scan() {
		heard = append(heard, stream.Text())
	}
	if err := stream.Err(); err != nil {
		t.Errorf("the stream ends with %v", err)
	}
	if text := strings.Join(heard, "\n"); !strings.Contains(text, "event: transport::stopped\nid: 1\ndata: {") {
		t.Errorf("the stream is\n%s", text)
	}
}

// sink is a client of an event stream that takes nothing while it is shut.
type sink struct {
	mu   sync.Mutex
	text strings.Builder
	shut chan struct{} // nil: open
	err  error
}

func (s *sink) Header() http.Header              { return http.Header{} }
func (s *sink) WriteHeader(int)                  {}
func (s *sink) SetWriteDeadline(time.Time) error { return nil }
func (s *sink) Flush()                           {}

func (s *sink) Write(p []byte) (int, error) {
	if s.shut != nil {
		<-s.shut
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	return len(p), s.err
}

func (s *sink) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// stream runs an event stream over a bus until the sink fails or end is called.
func stream(t *testing.T, w *sink, buffer int) (bus *event.Bus, end func() error) {
	t.Helper()
	bus = event.New(event.Options{})
	subscription, err := bus.Subscribe("(?s).*", event.SubscribeOptions{Buffer: buffer})
	if err != nil {
		t.Fatal(err)
	}
	s := &eventStream{w: w, control: http.NewResponseController(w), subscription: subscription, log: zap.NewNop()}
	closing, result := make(chan struct{}), make(chan error, 1)
	go func() { result <- s.run(make(chan struct{}), closing) }()
	return bus, func() error {
		close(closing)
		return errors.Join(<-result, bus.Close(context.WithoutCancel(t.Context())))
	}
}

func TestEventStreamHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &sink{}
		bus, end := stream(t, w, 10)
		synctest.Wait()
		bus.Publish("a", 1)
		<-time.After(31 * time.Second)
		if err := end(); err != nil {
			t.Error(err)
		}
		text := w.String()
		if strings.Count(text, ": still here\n\n") != 2 || strings.Index(text, "event: a\n") > strings.Index(text, "still") {
			t.Errorf("the stream is\n%s", text)
		}
	})
}

// TestEventStreamTellsWhatWasLost: a client that does not keep up loses events,
// and learns how many.
func TestEventStreamTellsWhatWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &sink{shut: make(chan struct{})}
		bus, end := stream(t, w, 2)
		synctest.Wait() // it is stuck in the first comment
		for n := range 10 {
			bus.Publish("a\nb", n)
		}
		close(w.shut)
		synctest.Wait()
		bus.Publish("end", func() {}) // cannot be JSON
		if err := end(); err != nil {
			t.Error(err)
		}
		text := w.String()
		for _, want := range []string{"event: a b\nid: 1\n", "event: dropped\nid: 10\n", `"payload":{"count":8}`, "event: end\nid: 12\n", `"payload":null`} {
			if !strings.Contains(text, want) {
				t.Errorf("the stream lacks %q", want)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	})
}

func TestEventStreamEndsWithItsClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		w := &sink{err: gone}
		_, end := stream(t, w, 2)
		if err := end(); !errors.Is(err, gone) {
			t.Errorf("the stream ends with %v", err)
		}
	})
}

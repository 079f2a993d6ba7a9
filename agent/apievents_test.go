package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
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
func (b *bench) listen(query string, headers ...string) *bufio.Scanner {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	b.t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url+"/v1/events"+query, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
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
	for len(lines) < 9 && all.Scan() {
		lines = append(lines, all.Text())
	}
	run := strings.TrimSuffix(strings.TrimPrefix(lines[1], "id: "), "-0")
	if lines[0] != ": connected" || lines[3] != "event: acme::outbound-message::queued_for_delivery" || lines[4] != "id: "+run+"-1" ||
		lines[7] != "event: acme::outbound-message::delivered" || lines[8] != "id: "+run+"-2" {
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
	if text := strings.Join(heard, "\n"); !regexp.MustCompile(`event: transport::stopped\nid: \w+-\d\ndata: {`).MatchString(text) {
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

// eventsBench is a bus, and the log of its events.
type eventsBench struct {
	t       *testing.T
	bus     *event.Bus
	log     *eventLog
	closing chan struct{}
}

// newEventsBench keeps at most some events.
func newEventsBench(t *testing.T, events int) *eventsBench {
	bus := event.New(event.Options{})
	b := &eventsBench{t: t, bus: bus, log: newEventLog(bus, zap.NewNop()), closing: make(chan struct{})}
	b.log.run, b.log.maxEvents = "run", events
	return b
}

// listen runs a stream into a sink until the sink fails, or the bench or the client
// ends. The function ends the client, and returns the error of the stream.
func (b *eventsBench) listen(w *sink, topics, lastID string) (leave func() error) {
	b.t.Helper()
	pattern, err := event.ParsePattern(topics)
	if err != nil {
		b.t.Fatal(err)
	}
	last, err := b.log.open()
	if err != nil {
		b.t.Fatal(err)
	}
	s := &eventStream{w: w, control: http.NewResponseController(w), log: b.log, topics: pattern, since: time.Now(), position: last}
	if lastID != "" {
		s.resume(lastID)
	}
	gone, result := make(chan struct{}), make(chan error, 1)
	go func() {
		defer b.log.leave()
		result <- s.run(gone, b.closing)
	}()
	return func() error {
		close(gone)
		return <-result
	}
}

// end ends the agent.
func (b *eventsBench) end() {
	b.log.close()
	close(b.closing)
	synctest.Wait()
	if err := b.bus.Close(context.WithoutCancel(b.t.Context())); err != nil {
		b.t.Error(err)
	}
}

// wantStream compares a stream, without what is in its data but for a count.
func wantStream(t *testing.T, w *sink, want ...string) {
	t.Helper()
	text := regexp.MustCompile(`data: .*?("count":\d+|\n)(.*\n)?`).ReplaceAllString(w.String(), "$1\n")
	text = strings.ReplaceAll(regexp.MustCompile(`\n\n+`).ReplaceAllString(text, "\n"), "event: ", "")
	got := strings.Split(strings.TrimSpace(strings.ReplaceAll(text, "\nid: ", " ")), "\n")
	if !slices.Equal(got, want) {
		t.Errorf("the stream is\n%q, want\n%q:\n%s", got, want, w.String())
	}
}

func TestEventStreamHeartbeat(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, w := newEventsBench(t, 10), &sink{}
		b.listen(w, "a", "")
		b.bus.Publish("a", 1)
		b.bus.Publish("b", 1)
		<-time.After(31 * time.Second)
		b.end()
		wantStream(t, w, ": connected run-0", "a run-1", ": still here run-2", ": still here run-2")
	})
}

// TestEventStreamTellsWhatWasLost: a client that does not keep up loses events,
// and learns how many.
func TestEventStreamTellsWhatWasLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, w := newEventsBench(t, 2), &sink{shut: make(chan struct{})}
		b.listen(w, "(?s).*", "")
		synctest.Wait() // it is stuck in the first comment
		for n := range 10 {
			b.bus.Publish("a\nb", n)
		}
		synctest.Wait()
		close(w.shut)
		synctest.Wait()
		b.bus.Publish("end", func() {}) // cannot be JSON
		b.end()
		wantStream(t, w, ": connected run-0", "missed run-8", `"count":8`, "a b run-9", "a b run-10", "end run-11")
		if text := w.String(); !strings.Contains(text, `"payload":null`) {
			t.Errorf("the stream is\n%s", text)
		}
	})
}

func TestEventStreamEndsWithItsClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gone := errors.New("gone")
		b, w := newEventsBench(t, 2), &sink{err: gone}
		leave := b.listen(w, ".*", "")
		synctest.Wait()
		if err := leave(); !errors.Is(err, gone) {
			t.Errorf("the stream ends with %v", err)
		}
		b.end()
	})
}

// TestEventStreamGoesOnAfterTheLastEvent: a client that comes back says which event it
// had last, and is sent what followed, of its topics; or is told that this is gone.
func TestEventStreamGoesOnAfterTheLastEvent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		lastID string
		want   []string
	}{
		"none":            {"", []string{": connected run-6"}},
		"the latest":      {"run-6", []string{": connected run-6"}},
		"kept":            {"run-3", []string{": connected run-3", "a run-5"}},
		"just kept":       {"run-2", []string{": connected run-2", "a run-3", "a run-5"}},
		"gone":            {"run-1", []string{": connected run-1", "missed run-2", `"count":1`, "a run-3", "a run-5"}},
		"another run":     {"old-3", []string{": connected run-6", "missed run-6"}},
		"not yet":         {"run-7", []string{": connected run-6", "missed run-6"}},
		"not an id":       {"7", []string{": connected run-6", "missed run-6"}},
		"not a number":    {"run-x", []string{": connected run-6", "missed run-6"}},
		"too much number": {"run-99999999999999999999", []string{": connected run-6", "missed run-6"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newEventsBench(t, 4)
				leave := b.listen(&sink{}, "a", "")
				for n := range 6 {
					b.bus.Publish([]string{"a", "b"}[n%2], n)
				}
				synctest.Wait()
				if err := leave(); err != nil {
					t.Error(err)
				}
				<-time.After(time.Second) // what was published before is not for a client that is new
				w := &sink{}
				b.listen(w, "a", test.lastID)
				synctest.Wait()
				b.bus.Publish("a", 7)
				b.end()
				wantStream(t, w, append(test.want, "a run-7")...)
			})
		})
	}
}

// TestEventLogIsBoundedInBytes: also large events leave the log again.
func TestEventLogIsBoundedInBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEventsBench(t, 1000)
		b.log.maxBytes = 10_000
		b.listen(&sink{}, "none", "")
		for range 100 {
			b.bus.Publish("a", strings.Repeat("x", 3000))
		}
		synctest.Wait()
		if entries, last, _ := b.log.after(0); len(entries) != 3 || last != 100 || b.log.bytes > 10_000 {
			t.Errorf("%d events are kept, of %d bytes; the latest is %d", len(entries), b.log.bytes, last)
		}
		b.bus.Publish("a", strings.Repeat("x", 20_000)) // the latest is kept however large it is
		synctest.Wait()
		if entries, _, _ := b.log.after(0); len(entries) != 1 || entries[0].n != 101 {
			t.Errorf("%d events are kept", len(entries))
		}
		b.end()
	})
}

// TestEventLogCountsWhatTheBusDropped: events that never got into the log are missed by
// every client.
func TestEventLogCountsWhatTheBusDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b, w := newEventsBench(t, 2*logBuffer), &sink{}
		b.listen(w, "z", "")
		synctest.Wait()
		b.log.mu.Lock()
		for range logBuffer + 100 {
			b.bus.Publish("a", 1)
		}
		b.log.mu.Unlock()
		synctest.Wait()
		b.bus.Publish("z", 1)
		b.end()
		text := w.String()
		missed, last := fmt.Sprintf(`"count":%d`, b.bus.Dropped()), fmt.Sprintf("event: z\nid: run-%d\n", logBuffer+101)
		if b.bus.Dropped() == 0 || strings.Count(text, "event: missed") != 1 || !strings.Contains(text, missed) || !strings.Contains(text, last) {
			t.Errorf("of %d that were dropped the stream tells\n%s", b.bus.Dropped(), text)
		}
	})
}

// TestEventLogCostsNothingUnheard: nothing is kept before anybody has listened, nor
// when nobody has for long; who comes back then is told.
func TestEventLogCostsNothingUnheard(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newEventsBench(t, 10)
		if b.bus.Listened() {
			t.Error("the log listens before anybody does")
		}
		leave := b.listen(&sink{}, ".*", "")
		b.bus.Publish("a", 1)
		synctest.Wait()
		if err := leave(); err != nil {
			t.Error(err)
		}
		<-time.After(logLinger - time.Second)
		w := &sink{}
		leave = b.listen(w, ".*", "run-0")
		<-time.After(logLinger)
		if err := leave(); err != nil || !strings.Contains(w.String(), "event: a\nid: run-1\n") {
			t.Errorf("the stream is\n%s%v", w.String(), err)
		}
		<-time.After(logLinger + time.Second)
		if b.bus.Listened() {
			t.Error("the log listens when nobody has for long")
		}
		b.bus.Publish("unheard", 2)
		w = &sink{}
		b.listen(w, ".*", "run-1")
		synctest.Wait()
		b.bus.Publish("a", 3)
		b.end()
		wantStream(t, w, ": connected run-1", "missed run-2", `"count":1`, "a run-3")
	})
}

// TestEventsAcrossARestart: a client that comes back is sent what it missed while it
// was away, and told when the agent is another.
func TestEventsAcrossARestart(t *testing.T) {
	t.Parallel()
	url := receiver(t, http.StatusOK)
	b, other := start(t, nil), start(t, nil)
	first := b.listen("?topic=.*delivered")
	var lastID string
	for lastID == "" && first.Scan() {
		lastID, _ = strings.CutPrefix(first.Text(), "id: ")
		if !strings.HasPrefix(first.Text(), "id: ") {
			lastID = ""
		}
	}
	id := b.send(SendRequest{Endpoint: url, Payload: new("x")})
	b.await(outbound.TopicDelivered, id)
	for agent, want := range map[*bench]string{b: id.String(), other: `"topic":"missed"`} {
		again := agent.listen("?topic=.*delivered", "Last-Event-ID", lastID)
		for again.Scan() && !strings.HasPrefix(again.Text(), "data: ") {
		}
		if !strings.Contains(again.Text(), want) {
			t.Errorf("the stream goes on with %s, want %s", again.Text(), want)
		}
	}
}

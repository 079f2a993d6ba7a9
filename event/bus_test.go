package event_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/event"
	"github.com/outrider-go/outrider/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

var _ interface {
	Publish(topic string, payload any)
} = (*event.Bus)(nil) // what a profile's session needs

func subscribe(t *testing.T, b *event.Bus, pattern string, buffer int) *event.Subscription {
	t.Helper()
	s, err := b.Subscribe(pattern, event.SubscribeOptions{Buffer: buffer})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func handle(t *testing.T, b *event.Bus, pattern string, handler func(event.Event)) *event.Subscription {
	t.Helper()
	s, err := b.Handle(pattern, handler, event.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func closeBus(t *testing.T, b *event.Bus) {
	t.Helper()
	if err := b.Close(t.Context()); err != nil {
		t.Errorf("close: %v", err)
	}
}

// rest closes s and returns the topics and payloads it still has.
func rest(s *event.Subscription) []string {
	s.Close()
	var all []string
	for e := range s.Events() {
		all = append(all, fmt.Sprint(e.Topic, "=", e.Payload))
	}
	return all
}

func TestPatternsMatchTheWholeTopic(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, topic string
		want           bool
	}{
		{"acapy::x", "acapy::x", true},
		{"acapy::x", "acapy::xyz", false},
		{"acapy::x", "my acapy::x", false},
		{"acapy::.*", "acapy::x::y", true},
		{".*", "", true},
		{"a|ab", "ab", true}, // the longer alternative counts, although the first one matches
		{"a|ab|abc", "abcd", false},
		{"a.*?", "abc", true},
		{"(?i)ABC", "abc", true},
		{"^abc$", "abc", true},
		{`\Qa.c`, "a.c", true}, // a quotation that is not ended
		{`\Qa.c`, "abc", false},
		{"(?:outbound-message|transport)::(started|delivered)", "transport::started", true},
		{"(?:outbound-message|transport)::(started|delivered)", "transport::stopped", false},
	}
	for _, tt := range tests {
		t.Run(tt.pattern+" "+tt.topic, func(t *testing.T) {
			t.Parallel()
			b := event.New(event.Options{})
			s := subscribe(t, b, tt.pattern, 0)
			if got := b.Active(tt.topic); got != tt.want {
				t.Errorf("active: %v, want %v", got, tt.want)
			}
			b.Publish(tt.topic, 1)
			if got := len(rest(s)) == 1; got != tt.want {
				t.Errorf("received: %v, want %v", got, tt.want)
			}
			if s.Pattern() != tt.pattern {
				t.Errorf("the pattern became %q", s.Pattern())
			}
		})
	}
}

func TestSubscribeFaults(t *testing.T) {
	t.Parallel()
	closed := event.New(event.Options{})
	closeBus(t, closed)
	tests := []struct {
		name, pattern string
		bus           *event.Bus
		buffer        int
		want          error
	}{
		{"empty pattern", "", event.New(event.Options{}), 0, event.ErrPattern},
		{"not a pattern", "a(", event.New(event.Options{}), 0, event.ErrPattern},
		{"would leave its group", "a)|(b", event.New(event.Options{}), 0, event.ErrPattern},
		{"negative buffer", "a", event.New(event.Options{}), -1, event.ErrBuffer},
		{"huge buffer", "a", event.New(event.Options{}), event.MaxBuffer + 1, event.ErrBuffer},
		{"negative buffer of the bus", "a", event.New(event.Options{Buffer: -1}), 0, event.ErrBuffer},
		{"closed bus", "a", closed, 0, event.ErrClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := tt.bus.Subscribe(tt.pattern, event.SubscribeOptions{Buffer: tt.buffer}); !errors.Is(err, tt.want) {
				t.Errorf("subscribe: %v, want %v", err, tt.want)
			}
			handler := func(event.Event) {}
			if _, err := tt.bus.Handle(tt.pattern, handler, event.SubscribeOptions{Buffer: tt.buffer}); !errors.Is(err, tt.want) {
				t.Errorf("handle: %v, want %v", err, tt.want)
			}
			if tt.bus.Active("a") {
				t.Error("a refused subscription is active")
			}
		})
	}
	if _, err := event.New(event.Options{}).Handle("a", nil, event.SubscribeOptions{}); err == nil {
		t.Error("a nil handler is accepted")
	}
}

func TestOrderIsKept(t *testing.T) {
	t.Parallel()
	const publishers, each = 4, 200
	b := event.New(event.Options{})
	s := subscribe(t, b, "topic.", publishers*each)
	var handled []event.Event // written by the handler, read after the bus is closed
	handle(t, b, "topic.", func(e event.Event) { handled = append(handled, e) })
	var wg sync.WaitGroup
	for p := range publishers {
		wg.Go(func() {
			for i := range each {
				b.Publish("topic"+strconv.Itoa(p), i)
			}
		})
	}
	wg.Wait()
	closeBus(t, b)
	read := slices.Collect(func(yield func(event.Event) bool) {
		for e := range s.Events() {
			if !yield(e) {
				return
			}
		}
	})
	for name, events := range map[string][]event.Event{"channel": read, "handler": handled} {
		next := map[string]int{}
		for _, e := range events {
			if e.Payload != next[e.Topic] {
				t.Fatalf("%s: %s: got %v, want %d", name, e.Topic, e.Payload, next[e.Topic])
			}
			next[e.Topic]++
		}
		if len(events) != publishers*each {
			t.Errorf("%s: %d events, want %d", name, len(events), publishers*each)
		}
	}
}

func TestFullBufferDropsAndCounts(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{Buffer: 3})
	slow := subscribe(t, b, ".*", 0)
	roomy := subscribe(t, b, ".*", 10)
	for i := range 5 {
		b.Publish("t", i)
	}
	if got, want := slow.Dropped(), uint64(2); got != want {
		t.Errorf("%d dropped, want %d", got, want)
	}
	if roomy.Dropped() != 0 || b.Dropped() != 2 {
		t.Errorf("dropped: %d by the roomy one, %d in all", roomy.Dropped(), b.Dropped())
	}
	if got, want := rest(slow), []string{"t=0", "t=1", "t=2"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
	if got := rest(roomy); len(got) != 5 {
		t.Errorf("the roomy one has %v", got)
	}
}

func TestEventTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := event.New(event.Options{})
		s := subscribe(t, b, "t", 0)
		<-time.After(time.Hour)
		want := time.Now()
		b.Publish("t", nil)
		<-time.After(time.Hour)
		if e := <-s.Events(); !e.Time.Equal(want) {
			t.Errorf("got %v, want %v", e.Time, want)
		}
	})
}

func TestActive(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	if b.Active("t") {
		t.Error("without subscribers")
	}
	one, two := subscribe(t, b, "t", 0), subscribe(t, b, ".", 0)
	for range 2 { // the second time from the cache
		if !b.Active("t") || !b.Active("u") || b.Active("tu") {
			t.Error("with two subscribers")
		}
	}
	two.Close()
	if !b.Active("t") || b.Active("u") {
		t.Error("after one was closed")
	}
	one.Close()
	if b.Active("t") {
		t.Error("after both were closed")
	}
}

func TestMoreTopicsThanAreRemembered(t *testing.T) {
	t.Parallel()
	const topics = 2000
	b := event.New(event.Options{})
	s := subscribe(t, b, "topic[0-9]*0", 2*topics)
	for range 2 {
		for i := range topics {
			b.Publish("topic"+strconv.Itoa(i), i)
		}
	}
	if got := len(rest(s)); got != 2*topics/10 {
		t.Errorf("%d events, want %d", got, 2*topics/10)
	}
}

func TestPanickingHandlerHarmsNobody(t *testing.T) {
	t.Parallel()
	var reports []string // written on the handler's goroutine, read after the bus is closed
	b := event.New(event.Options{OnPanic: func(topic string, value any, stack []byte) {
		if !strings.Contains(string(stack), "TestPanickingHandler") {
			t.Errorf("the stack does not show the handler:\n%s", stack)
		}
		reports = append(reports, fmt.Sprint(topic, " ", value))
	}})
	var seen []any
	bad := handle(t, b, ".*", func(e event.Event) {
		seen = append(seen, e.Payload)
		if e.Payload == 1 || e.Payload == 3 {
			panic(e.Payload)
		}
	})
	good := subscribe(t, b, ".*", 0)
	for i := range 5 {
		b.Publish("t", i)
	}
	closeBus(t, b)
	if want := []any{0, 1, 2, 3, 4}; !slices.Equal(seen, want) {
		t.Errorf("the handler saw %v, want %v", seen, want)
	}
	if want := []string{"t 1", "t 3"}; !slices.Equal(reports, want) || bad.Panics() != 2 {
		t.Errorf("reported %v, counted %d", reports, bad.Panics())
	}
	if got := len(rest(good)); got != 5 {
		t.Errorf("the other subscriber has %d events", got)
	}
}

func TestHandlerThatEndsItsGoroutine(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	release := make(chan struct{})
	s := handle(t, b, "t", func(event.Event) {
		<-release
		runtime.Goexit()
	})
	for i := range 3 {
		b.Publish("t", i)
	}
	close(release)
	<-s.Done()
	if b.Active("t") || s.Dropped() != 2 {
		t.Errorf("active: %v, dropped: %d, want 2", b.Active("t"), s.Dropped())
	}
	closeBus(t, b)
}

func TestHandlerMayUseTheBus(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	result := subscribe(t, b, "out", 0)
	var s *event.Subscription
	ready := make(chan struct{})
	s = handle(t, b, "in", func(e event.Event) {
		<-ready
		b.Publish("out", e.Payload)
		s.Close()
	})
	close(ready)
	b.Publish("in", 1)
	if e, err := result.Wait(t.Context(), nil); err != nil || e.Payload != 1 {
		t.Errorf("got %v, %v", e, err)
	}
	<-s.Done()
	closeBus(t, b)
}

func TestCloseOfASubscription(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	s := subscribe(t, b, "t", 0)
	b.Publish("t", 1)
	s.Close()
	s.Close()
	b.Publish("t", 2)
	<-s.Done()
	if got, want := rest(s), []string{"t=1"}; !slices.Equal(got, want) {
		t.Errorf("after close: %v, want %v", got, want)
	}
	if s.Dropped() != 0 {
		t.Errorf("%d dropped: what comes after close is not meant for it", s.Dropped())
	}
}

func TestCloseOfAHandlerHandlesWhatIsBuffered(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	release, seen := make(chan struct{}), 0
	s := handle(t, b, "t", func(event.Event) { <-release; seen++ })
	if s.Events() != nil {
		t.Error("the channel of a handler can be read")
	}
	for i := range 10 {
		b.Publish("t", i)
	}
	s.Close()
	close(release)
	<-s.Done()
	if seen != 10 {
		t.Errorf("%d events were handled, want 10", seen)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := event.New(event.Options{})
		var wg sync.WaitGroup
		wg.Go(func() {
			e, err := b.Wait(t.Context(), "t.*", func(e event.Event) bool { return e.Payload == 2 })
			if err != nil || e.Topic != "t2" {
				t.Errorf("got %v, %v", e, err)
			}
		})
		synctest.Wait() // until it listens
		for i := range 4 {
			b.Publish("t"+strconv.Itoa(i), i)
		}
		wg.Wait()
		if b.Active("t2") {
			t.Error("it still listens")
		}
	})
}

func TestSubscribeThenTriggerThenWait(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{})
	s := subscribe(t, b, "t", 0)
	defer s.Close()
	b.Publish("t", "at once")
	if e, err := s.Wait(t.Context(), nil); err != nil || e.Payload != "at once" {
		t.Errorf("got %v, %v", e, err)
	}
}

func TestWaitEndsWithoutAnEvent(t *testing.T) {
	t.Parallel()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	b := event.New(event.Options{})
	if _, err := b.Wait(cancelled, "t", nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := b.Wait(t.Context(), "(", nil); !errors.Is(err, event.ErrPattern) {
		t.Errorf("bad pattern: %v", err)
	}
	s := subscribe(t, b, "t", 0)
	b.Publish("t", 1)
	s.Close()
	none := func(event.Event) bool { return false }
	if _, err := s.Wait(t.Context(), none); !errors.Is(err, event.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	h := handle(t, b, "t", func(event.Event) {})
	if _, err := h.Wait(t.Context(), nil); err == nil {
		t.Error("a subscription with a handler can be waited on")
	}
	closeBus(t, b)
	if _, err := b.Wait(t.Context(), "t", nil); !errors.Is(err, event.ErrClosed) {
		t.Errorf("closed bus: %v", err)
	}
}

func TestCloseOfTheBusDrains(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := event.New(event.Options{})
		var slow, fast atomic.Int64
		handle(t, b, "t", func(event.Event) { <-time.After(time.Second); slow.Add(1) })
		handle(t, b, "t", func(event.Event) { fast.Add(1) })
		s := subscribe(t, b, "t", 0)
		for i := range 100 {
			b.Publish("t", i)
		}
		closeBus(t, b)
		if slow.Load() != 100 || fast.Load() != 100 {
			t.Errorf("handled: %d and %d, want 100", slow.Load(), fast.Load())
		}
		b.Publish("t", "late")
		if got := len(rest(s)); got != 100 {
			t.Errorf("the channel has %d events, want 100", got)
		}
		closeBus(t, b) // again
	})
}

func TestCloseOfTheBusThatIsCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := event.New(event.Options{})
		release, seen := make(chan struct{}), 0
		handle(t, b, "t", func(event.Event) { <-release; seen++ })
		for i := range 7 {
			b.Publish("t", i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := b.Close(ctx)
		unhandled, ok := errors.AsType[*event.UnhandledError](err)
		if !ok || unhandled.Left != 7 || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "7 events") {
			t.Errorf("got %v, want 7 events left", err)
		}
		close(release)
		closeBus(t, b)
		if seen != 7 {
			t.Errorf("%d events were handled in the end, want 7", seen)
		}
	})
}

func TestEverythingAtOnce(t *testing.T) {
	t.Parallel()
	b := event.New(event.Options{Buffer: 8})
	var wg sync.WaitGroup
	for p := range 4 {
		wg.Go(func() {
			for i := range 500 {
				b.Publish("t"+strconv.Itoa(i%300), p)
				b.Active("t1")
			}
		})
		wg.Go(func() {
			for range 100 {
				s, err := b.Subscribe("t.*", event.SubscribeOptions{})
				h, handleErr := b.Handle("t1.*", func(event.Event) {}, event.SubscribeOptions{})
				if err != nil || handleErr != nil {
					t.Error(err, handleErr)
					return
				}
				s.Close()
				h.Close()
				for e := range s.Events() {
					if !strings.HasPrefix(e.Topic, "t") {
						t.Errorf("got %v", e)
					}
				}
			}
		})
	}
	wg.Wait()
	if b.Active("t1") {
		t.Error("a closed subscription is active")
	}
	closeBus(t, b)
}

func TestPublishDoesNotAllocate(t *testing.T) {
	b := event.New(event.Options{Buffer: 1})
	s := subscribe(t, b, "t", 0)
	payload := any(s) // a pointer, so that boxing it is free
	for _, topic := range []string{"t", "nobody listens"} {
		b.Publish(topic, payload)
		if n := testing.AllocsPerRun(100, func() { b.Publish(topic, payload) }); n != 0 {
			t.Errorf("%s: %v allocations", topic, n)
		}
	}
}

func FuzzPattern(f *testing.F) {
	for _, seed := range []string{"a|ab", "a.*?", `\Qx`, "(?m)^a$", "(", "[[:word:]]+", "(?s).*"} {
		f.Add(seed, "ab")
	}
	f.Fuzz(func(t *testing.T, pattern, topic string) {
		b := event.New(event.Options{Buffer: 1})
		s, err := b.Subscribe(pattern, event.SubscribeOptions{})
		if err != nil {
			if !errors.Is(err, event.ErrPattern) {
				t.Errorf("%q: %v", pattern, err)
			}
			return
		}
		active := b.Active(topic)
		anchored, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
		if err == nil && !strings.Contains(pattern, `\Q`) && active != anchored.MatchString(topic) {
			t.Errorf("%q on %q: active %v", pattern, topic, active)
		}
		b.Publish(topic, nil)
		if got := len(rest(s)) == 1; got != active {
			t.Errorf("%q on %q: active %v, received %v", pattern, topic, active, got)
		}
	})
}

func TestListened(t *testing.T) {
	t.Parallel()
	bus := event.New(event.Options{})
	if bus.Listened() {
		t.Error("somebody listens to a new bus")
	}
	sub, err := bus.Subscribe("a", event.SubscribeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if !bus.Listened() {
		t.Error("nobody listens after Subscribe")
	}
	sub.Close()
	if bus.Listened() {
		t.Error("somebody listens after Close")
	}
}

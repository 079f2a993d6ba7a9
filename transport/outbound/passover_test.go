package outbound_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// TestPassesOver: a message goes at once to the first of its targets that is not known
// to be down. Hosts a and b fail as they are told to, and are sent messages before.
func TestPassesOver(t *testing.T) {
	t.Parallel()
	temporary, gone := fail(transport.Temporary), fail(transport.Permanent)
	gone.Gone = true
	pauseA := func(f *fixture) {
		a := queue.Lane{Profile: "default", Destination: "test://a/"}
		if err := f.PauseDestination(f.t.Context(), a, queue.Forever, "by hand"); err != nil {
			f.t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		says   map[string]error
		before func(f *fixture)
		order  string
		visits string // within a second
	}{
		"first is open":       {map[string]error{"a": temporary}, nil, "", "b 0s"},
		"first is gone":       {map[string]error{"a": gone}, nil, "", "b 0s"},
		"two are":             {map[string]error{"a": gone, "b": temporary}, nil, "", "c 0s"},
		"second is open":      {map[string]error{"b": temporary}, nil, "", "a 0s"},
		"all are":             {map[string]error{"a": temporary, "b": temporary, "c": temporary}, nil, "", ""},
		"paused by hand":      {nil, pauseA, "", ""},
		"in order, so waits":  {map[string]error{"a": temporary}, nil, "key", ""},
		"half-open: it tries": {map[string]error{"a": temporary}, func(*fixture) { pass(7 * time.Second) }, "", "a 0s, b 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Hour, MaxAttempts: 99, FailoverAfter: 1}})
				f.driver.handle = func(_ context.Context, m *outbound.Message) error { return c.says[m.Endpoint.Host()] }
				for range outbound.DefaultBreakerFailures {
					for host := range c.says {
						f.send("test://"+host+"/", nil)
					}
				}
				pass(time.Millisecond)
				if c.before != nil {
					c.before(f)
				}
				earlier, began := len(f.driver.seen()), time.Now()
				id := f.send("test://a/", func(m *outbound.Message) {
					m.OrderingKey = c.order
					alternates(t, "test://b/", "test://c/")(m)
				})
				pass(time.Second)
				if got := strings.Join(f.visits(began)[earlier:], ", "); got != c.visits {
					t.Errorf("attempts: %q, want %q", got, c.visits)
				}
				if c.visits == "" {
					f.wantTopics(id, "queued_for_delivery")
				} else {
					f.wantResult(id, queue.Delivered)
				}
			})
		})
	}
}

// TestFailsOverPastWhatIsDown: what fails goes on to the next target that is not known
// to be down, and to one that is where there is no other.
func TestFailsOverPastWhatIsDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		alternates []string
		visits     string
	}{
		"past it":     {[]string{"test://b/", "test://c/"}, "a 0s, c 0s"},
		"stays at it": {[]string{"test://b/"}, "a 0s, a 1m0s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{}, outbound.Options{
					Retry:   outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 99, FailoverAfter: 1},
					Breaker: outbound.Breaker{CoolOff: time.Hour, MaxCoolOff: time.Hour},
				})
				f.driver.handle = func(_ context.Context, m *outbound.Message) error {
					if m.Endpoint.Host() == "c" {
						return nil
					}
					return fail(transport.Temporary)
				}
				for range outbound.DefaultBreakerFailures {
					f.send("test://b/", nil)
				}
				pass(time.Millisecond)
				earlier, began := len(f.driver.seen()), time.Now()
				f.send("test://a/", alternates(t, c.alternates...))
				pass(90 * time.Second)
				if got := strings.Join(f.visits(began)[earlier:], ", "); got != c.visits {
					t.Errorf("attempts: %q, want %q", got, c.visits)
				}
			})
		})
	}
}

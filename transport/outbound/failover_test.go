package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// alternates has a message go to other places, too.
func alternates(t *testing.T, uris ...string) func(*outbound.Message) {
	t.Helper()
	var all []transport.Endpoint
	for _, uri := range uris {
		all = append(all, endpoint(t, uri))
	}
	return func(m *outbound.Message) { m.Alternates = all }
}

// visits lists where a message was attempted and when, counted from an instant.
func (f *fixture) visits(began time.Time) []string {
	var all []string
	for _, a := range f.driver.seen() {
		all = append(all, fmt.Sprint(a.message.Endpoint.Host(), " ", a.at.Sub(began)))
	}
	return all
}

func TestFailsOver(t *testing.T) {
	t.Parallel()
	temporary, permanent := fail(transport.Temporary), fail(transport.Permanent)
	gone, later := fail(transport.Permanent), fail(transport.Throttled)
	gone.Gone, later.RetryAfter = true, time.Hour
	for name, c := range map[string]struct {
		retry  string
		says   map[string]error // by host; nil delivers
		visits string
		result queue.Result
		topics []string
	}{
		"first takes it": {"standard", nil, "a 0s", queue.Delivered, []string{"delivered"}},
		"first is wrong": {
			"standard", map[string]error{"a": permanent}, "a 0s, b 0s", queue.Delivered,
			[]string{"attempt_failed", "failed_over", "delivered"},
		},
		"first is gone": {"standard", map[string]error{"a": gone}, "a 0s, b 0s", queue.Delivered, []string{"attempt_failed", "failed_over", "delivered"}},
		"first is down": {
			"standard,jitter=0", map[string]error{"a": temporary}, "a 0s, a 5s, a 5m5s, b 5m5s", queue.Delivered,
			[]string{"attempt_failed", "retrying", "attempt_failed", "retrying", "attempt_failed", "failed_over", "delivered"},
		},
		"first is busy": {"attempts=9,base=1s,failover=2", map[string]error{"a": later}, "a 0s, a 1h0m0s, b 1h0m0s", queue.Delivered, nil},
		"last is busy":  {"attempts=4,base=1s,failover=1", map[string]error{"a": temporary, "b": permanent, "c": later}, "a 0s, b 0s, c 0s, a 1s", queue.Dead, nil},
		"all are wrong": {"standard", map[string]error{"a": permanent, "b": permanent, "c": permanent}, "a 0s, b 0s, c 0s", queue.Dead, nil},
		"round and round": {
			"standard,jitter=0,attempts=8,failover=1", map[string]error{"a": temporary, "b": permanent, "c": temporary},
			"a 0s, b 0s, c 0s, a 5s, c 5s, a 5m5s, c 5m5s, a 35m5s", queue.Dead, nil,
		},
		"no attempts left": {"none", map[string]error{"a": permanent}, "a 0s", queue.Dead, nil},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				f := start(t, &driver{}, outbound.Options{})
				f.driver.handle = func(_ context.Context, m *outbound.Message) error { return c.says[m.Endpoint.Host()] }
				policy, err := outbound.ParseRetryPolicy(c.retry)
				if err != nil {
					t.Fatal(err)
				}
				began := time.Now()
				id := f.send("test://a/?key=one", func(m *outbound.Message) {
					m.Retry = &policy
					alternates(t, "test://b/?key=two", "test://c/?key=three")(m)
				})
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				f.wantResult(id, c.result)
				if got := strings.Join(f.visits(began), ", "); got != c.visits {
					t.Errorf("attempts: %s\nwant:     %s", got, c.visits)
				}
				f.wantLogOf(id)
				if c.topics != nil {
					f.wantTopics(id, append([]string{"queued_for_delivery"}, c.topics...)...)
				}
			})
		})
	}
}

// wantLogOf compares a message's log with what the driver saw.
func (f *fixture) wantLogOf(id transport.ID) {
	f.t.Helper()
	log, err := f.Attempts(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	r := f.record(id)
	var seen []string
	for _, a := range f.driver.seen() {
		if a.message.ID == id {
			seen = append(seen, a.endpoint)
		}
	}
	if len(log) != len(seen) || r.Attempts != len(seen) {
		f.t.Fatalf("%d attempts are logged and %d counted, of %d", len(log), r.Attempts, len(seen))
	}
	for i, a := range log {
		if to := r.Targets[a.Target].Endpoint; to != seen[i] {
			f.t.Errorf("attempt %d is logged for %s and went to %s", i+1, to, seen[i])
		}
	}
}

func TestFailedOverIsTold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		f.driver.handle = func(_ context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "a" {
				return fail(transport.Permanent)
			}
			return nil
		}
		began := time.Now()
		f.send("test://user:pass@a/?key=one", alternates(t, "test://b/?key=two#three"))
		synctest.Wait()
		for len(f.events.Events()) > 0 {
			e := <-f.events.Events()
			if e.Topic != outbound.TopicFailedOver {
				continue
			}
			got := e.Payload.(outbound.MessageEvent)
			if got.Endpoint != "test://***@a/?key=***" || got.NextEndpoint != "test://b/?key=***" || !got.NextAt.Equal(began) ||
				got.Attempt != 1 || got.Class != transport.Permanent {
				t.Errorf("told %+v", got)
			}
			return
		}
		t.Error("it was not told")
	})
}

// TestFailOverOutlivesARestart: what was tried is known to the next manager.
func TestFailOverOutlivesARestart(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, err := memqueue.New(memqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = store.Close(context.WithoutCancel(t.Context())) })
		d := &driver{handle: func(_ context.Context, m *outbound.Message) error {
			switch {
			case m.Endpoint.Host() == "a":
				return fail(transport.Permanent)
			case m.Endpoint.Host() == "b" && m.Attempt < 5:
				return fail(transport.Temporary)
			}
			return nil
		}}
		options := outbound.Options{Retry: outbound.RetryPolicy{Base: time.Minute, MaxAttempts: 9, FailoverAfter: 2}}
		f := startOver(t, store, d, options)
		began := time.Now()
		id := f.send("test://a/", alternates(t, "test://b/"))
		for _, wait := range []time.Duration{time.Second, time.Minute, time.Minute} {
			pass(wait)
			f.close()
			f = startOver(t, store, d, options)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		if got, want := strings.Join(f.visits(began), ", "), "a 0s, b 0s, b 1m0s, b 2m0s, b 3m0s"; got != want {
			t.Errorf("attempts: %s\nwant:     %s", got, want)
		}
	})
}

// TestReplayTriesAllTargetsAgain: what failed for good before a replay may have
// been mended.
func TestReplayTriesAllTargetsAgain(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: 9, FailoverAfter: 1}})
		says := map[string]error{"a": fail(transport.Permanent), "b": fail(transport.Permanent), "c": fail(transport.Permanent)}
		f.driver.handle = func(_ context.Context, m *outbound.Message) error { return says[m.Endpoint.Host()] }
		began := time.Now()
		id := f.send("test://a/", alternates(t, "test://b/", "test://c/"))
		synctest.Wait()
		f.wantResult(id, queue.Dead)
		says = map[string]error{"a": fail(transport.Temporary), "c": fail(transport.Temporary)}
		if _, err := f.Replay(t.Context(), queue.Query{}); err != nil {
			t.Fatal(err)
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		if got, want := strings.Join(f.visits(began), ", "), "a 0s, b 0s, c 0s, c 0s, a 1s, b 1s"; got != want {
			t.Errorf("attempts: %s\nwant:     %s", got, want)
		}
	})
}

// TestAlternatesOfManySchemes goes from one transport to another.
func TestAlternatesOfManySchemes(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{handle: func(context.Context, *outbound.Message) error { return fail(transport.Permanent) }}, outbound.Options{})
		other := &driver{schemes: []string{"other"}}
		if err := f.Register(other); err != nil {
			t.Fatal(err)
		}
		id := f.send("test://a/", func(m *outbound.Message) {
			alternates(t, "other://b/")(m)
			m.Text, m.WireFormat, m.Payload = true, "json", []byte("{}")
		})
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.wantResult(id, queue.Delivered)
		first, second := f.driver.seen(), other.seen()
		if len(first) != 1 || len(second) != 1 {
			t.Fatalf("attempts: %d and %d", len(first), len(second))
		}
		if a, b := first[0].message, second[0].message; string(a.Payload) != string(b.Payload) || a.ID != b.ID || b.Attempt != 2 {
			t.Errorf("first %+v\nthen  %+v", a, b)
		}
	})
}

// TestHardStopKeepsTheTarget: an attempt that is cut short gives the message back
// where it was.
func TestHardStopKeepsTheTarget(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		f.driver.handle = func(ctx context.Context, m *outbound.Message) error {
			if m.Endpoint.Host() == "a" {
				return fail(transport.Permanent)
			}
			<-ctx.Done()
			return ctx.Err()
		}
		id := f.send("test://a/", alternates(t, "test://b/"))
		synctest.Wait()
		f.cancel()
		synctest.Wait()
		if r := f.record(id); r.Target != 1 || r.Endpoint != "test://b/" || r.State != queue.StateRetry || r.Attempts != 1 {
			t.Errorf("record = %+v", r)
		}
	})
}

func TestAlternatesAreRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		checked := &refuser{driver: driver{schemes: []string{"choosy"}}}
		if err := f.Register(checked); err != nil {
			t.Fatal(err)
		}
		many := make([]string, 9)
		for i := range many {
			many[i] = fmt.Sprint("test://host", i)
		}
		for want, uris := range map[string][]string{
			"at most 8":                 many,
			"entry 1: is the endpoint":  {"TEST://A/#key"},
			"entry 2: is entry 1 again": {"test://b/", "test://b/"},
			"entry 1: unknown scheme":   {"nosuch://b/"},
			"entry 2: endpoint: broken": {"test://b/", "choosy://c/"},
		} {
			m := outbound.Message{Endpoint: endpoint(t, "test://a/#key")}
			alternates(t, uris...)(&m)
			_, err := f.Send(t.Context(), m)
			fault, ok := errors.AsType[*outbound.FieldError](err)
			if !ok || fault.Field != "alternates" || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: err = %v", want, err)
			}
		}
		m := outbound.Message{Endpoint: endpoint(t, "test://a/"), Alternates: make([]transport.Endpoint, 1)}
		if _, err := f.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "entry 1: is missing") {
			t.Errorf("no endpoint: err = %v", err)
		}
		f.send("test://a/#key", alternates(t, "test://a/#other", "test://a/"))
	})
}

// refuser is a driver that takes no endpoint.
type refuser struct{ driver }

func (*refuser) CheckMessage(context.Context, *outbound.Message) error {
	return &outbound.FieldError{Field: "endpoint", Err: errBroken}
}

// TestFailOverAtRandom sends many messages with random targets to destinations
// that answer by chance, and checks that each ends as its attempts say.
func TestFailOverAtRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				r := rand.New(rand.NewPCG(seed, 3))
				var mu sync.Mutex
				underWay, permanent := map[transport.ID]bool{}, map[transport.ID]map[string]bool{}
				delivered := map[transport.ID]bool{}
				handle := func(_ context.Context, m *outbound.Message) error {
					mu.Lock()
					if underWay[m.ID] {
						t.Errorf("%s is at two targets at once", m.ID)
					}
					if permanent[m.ID][m.Endpoint.String()] {
						t.Errorf("%s is again at %s, where it failed for good", m.ID, m.Endpoint)
					}
					underWay[m.ID] = true
					luck, takes := r.IntN(10), r.IntN(5000)
					mu.Unlock()
					pass(time.Duration(takes) * time.Millisecond)
					mu.Lock()
					defer mu.Unlock()
					delete(underWay, m.ID)
					switch {
					case luck < 5:
						return fail(transport.Temporary)
					case luck < 8:
						if permanent[m.ID] == nil {
							permanent[m.ID] = map[string]bool{}
						}
						permanent[m.ID][m.Endpoint.String()] = true
						return fail(transport.Permanent)
					}
					delivered[m.ID] = true
					return nil
				}
				const attempts = 6
				f := start(t, &driver{handle: handle}, outbound.Options{
					Workers: 3 + r.IntN(20), LaneConcurrency: 1 + r.IntN(4),
					Retry: outbound.RetryPolicy{Base: time.Second, MaxAttempts: attempts, FailoverAfter: 1 + r.IntN(3)},
				})
				targets := map[transport.ID]int{}
				for range 300 {
					mu.Lock()
					hosts := r.Perm(6)[:1+r.IntN(5)]
					mu.Unlock()
					uris := make([]string, len(hosts))
					for i, host := range hosts {
						uris[i] = fmt.Sprintf("test://host%d/", host)
					}
					id := f.send(uris[0], alternates(t, uris[1:]...))
					targets[id] = len(uris)
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				ends := map[queue.Result]int{}
				for id, n := range targets {
					record := f.record(id)
					ends[record.Result]++
					if n > 1 {
						f.wantLogOf(id)
					}
					switch {
					case delivered[id] != (record.Result == queue.Delivered):
						t.Errorf("%s: delivered %v, result %s", id, delivered[id], record.Result)
					case !delivered[id] && record.Attempts < attempts && len(permanent[id]) < n:
						t.Errorf("%s is %s after %d attempts, with %d of %d targets that failed for good", id, record.Result, record.Attempts, len(permanent[id]), n)
					}
				}
				if ends[queue.Delivered] == 0 || ends[queue.Dead] == 0 {
					t.Errorf("ends: %v", ends)
				}
			})
		})
	}
}

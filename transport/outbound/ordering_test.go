package outbound_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/transport/outbound"
)

// orderWatch sees attempts begin and end, and notes what breaks the order.
type orderWatch struct {
	mu      sync.Mutex
	rand    *rand.Rand
	running map[string]bool // by key
	next    map[string]int  // by key: the number that has not ended
	most    int             // keys at once
	faults  []string
}

func (w *orderWatch) handle(_ context.Context, m *outbound.Message) error {
	key, text, _ := strings.Cut(string(m.Payload), " ")
	number, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	w.mu.Lock()
	if w.running[key] {
		w.faults = append(w.faults, fmt.Sprintf("%s %d is attempted beside another", key, number))
	}
	if number != w.next[key] {
		w.faults = append(w.faults, fmt.Sprintf("%s %d is attempted when it is the turn of %d", key, number, w.next[key]))
	}
	w.running[key] = true
	w.most = max(w.most, len(w.running))
	luck, takes := w.rand.IntN(10), w.rand.IntN(1000)
	w.mu.Unlock()

	pass(time.Duration(takes) * time.Microsecond)

	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.running, key)
	switch {
	case luck < 3:
		return fail(transport.Temporary)
	case luck == 3:
		w.next[key]++
		return fail(transport.Permanent)
	}
	w.next[key]++
	return nil
}

func TestOrderIsKeptPerKey(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]outbound.Options{
		"workers for all":    {Workers: 32},
		"leases are ahead":   {Workers: 4},
		"one worker":         {Workers: 1},
		"one at a time":      {LaneConcurrency: 1},
		"short leases ahead": {Workers: 2, AttemptTimeout: time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				const messages, keys = 1000, 10
				options.Retry = outbound.RetryPolicy{Base: time.Second, MaxAttempts: 1000}
				w := &orderWatch{rand: rand.New(rand.NewPCG(1, 2)), running: map[string]bool{}, next: map[string]int{}}
				f := start(t, &driver{handle: w.handle}, options)
				for i := range messages {
					key := fmt.Sprint("key", i%keys)
					f.send("test://host/", func(m *outbound.Message) {
						m.OrderingKey, m.Payload = key, fmt.Appendf(nil, "%s %d", key, i/keys)
						m.Priority = queue.Priority(i%3 - 1)
					})
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				if len(w.faults) > 0 {
					t.Errorf("%d faults, the first: %s", len(w.faults), w.faults[0])
				}
				for key, n := range w.next {
					if n != messages/keys {
						t.Errorf("%s: %d messages ended, want %d", key, n, messages/keys)
					}
				}
				if want := options.Workers != 1 && options.LaneConcurrency != 1; want != (w.most > 1) {
					t.Errorf("at most %d keys were attempted at once", w.most)
				}
			})
		})
	}
}

// TestTheTurnPasses has a message wait behind another of its key, and looks when
// it is attempted.
func TestTheTurnPasses(t *testing.T) {
	t.Parallel()
	const wait = time.Hour // before the retry of the first
	elsewhere := endpoint(t, "test://elsewhere/")
	for name, c := range map[string]struct {
		first    func(m *outbound.Message)
		class    transport.Class // of the first's attempt
		then     func(f *fixture, first transport.ID)
		want     time.Duration // when the second is attempted
		attempts int           // of the first
	}{
		"retried":  {class: transport.Temporary, want: wait, attempts: 2},
		"dead":     {class: transport.Permanent, want: 0, attempts: 1},
		"given up": {class: transport.Temporary, want: 0, attempts: 1, first: func(m *outbound.Message) { m.Retry = new(outbound.NoRetry()) }},
		"put off":  {want: 2 * wait, attempts: 1, first: func(m *outbound.Message) { m.NotBefore = time.Now().Add(2 * wait) }},
		"skipped":  {class: transport.Temporary, want: 0, attempts: 2, first: func(m *outbound.Message) { m.OnBlocked = outbound.BlockedSkip }},
		"moved":    {class: transport.Permanent, want: 0, attempts: 2, first: func(m *outbound.Message) { m.Alternates = append(m.Alternates, elsewhere) }},
		"expired":  {class: transport.Temporary, want: time.Minute, attempts: 1, first: func(m *outbound.Message) { m.ExpiresAt = time.Now().Add(time.Minute) }},
		"cancelled": {class: transport.Temporary, want: time.Second, attempts: 1, then: func(f *fixture, first transport.ID) {
			pass(time.Second)
			if _, err := f.Cancel(f.t.Context(), queue.Query{IDs: []transport.ID{first}}); err != nil {
				f.t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(t *testing.T) {
				class := c.class
				f := start(t, &driver{}, outbound.Options{Retry: outbound.RetryPolicy{Base: wait, MaxAttempts: 5}})
				f.driver.handle = func(_ context.Context, m *outbound.Message) error {
					if string(m.Payload) == "first" && m.Attempt == 1 && class != "" {
						return fail(class)
					}
					return nil
				}
				began := time.Now()
				first := f.send("test://host/", func(m *outbound.Message) {
					m.OrderingKey, m.Payload = "k", []byte("first")
					if c.first != nil {
						c.first(m)
					}
				})
				f.send("test://host/", func(m *outbound.Message) { m.OrderingKey, m.Payload = "k", []byte("second") })
				synctest.Wait()
				if c.then != nil {
					c.then(f, first)
				}
				if err := f.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				var firsts []time.Duration
				for _, a := range f.driver.seen() {
					if at := a.at.Sub(began); string(a.message.Payload) == "first" {
						firsts = append(firsts, at)
					} else if at != c.want {
						t.Errorf("the second was attempted after %v, want %v", at, c.want)
					}
				}
				if len(firsts) != c.attempts {
					t.Errorf("the first was attempted after %v, want %d attempts", firsts, c.attempts)
				}
			})
		})
	}
}

func TestPriorityWithinALane(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{LaneConcurrency: 1})
		f.driver.handle = func(context.Context, *outbound.Message) error {
			pass(time.Second)
			return nil
		}
		for _, p := range []queue.Priority{queue.PriorityNormal, queue.PriorityLow, queue.PriorityNormal, queue.PriorityHigh} {
			f.send("test://host/", func(m *outbound.Message) { m.Priority, m.Payload = p, []byte(p.String()) })
			synctest.Wait()
		}
		if err := f.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		var order []string
		for _, a := range f.driver.seen() {
			order = append(order, string(a.message.Payload))
		}
		if want := []string{"normal", "high", "normal", "low"}; !slices.Equal(order, want) {
			t.Errorf("delivered %q, want %q", order, want)
		}
	})
}

func TestOrderIsRefused(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		f := start(t, &driver{}, outbound.Options{})
		for _, c := range []struct {
			field  string
			change func(m *outbound.Message)
		}{
			{"priority", func(m *outbound.Message) { m.Priority = 2 }},
			{"ordering_key", func(m *outbound.Message) { m.OrderingKey = strings.Repeat("x", 257) }},
			{"on_blocked", func(m *outbound.Message) { m.OnBlocked, m.OrderingKey = "jump", "k" }},
			{"on_blocked", func(m *outbound.Message) { m.OnBlocked = outbound.BlockedSkip }},
		} {
			m := outbound.Message{Endpoint: endpoint(t, "test://host/")}
			c.change(&m)
			_, err := f.Send(t.Context(), m)
			if fault, ok := errors.AsType[*outbound.FieldError](err); !ok || fault.Field != c.field {
				t.Errorf("%s: err = %v", c.field, err)
			}
		}
	})
}

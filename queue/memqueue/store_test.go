package memqueue

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

func TestNewRefusesOptions(t *testing.T) {
	t.Parallel()
	_, err := New(Options{MaxMessages: -1, MaxBytes: -1, KeyLifetime: -1, MaxKeys: -1})
	for _, name := range []string{"MaxMessages", "MaxBytes", "KeyLifetime", "MaxKeys"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("negative limits: %v, want %s named", err, name)
		}
	}
}

// fixture is a store in a bubble.
type fixture struct {
	*testing.T
	*Store
}

func inBubble(t *testing.T, options Options, test func(f *fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s, err := New(options)
		if err != nil {
			t.Fatal(err)
		}
		test(&fixture{t, s})
	})
}

func testLane() queue.Lane {
	return queue.Lane{Profile: "acme", Destination: "https://example.com"}
}

func (f *fixture) message(payload int) queue.Message {
	return queue.Message{ID: f.NewID(), Lane: testLane(), Payload: make([]byte, payload)}
}

func (f *fixture) enqueue(batch ...queue.Message) {
	f.Helper()
	if _, err := f.Enqueue(f.Context(), batch); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) lease(most int) []queue.Leased {
	f.Helper()
	leased, err := f.Lease(f.Context(), queue.LeaseRequest{
		TTL: time.Minute, Budgets: []queue.Budget{{Lane: testLane(), Max: most}},
	}, nil)
	if err != nil {
		f.Fatal(err)
	}
	return leased
}

func (f *fixture) settle(verdict queue.Verdict, attempt *queue.Attempt, leased ...queue.Leased) {
	f.Helper()
	outcomes := make([]queue.Outcome, len(leased))
	for i := range leased {
		outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: verdict, Attempt: attempt}
	}
	if faults, err := f.Settle(f.Context(), outcomes); err != nil || faults != nil {
		f.Fatal(faults, err)
	}
}

func (f *fixture) purge(result queue.Result, limit int) int {
	f.Helper()
	removed, _, err := f.Purge(f.Context(), queue.Retention{Result: result, Before: time.Now().Add(time.Hour)}, limit)
	if err != nil {
		f.Fatal(err)
	}
	return removed
}

// empty checks that nothing of the records is left in any corner.
func (f *fixture) empty() {
	f.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.contents
	left := map[string]int{
		"index": len(c.index.blocks), "keys": c.keys.byName.len(), "lanes": c.lanes.len(), "busy": len(c.busy.blocks),
		"leasing": len(c.leasing), "expiring": len(c.expiring), "deadlines": len(c.deadlines), "overdue": c.overdue.count,
		"waiting": c.waiting, "bytes": int(c.bytes),
	}
	for place, bytes := range c.held {
		left[fmt.Sprint("held ", place)] = int(bytes)
	}
	for i, list := range c.ended {
		left[fmt.Sprint("ended ", i)] = list.count
	}
	for name, n := range left {
		if n != 0 {
			f.Errorf("%d are left in %s", n, name)
		}
	}
}

// forgetKeys waits until all keys are forgotten.
func (f *fixture) forgetKeys() {
	f.Helper()
	<-time.After(f.options.KeyLifetime)
	if _, err := f.Stats(f.Context(), queue.ByTotal); err != nil {
		f.Fatal(err)
	}
}

// health checks what Health says.
func (f *fixture) health(want error) {
	f.Helper()
	if err := f.Health(); !errors.Is(err, want) {
		f.Errorf("health: %v, want %v", err, want)
	}
}

func TestMaxMessages(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{MaxMessages: 3}, func(f *fixture) {
		known := f.message(1)
		known.IdempotencyKey = "k"
		f.enqueue(known, f.message(1))
		full := []queue.Message{f.message(1), f.message(1)}
		if _, err := f.Enqueue(f.Context(), full); !errors.Is(err, queue.ErrStoreFull) {
			t.Fatalf("a fourth message: %v, want ErrStoreFull", err)
		}
		f.health(nil)
		again := f.message(1)
		again.IdempotencyKey = "k"
		f.enqueue(full[0], again) // a duplicate takes no room
		f.settle(queue.VerdictDead, nil, f.lease(1)...)
		f.enqueue(f.message(1)) // nor does what is done
		f.health(queue.ErrStoreFull)
		if _, err := f.Enqueue(f.Context(), full[1:]); !errors.Is(err, queue.ErrStoreFull) {
			t.Fatalf("one too many: %v, want ErrStoreFull", err)
		}
		f.settle(queue.VerdictDelivered, nil, f.lease(3)...)
		f.health(nil)
		f.purge(queue.Delivered, 10)
		f.purge(queue.Dead, 10)
		f.forgetKeys()
		f.empty()
	})
}

func TestMaxBytes(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{MaxBytes: 100}, func(f *fixture) {
		f.enqueue(f.message(40), f.message(40))
		for _, batch := range [][]queue.Message{{f.message(21)}, {f.message(10), f.message(11)}} {
			if _, err := f.Enqueue(f.Context(), batch); !errors.Is(err, queue.ErrStoreFull) {
				t.Fatalf("too many bytes: %v, want ErrStoreFull", err)
			}
		}
		f.health(nil)
		f.enqueue(f.message(20))
		f.health(queue.ErrStoreFull)
		f.settle(queue.VerdictDead, nil, f.lease(1)...)
		if _, err := f.Enqueue(f.Context(), []queue.Message{f.message(1)}); !errors.Is(err, queue.ErrStoreFull) {
			t.Fatalf("a dead message keeps its payload, and yet there is room: %v", err)
		}
		f.settle(queue.VerdictDelivered, nil, f.lease(1)...)
		f.enqueue(f.message(40)) // a delivered one has let go of it
		f.purge(queue.Dead, 10)
		f.enqueue(f.message(40))
	})
}

func TestTTLIsRequired(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{}, func(f *fixture) {
		f.enqueue(f.message(1))
		into := make([]queue.Leased, 1)
		budgets := []queue.Budget{{Lane: testLane(), Max: 1}}
		if leased, err := f.Lease(f.Context(), queue.LeaseRequest{Budgets: budgets}, into); err == nil || len(leased) != 1 {
			t.Errorf("leased %d messages for no time, %v", len(leased)-1, err)
		}
		l := f.lease(1)[0]
		if faults, err := f.Extend(f.Context(), []queue.LeaseRef{l.Ref()}, 0); err == nil {
			t.Errorf("a lease was extended by no time, %v", faults)
		}
		f.settle(queue.VerdictDelivered, nil, l)
	})
}

// TestUndo: a batch that cannot be kept whole leaves no trace.
func TestUndo(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{MaxMessages: 3}, func(f *fixture) {
		batch := make([]queue.Message, 4)
		for i := range batch {
			batch[i] = f.message(5)
			batch[i].Lane.Destination = fmt.Sprint("https://example.com/", i)
			batch[i].IdempotencyKey = fmt.Sprint("key", i%3)
			batch[i].ExpiresAt = time.Now().Add(time.Hour)
		}
		batch[1].NotBefore = time.Now().Add(time.Minute)
		batch[3].IdempotencyKey = ""
		if _, err := f.Enqueue(f.Context(), batch); !errors.Is(err, queue.ErrStoreFull) {
			t.Fatalf("four of three: %v, want ErrStoreFull", err)
		}
		f.empty()
		f.enqueue(batch[:3]...)
	})
}

// TestUndoOfTurns: a batch that cannot be kept whole leaves the turn where it was.
func TestUndoOfTurns(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{MaxMessages: 3}, func(f *fixture) {
		batch := make([]queue.Message, 4)
		for i := range batch {
			batch[i] = f.message(5)
			batch[i].OrderingKey = "k"
		}
		refuse := func(batch ...queue.Message) {
			t.Helper()
			if _, err := f.Enqueue(f.Context(), batch); !errors.Is(err, queue.ErrStoreFull) {
				t.Fatalf("too many: %v, want ErrStoreFull", err)
			}
		}
		refuse(batch...)
		f.empty()
		f.enqueue(batch[0])
		l := f.lease(3)[0]
		if _, err := f.Settle(f.Context(), []queue.Outcome{{
			LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, At: time.Now().Add(time.Minute), Skip: true,
		}}); err != nil {
			t.Fatal(err)
		}
		refuse(batch[1], batch[2], batch[3]) // the first of these had the turn for a moment
		<-time.After(time.Minute)
		if leased := f.lease(3); len(leased) != 1 || leased[0].ID != batch[0].ID {
			t.Errorf("leased %d messages, want the one that was skipped", len(leased))
		}
	})
}

// TestMoveLeavesNothing: a lane that its last record has left is forgotten, and so
// is the lane that it came to.
func TestMoveLeavesNothing(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{}, func(f *fixture) {
		m := f.message(1)
		m.IdempotencyKey, m.OrderingKey = "k", "k"
		m.ExpiresAt = time.Now().Add(time.Hour)
		other := testLane()
		other.Destination += "/other"
		m.Targets = []queue.Target{{Lane: testLane()}, {Lane: other}}
		f.enqueue(m)
		l := f.lease(1)[0]
		if _, err := f.Settle(f.Context(), []queue.Outcome{{
			LeaseRef: l.Ref(), Verdict: queue.VerdictRetry, Target: 1, At: time.Now().Add(time.Minute),
		}}); err != nil {
			t.Fatal(err)
		}
		if due, err := f.Due(f.Context(), queue.Lane{}, 10); err != nil || len(due) != 1 || f.lanes.len() != 1 {
			t.Errorf("%d lanes are known and %v due, %v, want one", f.lanes.len(), due, err)
		}
		if _, err := f.Cancel(f.Context(), queue.Query{}); err != nil {
			t.Fatal(err)
		}
		f.purge(queue.Cancelled, 1)
		f.forgetKeys()
		f.empty()
	})
}

// TestKeysAreForgotten: each when its lifetime is over, and before that where there
// are more than may be, whether or not the record is there.
func TestKeysAreForgotten(t *testing.T) {
	t.Parallel()
	const messages = 5
	fill := func(f *fixture, pause time.Duration) {
		for i := range messages {
			m := f.message(1)
			m.IdempotencyKey = fmt.Sprint("k", i)
			f.enqueue(m)
			<-time.After(pause)
		}
		f.settle(queue.VerdictDead, nil, f.lease(2)...)
		f.purge(queue.Dead, 10)
	}
	kept := func(f *fixture, want int) {
		f.Helper()
		if n := f.keys.byName.len(); n != want {
			f.Errorf("%d keys are kept, want %d", n, want)
		}
	}
	inBubble(t, Options{KeyLifetime: time.Minute}, func(f *fixture) {
		fill(f, 10*time.Second)
		kept(f, messages)
		<-time.After(20 * time.Second)
		f.purge(queue.Dead, 10)
		kept(f, messages-2)
		f.settle(queue.VerdictDead, nil, f.lease(messages)...)
		f.purge(queue.Dead, 10)
		kept(f, messages-2)
		f.forgetKeys()
		f.empty()
	})
	inBubble(t, Options{MaxKeys: 3}, func(f *fixture) {
		fill(f, time.Second)
		kept(f, 3)
		f.settle(queue.VerdictDead, nil, f.lease(messages)...)
		f.purge(queue.Dead, 10)
		kept(f, 3)
	})
}

func TestPayloadIsLetGo(t *testing.T) {
	t.Parallel()
	for verdict, kept := range map[queue.Verdict]bool{
		queue.VerdictDelivered: false, queue.VerdictDead: true, queue.VerdictExpired: true, queue.VerdictPark: true,
	} {
		inBubble(t, Options{}, func(f *fixture) {
			m := f.message(10)
			m.Metadata = transport.Metadata{"name": "value"}
			f.enqueue(m)
			f.settle(verdict, nil, f.lease(1)...)
			records, err := f.Get(f.Context(), []transport.ID{m.ID}, true)
			if err != nil || len(records) != 1 {
				t.Fatal(records, err)
			}
			if r := records[0]; (r.Payload != nil) != kept || (r.Metadata != nil) != kept || r.Bytes != 19 {
				t.Errorf("verdict %d: payload %v and metadata %v of %d bytes, kept: %v", verdict, r.Payload, r.Metadata, r.Bytes, kept)
			}
		})
	}
}

func TestLogIsCapped(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 49, 50, 51, 60, 200} {
		inBubble(t, Options{}, func(f *fixture) {
			m := f.message(1)
			f.enqueue(m)
			scratch := queue.Attempt{}
			for i := range n {
				scratch = queue.Attempt{Error: fmt.Sprint(i + 1)}
				f.settle(queue.VerdictRetry, &scratch, f.lease(1)...)
				if scratch.N != i+1 {
					t.Errorf("attempt %d got the number %d", i+1, scratch.N)
				}
			}
			log, err := f.Attempts(f.Context(), m.ID)
			if err != nil || len(log) != min(n, 50) {
				t.Fatalf("%d of %d entries are left, %v", len(log), n, err)
			}
			for i, entry := range log {
				want := i + 1
				if i >= 10 {
					want = n - len(log) + i + 1
				}
				if entry.N != want || entry.Error != fmt.Sprint(want) {
					t.Errorf("of %d, entry %d is %d %q, want %d", n, i, entry.N, entry.Error, want)
				}
			}
		})
	}
}

// TestAddressesAreNotMixedUp: messages share what is equal, and nothing else.
func TestAddressesAreNotMixedUp(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{}, func(f *fixture) {
		var want []queue.Message
		for i := range 60 {
			m := f.message(0)
			n := i % 12
			m.Endpoint = fmt.Sprint("https://example.com/", n/6)
			m.URI = transport.NewSecret(fmt.Sprint("https://example.com/", n/6, "#", n%3))
			m.Format = fmt.Sprint("format", n%2)
			m.ContentType = fmt.Sprint("type", n%5)
			m.Retry = fmt.Sprint("retry", n%4)
			m.Text = n%2 == 1
			m.Payload = nil
			want = append(want, m)
			f.enqueue(m)
		}
		for i, l := range f.lease(len(want)) {
			w := want[i]
			if l.Endpoint != w.Endpoint || !l.URI.Equal(w.URI) || l.Format != w.Format || l.ContentType != w.ContentType ||
				l.Retry != w.Retry || l.Text != w.Text {
				t.Errorf("message %d went to the address of another: %+v, want %+v", i, l.Message, w)
			}
		}
	})
}

// TestManySteps: what takes more than one step is done whole.
func TestManySteps(t *testing.T) {
	t.Parallel()
	const n = 3*scanStep + 7
	inBubble(t, Options{}, func(f *fixture) {
		fill := func(change func(i int, m *queue.Message)) {
			t.Helper()
			batch := make([]queue.Message, n)
			for i := range batch {
				batch[i] = f.message(1)
				change(i, &batch[i])
			}
			f.enqueue(batch...)
		}
		fill(func(int, *queue.Message) {})
		first := f.lease(n)
		<-time.NewTimer(2 * time.Minute).C
		if again := f.lease(n); len(again) != n || again[0].ID != first[0].ID || again[n-1].ID != first[n-1].ID {
			t.Errorf("%d leases of %d ran out", len(again), n)
		} else {
			f.settle(queue.VerdictDelivered, nil, again...)
		}
		fill(func(_ int, m *queue.Message) { m.ExpiresAt = time.Now().Add(time.Minute) })
		<-time.NewTimer(2 * time.Minute).C
		expired, next, err := f.Expire(f.Context(), n+1)
		if err != nil || len(expired) != n || !next.IsZero() {
			t.Errorf("%d of %d expired, the next at %v, %v", len(expired), n, next, err)
		}
		fill(func(i int, m *queue.Message) { m.Lane.Destination = fmt.Sprint(i) })
		due, err := f.Due(f.Context(), queue.Lane{}, n+1)
		if err != nil || len(due) != n {
			t.Errorf("%d of %d lanes are due, %v", len(due), n, err)
		}
		groups, err := f.Stats(f.Context(), queue.ByTotal)
		if err != nil || groups[0].Pending != n || groups[0].Expired != n || groups[0].Delivered != n || !groups[0].Estimate {
			t.Errorf("the counts are %+v, %v", groups, err)
		}
		page := queue.Page{Next: transport.ID{1}}
		for q := (queue.Query{Limit: queue.MaxPage}); !page.Next.IsZero(); q.After = page.Next {
			if page, err = f.Cancel(f.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		if due, err := f.Due(f.Context(), queue.Lane{}, n); err != nil || len(due) != 0 {
			t.Errorf("%d lanes are due, %v", len(due), err)
		}
		for _, result := range []queue.Result{queue.Delivered, queue.Expired, queue.Cancelled} {
			if removed := f.purge(result, n-1); removed != n-1 {
				t.Errorf("purged %d of %d", removed, n-1)
			}
			f.purge(result, 1)
		}
		f.empty()
	})
}

// TestForever: an instant that is beyond what the store can count never comes.
func TestForever(t *testing.T) {
	t.Parallel()
	inBubble(t, Options{}, func(f *fixture) {
		m := f.message(1)
		m.NotBefore, m.ExpiresAt = queue.Forever, queue.Forever
		f.enqueue(m)
		<-time.NewTimer(200 * 365 * 24 * time.Hour).C
		if leased := f.lease(1); len(leased) != 0 {
			t.Error("leased what is due at the end of time")
		}
	})
}

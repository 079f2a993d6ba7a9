package memqueue_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/queue/memqueue"
	"github.com/outrider-go/outrider/transport"
)

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	runtime.GC() // the first may leave what is swept later
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// costed is a store whose messages all go to one lane.
type costed struct {
	*memqueue.Store
	lane queue.Lane
	uri  transport.Secret
}

func newCosted(tb testing.TB) *costed {
	tb.Helper()
	return newCostedWith(tb, memqueue.Options{})
}

func newCostedWith(tb testing.TB, options memqueue.Options) *costed {
	tb.Helper()
	store, err := memqueue.New(options)
	if err != nil {
		tb.Fatal(err)
	}
	return &costed{
		Store: store, lane: queue.Lane{Profile: "acme", Destination: "https://example.com"},
		uri: transport.NewSecret("https://example.com/inbox#key"),
	}
}

func (c *costed) message(payload []byte) queue.Message {
	return queue.Message{
		ID: c.NewID(), Lane: c.lane, Endpoint: "https://example.com/inbox", URI: c.uri,
		Format: "raw", ContentType: "application/json", Payload: payload,
	}
}

func (c *costed) fill(tb testing.TB, payloads [][]byte, change func(*queue.Message)) {
	tb.Helper()
	batch := make([]queue.Message, 0, 100)
	for i, payload := range payloads {
		m := c.message(payload)
		if change != nil {
			change(&m)
		}
		if batch = append(batch, m); len(batch) == cap(batch) || i == len(payloads)-1 {
			if _, err := c.Enqueue(tb.Context(), batch); err != nil {
				tb.Fatal(err)
			}
			batch = batch[:0]
		}
	}
}

// settle leases everything and settles it with the verdict.
func (c *costed) settle(tb testing.TB, verdict queue.Verdict, at time.Time) {
	tb.Helper()
	var leased []queue.Leased
	for {
		var err error
		leased, err = c.Lease(tb.Context(), queue.LeaseRequest{TTL: time.Hour, Budgets: []queue.Budget{{Lane: c.lane, Max: 100}}}, leased[:0])
		if err != nil {
			tb.Fatal(err)
		}
		if len(leased) == 0 {
			return
		}
		outcomes := make([]queue.Outcome, len(leased))
		for i := range leased {
			outcomes[i] = queue.Outcome{LeaseRef: leased[i].Ref(), Verdict: verdict, At: at, Attempt: &queue.Attempt{
				StartedAt: time.Now(), Duration: time.Second, Class: transport.Temporary, Code: "503", Error: "503 Service Unavailable",
			}}
		}
		if faults, err := c.Settle(tb.Context(), outcomes); err != nil || faults != nil {
			tb.Fatal(err, faults)
		}
	}
}

func TestMemoryPerMessage(t *testing.T) { // not parallel: it measures the heap
	const messages = 100_000
	payloads := make([][]byte, messages)
	for i := range payloads {
		payloads[i] = make([]byte, 1024)
	}
	keys := make([]string, messages)
	for i := range keys {
		keys[i] = fmt.Sprintf("key-%012d", i)
	}
	later := time.Now().Add(time.Hour)
	cases := []struct {
		name  string
		limit int64 // bytes beside the payload
		fill  func(*costed)
	}{
		{"ready", 160, func(c *costed) { c.fill(t, payloads, nil) }},
		{"not before", 220, func(c *costed) {
			c.fill(t, payloads, func(m *queue.Message) { m.NotBefore = later })
		}},
		{"ready with a key", 380, func(c *costed) {
			next := 0
			c.fill(t, payloads, func(m *queue.Message) { m.IdempotencyKey, next = keys[next], next+1 })
		}},
		{"ready with an ordering key that others have", 270, func(c *costed) {
			c.fill(t, payloads, func(m *queue.Message) { m.OrderingKey = "k" })
		}},
		{"ready with an ordering key of its own", 380, func(c *costed) {
			next := 0
			c.fill(t, payloads, func(m *queue.Message) { m.OrderingKey, next = keys[next], next+1 })
		}},
		{"failed once", 300, func(c *costed) {
			c.fill(t, payloads, nil)
			c.settle(t, queue.VerdictRetry, later)
		}},
	}
	for _, test := range cases {
		before := heap()
		c := newCosted(t)
		test.fill(c)
		each := (heap() - before) / messages
		t.Logf("%s: %d bytes", test.name, each)
		if each > test.limit {
			t.Errorf("%s: a message costs %d bytes beside its payload, want at most %d", test.name, each, test.limit)
		}
		runtime.KeepAlive(c)
	}
	runtime.KeepAlive(payloads)
}

func TestMemoryComesBack(t *testing.T) { // not parallel: it measures the heap
	const messages = 50_000
	before := heap()
	c := newCostedWith(t, memqueue.Options{MaxKeys: messages / 100}) // the keys outlive their messages
	c.fill(t, make([][]byte, messages), func(m *queue.Message) {
		m.Payload = make([]byte, 1024)
		m.IdempotencyKey = m.ID.String()
		m.OrderingKey = m.IdempotencyKey
		m.ExpiresAt = time.Now().Add(time.Hour)
		m.Lane.Destination = fmt.Sprintf("https://%s.example.com", m.ID)
	})
	full := heap()
	if delivered := c.deliverAll(t); delivered != messages {
		t.Fatalf("%d lanes were due, want %d", delivered, messages)
	}
	removed, more, err := c.Purge(t.Context(), queue.Retention{Result: queue.Delivered, Before: time.Now().Add(time.Second)}, 2*messages)
	if err != nil || more || removed != messages {
		t.Fatalf("purge removed %d, more %v (%v), want all %d", removed, more, err, messages)
	}
	left := heap() - before
	t.Logf("full %d KiB, purged %d KiB", (full-before)>>10, left>>10)
	if left > 1<<20 {
		t.Errorf("an empty store keeps %d KiB after %d KiB were in use", left>>10, (full-before)>>10)
	}
	runtime.KeepAlive(c)
}

// deliverAll delivers all messages, and returns how many lanes had some.
func (c *costed) deliverAll(tb testing.TB) int {
	tb.Helper()
	due, err := c.Due(tb.Context(), queue.Lane{}, 1_000_000)
	if err != nil {
		tb.Fatal(err)
	}
	for i := range due {
		c.lane = due[i].Lane
		c.settle(tb, queue.VerdictDelivered, time.Time{})
	}
	return len(due)
}

// TestOneKeyDrains: each delivery of 100 000 messages with one ordering key passes
// the turn, and none looks at all of them. That would take minutes.
func TestOneKeyDrains(t *testing.T) {
	t.Parallel()
	const messages = 100_000
	c := newCosted(t)
	c.fill(t, make([][]byte, messages), func(m *queue.Message) { m.OrderingKey = "k" })
	start := time.Now()
	c.settle(t, queue.VerdictDelivered, time.Time{})
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("to drain %d messages took %v", messages, took)
	}
	totals, err := c.Stats(t.Context(), queue.ByTotal)
	if err != nil || totals[0].Delivered != messages {
		t.Errorf("%+v, %v, want %d delivered", totals, err, messages)
	}
}

func TestAllocationsPerMessage(t *testing.T) { // not parallel: it counts allocations
	tests := []struct {
		name     string
		limit    float64
		response []byte
		change   func(*queue.Message)
	}{
		{"plain", 3, nil, nil},
		{"with an answer", 4, []byte("ok"), nil},
		{"with a time", 4, nil, func(m *queue.Message) { m.ExpiresAt = time.Now().Add(time.Hour) }},
	}
	for _, test := range tests {
		c := newCosted(t)
		cycle := c.cycle(t, test.response, test.change)
		if each := testing.AllocsPerRun(5000, cycle); each > test.limit {
			t.Errorf("%s: a message takes %v allocations, want at most %v", test.name, each, test.limit)
		}
	}
}

// cycle returns a function that takes one message from Enqueue to delivered and
// allocates nothing itself.
func (c *costed) cycle(tb testing.TB, response []byte, change func(*queue.Message)) func() {
	payload := make([]byte, 1024)
	ctx := tb.Context()
	batch := make([]queue.Message, 1)
	budgets := make([]queue.Budget, 1)
	leased := make([]queue.Leased, 0, 1)
	outcomes := make([]queue.Outcome, 1)
	attempt := queue.Attempt{Class: transport.Success, Evidence: transport.Acknowledged, Code: "200", Response: response}
	done := 0
	return func() {
		batch[0] = c.message(payload)
		if change != nil {
			change(&batch[0])
		}
		if _, err := c.Enqueue(ctx, batch); err != nil {
			tb.Fatal(err)
		}
		var err error
		budgets[0] = queue.Budget{Lane: c.lane, Max: 1}
		leased, err = c.Lease(ctx, queue.LeaseRequest{TTL: time.Minute, Budgets: budgets}, leased[:0])
		if err != nil || len(leased) != 1 {
			tb.Fatal(len(leased), err)
		}
		outcomes[0] = queue.Outcome{LeaseRef: leased[0].Ref(), Verdict: queue.VerdictDelivered, Attempt: &attempt}
		if faults, err := c.Settle(ctx, outcomes); err != nil || faults != nil {
			tb.Fatal(err, faults)
		}
		if done++; done%1000 == 0 {
			if _, _, err := c.Purge(ctx, queue.Retention{Result: queue.Delivered, Keep: 1000}, 1000); err != nil {
				tb.Fatal(err)
			}
		}
	}
}

func BenchmarkCycle(b *testing.B) {
	for _, backlog := range []int{0, 1_000_000} {
		b.Run(fmt.Sprintf("backlog %d", backlog), func(b *testing.B) {
			c := newCosted(b)
			other := c.lane
			c.fill(b, make([][]byte, backlog), func(m *queue.Message) { m.Lane.Destination = "https://dead.example.com" })
			c.lane = other
			cycle := c.cycle(b, nil, nil)
			b.ReportAllocs()
			for b.Loop() {
				cycle()
			}
		})
	}
}

// BenchmarkOneKey takes messages that share an ordering key with a backlog from
// Enqueue to delivered. What it costs must not grow with the backlog.
func BenchmarkOneKey(b *testing.B) {
	for _, backlog := range []int{0, 1_000, 100_000} {
		b.Run(fmt.Sprintf("backlog %d", backlog), func(b *testing.B) {
			c := newCosted(b)
			order := func(m *queue.Message) { m.OrderingKey = "k" }
			c.fill(b, make([][]byte, backlog), order)
			cycle := c.cycle(b, nil, order)
			b.ReportAllocs()
			for b.Loop() {
				cycle()
			}
		})
	}
}

func BenchmarkNewID(b *testing.B) {
	c := newCosted(b)
	b.ReportAllocs()
	for b.Loop() {
		c.NewID()
	}
}

func BenchmarkStats(b *testing.B) {
	c := newCosted(b)
	c.fill(b, make([][]byte, 1_000_000), nil)
	for b.Loop() {
		if _, err := c.Stats(b.Context(), queue.ByLane); err != nil {
			b.Fatal(err)
		}
	}
}
